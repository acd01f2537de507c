#include "ingest/stream_wait.h"

#include "pg/wait.h"

namespace kafka_fdw::ingest {

namespace {

constexpr std::chrono::milliseconds between_attempts{20};
constexpr std::chrono::seconds told_after{1};

}  // namespace

void StreamWait::wait(const Consumer& consumer) {
  const auto now = Clock::now();
  if (!is_waiting()) since_ = now;
  if (now - since_ >= told_after) tell_state(consumer);
  pg::wait_latch(between_attempts);
}

/// Each time: a session that begins meanwhile has another state.
void StreamWait::tell_state(const Consumer& consumer) const {
  Failure failure;
  failure.failure_class = FailureClass::transient;
  failure.sqlstate = "55P03";
  failure.message = "the stream " + consumer.stream_name + " is locked by another transaction";
  failure.hint = "pg_locks shows who holds it.";
  status_.set(WorkerState::backoff, &failure);
}

}  // namespace kafka_fdw::ingest
