#pragma once

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// The heavyweight locks that stand for a consumer: object locks of class pipeline_kafka_consumers, object = id.
/// Sub-object 0 is the fence between its workers' commits and whoever changes it; sub-object slot + 1 is a worker's
/// slot.

/// The fence of a worker, last in its transaction: the lock, and whether the consumer is still as it was loaded. False:
/// roll back. For where no plan of it is kept.
bool holds_fence(pg::Spi& spi, const Consumer& consumer);

/// Thrown where the stream is locked by somebody else: a worker waits for it without holding anything.
struct StreamLocked {};

/// Until the end of the transaction, as who writes to it. For end, drop, seek and the like: taken before the consumer's
/// lock, never after, so that a session which holds the stream can still come to the consumer.
void lock_stream(Oid stream);

/// Whether rows can be written to the stream now: nobody holds it, or waits for it, with a lock that conflicts. Until
/// the end of the transaction.
bool try_lock_stream(Oid stream);

/// Until the end of the transaction; waits for commits in flight, fairly queued. For end, drop, seek, a changing begin,
/// once.
void lock_consumer_exclusively(ConsumerId id);

/// For a worker, last in its transaction: never waits. False: somebody changes the consumer, roll back.
bool try_lock_consumer_shared(ConsumerId id);

/// For the life of the process (session lock): at most one worker per slot. False: there is one.
bool try_lock_slot(ConsumerId id, int slot);
void unlock_slot(ConsumerId id, int slot);

/// For the life of the process: one of so many places that the workers of the whole server share
/// (kafka_fdw.max_workers).
bool try_lock_worker_place(int places);
/// Whether one was free just now.
bool has_free_worker_place(int places);

}  // namespace kafka_fdw::ingest
