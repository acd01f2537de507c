#include "pg/ticking_event.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace kafka_fdw::pg {

namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

void add(int set, int descriptor) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  checked(epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

timespec timespec_of(std::chrono::milliseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
}

}  // namespace

TickingEvent::TickingEvent(int descriptor, std::chrono::milliseconds interval)
    : set_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), timer_(-1) {
  try {
    timer_ = checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
    const itimerspec times{.it_interval = timespec_of(interval), .it_value = timespec_of(interval)};
    checked(timerfd_settime(timer_, 0, &times, nullptr), "timerfd_settime");
    add(set_, timer_);
    add(set_, descriptor);
  } catch (...) {
    if (timer_ >= 0) close(timer_);
    close(set_);
    throw;
  }
}

TickingEvent::~TickingEvent() {
  close(set_);
  close(timer_);
}

void TickingEvent::drain() const noexcept {
  uint64_t ticks = 0;
  [[maybe_unused]] const auto taken = read(timer_, &ticks, sizeof(ticks));
}

}  // namespace kafka_fdw::pg
