#include "ingest/fence.h"

#include "ingest/state.h"

extern "C" {
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/inval.h"
}

namespace kafka_fdw::ingest {

namespace {

LOCKTAG object_lock(Oid database, Oid object_class, Oid object, int sub_object) {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, database, object_class, object, static_cast<uint16>(sub_object));
  return tag;
}

LOCKTAG consumer_lock(ConsumerId id, int sub_object) {
  return object_lock(MyDatabaseId, extension().consumers, static_cast<Oid>(id), sub_object);
}

/// In a guard: whether the lock was to be had at once.
bool try_lock(const LOCKTAG& tag, LOCKMODE mode) {
  return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/// A lock for the life of the process. Of the two lock methods only the user locks' keeps session locks over an aborted
/// transaction, and gives them back where a process ends outside of one.
LOCKTAG session_lock(LOCKTAG tag) {
  tag.locktag_lockmethodid = USER_LOCKMETHOD;
  return tag;
}

LOCKTAG slot_lock(ConsumerId id, int slot) { return session_lock(consumer_lock(id, slot + 1)); }

LOCKTAG place_lock(int place) {
  return session_lock(object_lock(InvalidOid, ExtensionRelationId, static_cast<Oid>(place), 1));
}

/// This process's.
int held_place = -1;

/// In a guard.
bool try_session_lock(const LOCKTAG& tag) {
  return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

}  // namespace

void lock_consumer_exclusively(ConsumerId id) {
  const LOCKTAG tag = consumer_lock(id, 0);
  pg::call([&] {
    PreventCommandDuringRecovery("changes of Kafka consumers");
    (void)LockAcquire(&tag, AccessExclusiveLock, false, false);
    AcceptInvalidationMessages();
  });
}

bool try_lock_consumer_shared(ConsumerId id) {
  const LOCKTAG tag = consumer_lock(id, 0);
  return pg::call([&] {
    if (!try_lock(tag, AccessShareLock)) return false;
    AcceptInvalidationMessages();
    return true;
  });
}

bool holds_fence(pg::Spi& spi, const Consumer& consumer) {
  return try_lock_consumer_shared(consumer.id) &&
         run_as_owner(spi,
                      "SELECT FROM $S.pipeline_kafka_consumers "
                      "WHERE id = $1 AND epoch = $2 AND enabled AND owner = session_user",
                      {pg::Param::int8(consumer.id), pg::Param::int8(consumer.epoch)})
                 .processed() == 1;
}

void lock_stream(Oid stream) {
  pg::call([&] { LockRelationOid(stream, RowExclusiveLock); });
}

bool try_lock_stream(Oid stream) {
  return pg::call([&] { return ConditionalLockRelationOid(stream, RowExclusiveLock); });
}

bool try_lock_slot(ConsumerId id, int slot) {
  const LOCKTAG tag = slot_lock(id, slot);
  return pg::call([&] { return try_session_lock(tag); });
}

void unlock_slot(ConsumerId id, int slot) {
  const LOCKTAG tag = slot_lock(id, slot);
  pg::call([&] { (void)LockRelease(&tag, ExclusiveLock, true); });
}

bool try_lock_worker_place(int places) {
  return pg::call([&] {
    for (int place = 0; place < places; ++place)
      if (try_session_lock(place_lock(place))) {
        held_place = place;
        return true;
      }
    return false;
  });
}

bool has_free_worker_place(int places) {
  return places < 0 || pg::call([&] {
           for (int place = 0; place < places; ++place) {
             const LOCKTAG tag = place_lock(place);
             if (place == held_place || !try_session_lock(tag)) continue;
             (void)LockRelease(&tag, ExclusiveLock, true);
             return true;
           }
           return false;
         });
}

}  // namespace kafka_fdw::ingest
