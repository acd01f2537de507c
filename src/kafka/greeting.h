#pragma once

#include <atomic>
#include <cstdint>

#include "kafka/queries.h"

namespace kafka_fdw::kafka {

/// How a listener answers a client that speaks Kafka's protocol without TLS. librdkafka knows too, but tells it in
/// words that differ between its versions, or not at all.
enum class Greeting : uint8_t {
  none,        ///< nobody has been greeted, or has answered yet
  welcome,     ///< it speaks Kafka's protocol as this client does
  wants_sasl,  ///< it does, but wants to know who we are first
  hung_up,     ///< it closed the connection: as a listener for TLS does
  tls,         ///< it answered in TLS
  other        ///< it answered in no protocol that we know
};

/// Greets the listener at the other end of a connected socket that does not block. sasl: the client would log in.
/// Returns early when nobody waits for the answer any more.
Greeting greet(int socket, bool sasl, const Deadline& deadline, const std::atomic<bool>& abandoned);

}  // namespace kafka_fdw::kafka
