#pragma once

#include <algorithm>

#include "kafka/helper_thread.h"
#include "kafka/queries.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

/// Repeats attempt(timeout_ms) until it returns no error. What waiting does not mend is left to `give_up(class,
/// error)`. A call of librdkafka cannot be interrupted, so the first attempts are short, for the sake of a client that
/// is to go; they grow, so that a slow broker is given the time it needs.
template <class Attempt, class GiveUp>
void insist(Deadline deadline, const std::stop_token& stop, Attempt attempt, GiveUp give_up) {
  constexpr auto between_attempts = std::chrono::milliseconds(50);
  for (int patience_ms = 250;; patience_ms = std::min(2 * patience_ms, 60000)) {
    rd_kafka_resp_err_t error = attempt(std::min(patience_ms, deadline.remaining_ms()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (auto error_class = permanent_class(error)) give_up(*error_class, error);
    if (stop.stop_requested() || deadline.remaining_ms() <= between_attempts.count()) {
      bool own_timeout = error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT;
      throw Unanswered{own_timeout ? "" : rd_kafka_err2str(error)};
    }
    pause(stop, between_attempts);
  }
}

/// The error of a topic that waiting does not mend.
[[noreturn]] void throw_for_topic(ErrorClass error_class, const std::string& topic, rd_kafka_resp_err_t error);

}  // namespace kafka_fdw::kafka
