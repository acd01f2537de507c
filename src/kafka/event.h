#pragma once

struct rd_kafka_queue_s;

namespace kafka_fdw::kafka {

/// A file descriptor that is readable from the time it is signalled until it is drained. Signals come from any thread.
class Event {
 public:
  Event();  ///< throws std::system_error
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  void signal() const noexcept;
  void drain() const noexcept;

  /// A queue that is watched signals when something comes into it after it was last polled. Unwatch it before either
  /// goes.
  void watch(rd_kafka_queue_s* queue) const noexcept;
  static void unwatch(rd_kafka_queue_s* queue) noexcept;

 private:
  int descriptor_;
};

}  // namespace kafka_fdw::kafka
