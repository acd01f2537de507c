#pragma once

namespace kafka_fdw::kafka {

/// What holds a client handle, and may block while it is destroyed: outstanding requests are waited for. The reaper
/// destroys such things on its thread.
class Reapable {
 public:
  Reapable() = default;
  virtual ~Reapable() = default;
  Reapable(const Reapable&) = delete;
  Reapable& operator=(const Reapable&) = delete;
};

}  // namespace kafka_fdw::kafka
