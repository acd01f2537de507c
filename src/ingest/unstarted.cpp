#include "ingest/unstarted.h"

#include "pg/boundary.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
}

namespace kafka_fdw::ingest {

namespace {

/// No server has more worker processes.
constexpr uint64 capacity = 1024;

struct Shared {
  slock_t mutex;
  Latch* launcher;  ///< null: there is none just now
  uint64 first;     ///< of all that ever were queued
  uint64 end;
  WorkerArguments queue[capacity];  ///< number n at n % capacity
};

Shared* shared = nullptr;
shmem_request_hook_type next_request = nullptr;
shmem_startup_hook_type next_startup = nullptr;

void request() {
  if (next_request != nullptr) next_request();
  RequestAddinShmemSpace(sizeof(Shared));
}

/// In the postmaster, and again after a crash of the whole server.
void startup() {
  if (next_startup != nullptr) next_startup();
  bool found = false;
  shared = static_cast<Shared*>(ShmemInitStruct("kafka_fdw unstarted consumers", sizeof(Shared), &found));
  if (found) return;
  SpinLockInit(&shared->mutex);
  shared->launcher = nullptr;
  shared->first = shared->end = 0;
}

void stop_watching(int, Datum) {
  SpinLockAcquire(&shared->mutex);
  shared->launcher = nullptr;
  SpinLockRelease(&shared->mutex);
}

bool is_same(const WorkerArguments& a, const WorkerArguments& b) noexcept {
  return a.database == b.database && a.role == b.role && a.consumer == b.consumer && a.slot == b.slot;
}

/// Holding the mutex.
bool add(const WorkerArguments& worker) noexcept {
  for (uint64 number = shared->first; number != shared->end; ++number)
    if (is_same(shared->queue[number % capacity], worker)) return true;
  if (shared->end - shared->first == capacity) return false;
  shared->queue[shared->end++ % capacity] = worker;
  return true;
}

}  // namespace

void reserve_unstarted() {
  next_request = shmem_request_hook;
  shmem_request_hook = request;
  next_startup = shmem_startup_hook;
  shmem_startup_hook = startup;
}

bool queue_unstarted(const WorkerArguments& worker) noexcept {
  if (shared == nullptr) return false;
  SpinLockAcquire(&shared->mutex);
  const bool added = add(worker);
  Latch* launcher = shared->launcher;
  SpinLockRelease(&shared->mutex);
  if (launcher != nullptr) SetLatch(launcher);
  return added;
}

void watch_unstarted() {
  SpinLockAcquire(&shared->mutex);
  shared->launcher = &MyProc->procLatch;
  SpinLockRelease(&shared->mutex);
  pg::call([] { before_shmem_exit(stop_watching, 0); });
}

std::optional<WorkerArguments> next_unstarted() noexcept {
  std::optional<WorkerArguments> next;
  SpinLockAcquire(&shared->mutex);
  if (shared->first != shared->end) next = shared->queue[shared->first % capacity];
  SpinLockRelease(&shared->mutex);
  return next;
}

void drop_next_unstarted() noexcept {
  SpinLockAcquire(&shared->mutex);
  if (shared->first != shared->end) ++shared->first;
  SpinLockRelease(&shared->mutex);
}

}  // namespace kafka_fdw::ingest
