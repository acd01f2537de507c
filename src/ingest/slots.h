#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// The slots of a consumer that one worker holds: its own, and those that no process could be started for, until one
/// can. Session locks stand for them.
class Slots {
 public:
  Slots(ConsumerId consumer, int own) : consumer_(consumer), own_(own) {}

  int own() const noexcept { return own_; }
  const std::vector<int>& held() const noexcept { return held_; }
  /// Whether the partition is this worker's.
  bool take(const Consumer& consumer, int32_t partition) const noexcept;

  /// False: another worker has it.
  bool take_own();
  /// Gives all back; for those of others a worker is started.
  void leave(const Consumer& consumer);

  /// Looks now and then, in a transaction of its own, whether slots are to change hands.
  bool should_change(const Consumer& consumer);
  /// Has them change hands, where should_change said so or the consumer is another one now. Between sessions.
  void change(const Consumer& consumer);

 private:
  using Clock = std::chrono::steady_clock;

  void look(const Consumer& consumer);
  bool try_to_return(const Consumer& consumer);
  void release(int slot);
  void start_successors(const Consumer& consumer) const;

  ConsumerId consumer_;
  int own_;
  std::vector<int> held_;                        ///< its own first
  std::map<int, Clock::time_point> free_since_;  ///< of slots that nobody holds
  std::vector<int> returned_;                    ///< held slots for which another worker has been started
  Clock::time_point next_look_{};
  Clock::time_point next_return_{};
};

}  // namespace kafka_fdw::ingest
