#include "ingest/surroundings.h"

#include <algorithm>
#include <array>

#include "ingest/state.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace kafka_fdw::ingest {

namespace {

constexpr int look_interval_ms = 1000;

/// In shared memory, and there as long as this process holds the lock; null: not held.
std::array<const volatile LOCK*, 2> held{};

/// A leaf: null where the lock is not to be had at once.
const LOCK* try_lock(Oid database, Oid object_class, Oid object, LOCKMODE mode) {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, database, object_class, object, 0);
  return pg::try_lock(tag, mode);
}

/// In a signal handler: reads, and raises flags.
void look() {
  if (!are_surroundings_wanted()) return;
  QueryCancelPending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

TimeoutId timeout() {
  static const TimeoutId id = pg::call([] { return RegisterTimeout(USER_TIMEOUT, look); });
  return id;
}

}  // namespace

void lock_surroundings() {
  held = {};
  const Oid own = find_extension().oid;
  held[0] = pg::call([] { return try_lock(InvalidOid, DatabaseRelationId, MyDatabaseId, RowExclusiveLock); });
  if (held[0] == nullptr) throw Surrounded{};
  if (own == InvalidOid) return;
  held[1] = pg::call([&] { return try_lock(MyDatabaseId, ExtensionRelationId, own, AccessShareLock); });
  if (held[1] == nullptr) throw Surrounded{};
}

bool are_surroundings_wanted() noexcept {
  return std::ranges::any_of(held, [](const volatile LOCK* lock) { return lock != nullptr && lock->waitMask != 0; });
}

SurroundingsWatch::SurroundingsWatch() {
  const TimeoutId id = timeout();
  pg::call([&] {
    enable_timeout_every(id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), look_interval_ms), look_interval_ms);
  });
}

SurroundingsWatch::~SurroundingsWatch() {
  if (get_timeout_active(timeout())) disable_timeout(timeout(), false);
  held = {};  // an abort gives the locks back
}

}  // namespace kafka_fdw::ingest
