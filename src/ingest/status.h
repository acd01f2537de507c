#pragma once

#include <array>
#include <chrono>
#include <map>

#include "ingest/failure.h"
#include "ingest/slots.h"
#include "ingest/step.h"

namespace kafka_fdw::ingest {

/// waiting → starting → connecting → running ⇄ idle; any → backoff → connecting; any → error; any → stopped.
///   waiting     for the topic, or for a place among kafka_fdw.max_workers
///   backoff     something transient went wrong, it is tried again by itself
///   error       a person must do something
///   finished    everything up to the consumer's `until` is taken
enum class WorkerState : uint8_t { waiting, starting, connecting, running, idle, backoff, error, finished, stopped };

/// A worker's row of pipeline_kafka_workers. Every change of state is written, and logged once, in a transaction of its
/// own; counters and ends of the log at most once a second.
class Status {
 public:
  Status(ConsumerId consumer, const Slots& slots) : consumer_(consumer), slots_(slots) {}

  void set(WorkerState state, const Failure* reason = nullptr);
  WorkerState state() const noexcept { return state_; }

  /// A line in the server's log.
  void log(const std::string& line) const;

  void note_batch(int64_t messages, const Applier::Way& way);
  /// Logs them, at most once a second.
  void note_rejections(const Consumer& consumer, const Rejections& rejections);
  void note_end(std::pair<int32_t, int32_t> place, int64_t end_offset) { ends_[place] = end_offset; }
  /// Writes what was noted, if a second has passed since the last time and something changed.
  void refresh(const Consumer& consumer);

 private:
  using Clock = std::chrono::steady_clock;
  void write(const Failure* reason);
  void log_change(const Failure* reason) const;
  double rate() const;
  pg::Param slots() const;

  ConsumerId consumer_;
  const Slots& slots_;
  WorkerState state_ = WorkerState::stopped;
  std::string last_reason_;
  Offsets ends_;
  Offsets written_ends_;
  Applier::Way way_;  ///< of the last batch, if there was one
  bool has_applied_ = false;
  bool dirty_ = false;
  bool committed_ = false;
  Clock::time_point refreshed_{};
  Clock::time_point rejections_logged_{};
  int64_t unlogged_rejections_ = 0;
  Clock::time_point started_ = Clock::now();
  /// Messages per second of the last minute, by the second's number modulo 60.
  struct Second {
    int64_t number = -1;
    int64_t messages = 0;
  };
  std::array<Second, 60> seconds_{};
};

const char* name_of(WorkerState state);

}  // namespace kafka_fdw::ingest
