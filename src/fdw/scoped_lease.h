#pragma once

#include "fdw/connection.h"

extern "C" {
#include "utils/memutils.h"
}

namespace kafka_fdw::fdw {

/// A lease for a scope. A memory context of the transaction owns it: a process that is terminated while it waits for a
/// broker exits without unwinding, but ends its transaction, and the client's threads must not run on meanwhile.
class ScopedLease {
 public:
  explicit ScopedLease(const Connection& connection)
      : context_(pg::call(
            [] { return AllocSetContextCreate(CurTransactionContext, "kafka_fdw lease", ALLOCSET_SMALL_SIZES); })) {
    try {
      lease_ = &pg::make_owned<kafka::Lease>(context_, lease_client(connection));
    } catch (...) {
      MemoryContextDelete(context_);
      throw;
    }
  }
  ~ScopedLease() { MemoryContextDelete(context_); }
  ScopedLease(const ScopedLease&) = delete;
  ScopedLease& operator=(const ScopedLease&) = delete;

  kafka::Client& client() const noexcept { return lease_->client(); }
  void give_back() noexcept { lease_->give_back(); }

  /// What is made in it goes before the client does.
  MemoryContext context() const noexcept { return context_; }

 private:
  MemoryContext context_;
  kafka::Lease* lease_ = nullptr;
};

}  // namespace kafka_fdw::fdw
