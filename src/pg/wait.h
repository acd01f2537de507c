#pragma once

#include <chrono>

#include "kafka/client.h"
#include "pg/boundary.h"

namespace kafka_fdw::pg {

using Clock = std::chrono::steady_clock;

/// Raises where somebody has asked for a cancel or the process's end. For work of some length that waits for nothing.
void check_interrupts();

/// Waits until the descriptor is readable, the process latch is set, or the time is over; whichever it was, the caller
/// looks again. Raises on cancel and termination; the process exits if the postmaster dies.
void wait_readable(int descriptor, std::chrono::milliseconds timeout);

/// As wait_readable, for the latch and the time alone.
void wait_latch(std::chrono::milliseconds timeout);

/// Waits for an answer of the client. Throws kafka::Error: the call's own, or what serve_errors finds hopeless before.
template <class T>
T await(kafka::Client& client, kafka::Pending<T> pending) {
  for (;;) {
    client.drain_events();
    client.serve_errors();
    if (pending.ready()) return pending.take();
    wait_readable(client.event_descriptor(), std::chrono::seconds(1));
  }
}

}  // namespace kafka_fdw::pg
