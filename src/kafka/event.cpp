#include "kafka/event.h"

#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace kafka_fdw::kafka {
namespace {

constexpr uint64_t one = 1;  // what an eventfd takes

}  // namespace

Event::Event() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "could not make an event descriptor");
}

Event::~Event() { close(descriptor_); }

void Event::signal() const noexcept {
  // Fails only when the counter is full, and then the descriptor is readable anyway.
  [[maybe_unused]] auto written = write(descriptor_, &one, sizeof(one));
}

void Event::drain() const noexcept {
  uint64_t count;
  [[maybe_unused]] auto taken = read(descriptor_, &count, sizeof(count));
}

void Event::watch(rd_kafka_queue_s* queue) const noexcept {
  rd_kafka_queue_io_event_enable(queue, descriptor_, &one, sizeof(one));
}

void Event::unwatch(rd_kafka_queue_s* queue) noexcept { rd_kafka_queue_io_event_enable(queue, -1, nullptr, 0); }

}  // namespace kafka_fdw::kafka
