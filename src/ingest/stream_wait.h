#pragma once

#include <chrono>

#include "ingest/status.h"

namespace kafka_fdw::ingest {

/// How a worker waits for a stream that somebody else has locked: without a place in the queue of the lock, so that who
/// has it, or waits for it, may come to wait for the worker. Kept from one session to the next.
class StreamWait {
 public:
  explicit StreamWait(Status& status) : status_(status) {}

  void wait(const Consumer& consumer);
  void end() noexcept { since_ = {}; }
  bool is_waiting() const noexcept { return since_ != Clock::time_point{}; }

 private:
  using Clock = std::chrono::steady_clock;

  void tell_state(const Consumer& consumer) const;

  Status& status_;
  Clock::time_point since_{};
};

}  // namespace kafka_fdw::ingest
