#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "kafka/client.h"
#include "kafka/reapable.h"

namespace kafka_fdw::kafka {

/// A client that is leased to one user alone. Goes to the reaper unless it is given back: an error or a cancel just
/// drops the lease.
class Lease {
 public:
  Lease(std::string key, std::unique_ptr<Client> client);
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();
  Client& client() const noexcept { return *client_; }
  void give_back() noexcept;  ///< to the pool, healthy and without assignment; the lease is empty afterwards

 private:
  std::string key_;
  std::unique_ptr<Client> client_;
  uint64_t generation_;  ///< of the pool when it was leased: after a drop_all it is not kept any more
};

/// Idle clients of this process by a key that says all that makes two clients alike. Lives as long as the process; used
/// by its main thread.
class Pool {
 public:
  static Pool& instance();
  /// An idle client with that key, or a new one.
  Lease lease(const std::string& key, const Properties& properties);
  void drop_all() noexcept;  ///< after ALTER SERVER or a user mapping change: those leased now are not kept either
  void set_idle_limit(std::chrono::milliseconds limit) noexcept;  ///< clients unused for that long go; 60 s
  size_t idle_clients() const noexcept;

 private:
  Pool() = default;
};

/// Destroys what holds clients on a thread of its own, as that may block.
class Reaper {
 public:
  static void destroy(std::unique_ptr<Reapable> holder) noexcept;
  /// Waits until all that was given is destroyed, or the time is over: for a process's end and for tests.
  static bool drain(std::chrono::milliseconds timeout) noexcept;
};

/// Client handles alive in this process, those with the reaper included: for tests of leaks.
size_t live_clients() noexcept;

}  // namespace kafka_fdw::kafka
