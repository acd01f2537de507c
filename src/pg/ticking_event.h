#pragma once

#include <chrono>

namespace kafka_fdw::pg {

/// A descriptor that is readable while another one is, and for a moment again and again: for those who wait for it in
/// a way that has no time limit.
class TickingEvent {
 public:
  /// The other descriptor must outlive the event. Throws std::system_error.
  TickingEvent(int descriptor, std::chrono::milliseconds interval);
  ~TickingEvent();
  TickingEvent(const TickingEvent&) = delete;
  TickingEvent& operator=(const TickingEvent&) = delete;

  int descriptor() const noexcept { return set_; }
  void drain() const noexcept;  ///< not readable any more until the next tick, but for the other descriptor

 private:
  int set_;
  int timer_;
};

}  // namespace kafka_fdw::pg
