#pragma once

#include <vector>

#include "ingest/consumer.h"

extern "C" {
#include "access/transam.h"
}

namespace kafka_fdw::ingest {

/// What a worker process is told by the one that registers it.
struct WorkerArguments {
  Oid database;
  Oid role;
  ConsumerId consumer;
  int slot;
  bool is_successor;           ///< of a worker that is about to give the slot up
  FullTransactionId begun_by;  ///< the transaction to wait for; invalid: none
};

/// Has workers for all slots of the consumer started when the current transaction commits; forgotten when its
/// (sub)transaction aborts. A slot that has a worker already keeps it; for those named as running none is started.
void start_workers_at_commit(const Consumer& consumer, const std::vector<int>& running = {});

/// Slots that a worker process of the consumer's owner holds. Looking takes no lock: a worker that found its slot
/// locked would end.
std::vector<int> running_slots(pg::Spi& spi, const Consumer& consumer);

/// Registers a worker with the postmaster. False: none of max_worker_processes is free. In a guard.
bool register_worker(const WorkerArguments& arguments);

/// The same for all slots of the consumer but those that are running; those that find no process are queued for the
/// launcher. False: there are such.
bool register_workers(const Consumer& consumer, const std::vector<int>& running);

/// For a slot that its holder is about to give up. False: no process is free.
bool register_successor(const Consumer& consumer, int slot);

/// A worker's life, in its process, connected to its database. Gives the exit code: 0 ends it, 1 has the postmaster
/// start it again.
int run_worker(const WorkerArguments& arguments);

}  // namespace kafka_fdw::ingest
