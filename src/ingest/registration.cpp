#include <algorithm>
#include <cstring>

#include "ingest/launcher.h"
#include "ingest/state.h"
#include "ingest/unstarted.h"
#include "ingest/worker.h"
#include "module.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
}

namespace kafka_fdw::ingest {

bool register_worker(const WorkerArguments& arguments) {
  BackgroundWorker worker;
  std::memset(&worker, 0, sizeof(worker));
  snprintf(worker.bgw_name, BGW_MAXLEN, "kafka consumer %lld worker %d", static_cast<long long>(arguments.consumer),
           arguments.slot);
  strlcpy(worker.bgw_type, "kafka consumer", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = std::max(1, settings.restart_interval_ms / 1000);
  strlcpy(worker.bgw_library_name, "kafka_fdw", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, "kafka_fdw_worker_main", sizeof(worker.bgw_function_name));
  static_assert(sizeof(arguments) <= BGW_EXTRALEN);
  std::memcpy(worker.bgw_extra, &arguments, sizeof(arguments));
  return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

namespace {

/// A consumer whose workers start when the transaction commits.
struct Pending {
  ConsumerId consumer;
  std::vector<int> slots;
  Oid role;
  SubTransactionId subtransaction;
};

std::vector<Pending>& pending() {
  static auto& list = *new std::vector<Pending>;
  return list;
}

Oid role_of(const Consumer& consumer) {
  return pg::call([&] { return get_role_oid(consumer.owner.c_str(), false); });
}

std::vector<int> slots_without(const Consumer& consumer, const std::vector<int>& running) {
  std::vector<int> slots;
  for (int slot = 0; slot < consumer.parallelism; ++slot)
    if (std::ranges::find(running, slot) == running.end()) slots.push_back(slot);
  return slots;
}

/// What became of a request for worker processes.
enum class Registered : uint8_t { all, some_wait, some_never };

Registered register_slots(const Pending& consumer, FullTransactionId begun_by) {
  Registered result = Registered::all;
  for (const int slot : consumer.slots) {
    const WorkerArguments worker{.database = MyDatabaseId,
                                 .role = consumer.role,
                                 .consumer = consumer.consumer,
                                 .slot = slot,
                                 .is_successor = false,
                                 .begun_by = begun_by};
    if (register_worker(worker)) continue;
    result = std::max(result, queue_unstarted(worker) ? Registered::some_wait : Registered::some_never);
  }
  return result;
}

/// Before the commit, as an error while committing is a PANIC; the workers wait for the transaction.
void register_pending() {
  if (pending().empty()) return;
  const FullTransactionId transaction = GetTopFullTransactionId();
  for (const Pending& consumer : pending()) {
    const Registered result = register_slots(consumer, transaction);
    if (result == Registered::all) continue;
    ereport(
        WARNING,
        (errmsg("there is no free worker process for consumer %lld", static_cast<long long>(consumer.consumer)),
         result == Registered::some_wait ? errhint("It waits for one. max_worker_processes says how many there are.")
                                         : errhint("Raise max_worker_processes and call kafka_consume_begin again.")));
  }
}

void at_transaction_end(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      register_pending();
      pending().clear();
      return;
    case XACT_EVENT_PRE_PREPARE:
      if (!pending().empty())
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot PREPARE a transaction that begins a Kafka consumer")));
      return;
    case XACT_EVENT_ABORT:
      pending().clear();
      return;
    default:
      return;
  }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void*) {
  if (event == SUBXACT_EVENT_ABORT_SUB)
    std::erase_if(pending(), [own](const Pending& consumer) { return consumer.subtransaction == own; });
  if (event == SUBXACT_EVENT_COMMIT_SUB)
    for (Pending& consumer : pending())
      if (consumer.subtransaction == own) consumer.subtransaction = parent;
}

void register_callbacks() {
  static bool registered = false;
  if (registered) return;
  pg::call([] {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
  });
  registered = true;
}

}  // namespace

void start_workers_at_commit(const Consumer& consumer, const std::vector<int>& running) {
  register_callbacks();
  // One that an outer transaction asked for stays: this subtransaction may be rolled back. Of two workers of one slot
  // the second finds the slot taken and ends.
  const SubTransactionId own = GetCurrentSubTransactionId();
  std::erase_if(pending(), [&](const Pending& other) {
    return other.consumer == consumer.id && other.subtransaction == own && running.empty();
  });
  pending().push_back({consumer.id, slots_without(consumer, running), role_of(consumer), own});
}

std::vector<int> running_slots(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows =
      run_as_owner(spi, R"(
      SELECT l.objsubid::int - 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock' AND l.objsubid > 0
         AND l.database = $1 AND l.classid = $2 AND l.objid = $3 AND a.usesysid = $4)",
                   {pg::Param::oid(MyDatabaseId), pg::Param::oid(extension().consumers),
                    pg::Param::oid(static_cast<Oid>(consumer.id)), pg::Param::oid(role_of(consumer))});
  std::vector<int> slots;
  for (size_t row = 0; row < rows.size(); ++row) slots.push_back(static_cast<int>(*rows.integer(row, 1)));
  return slots;
}

bool register_workers(const Consumer& consumer, const std::vector<int>& running) {
  const Pending missing{consumer.id, slots_without(consumer, running), role_of(consumer), InvalidSubTransactionId};
  return pg::call([&] { return register_slots(missing, InvalidFullTransactionId); }) == Registered::all;
}

bool register_successor(const Consumer& consumer, int slot) {
  const WorkerArguments arguments{.database = MyDatabaseId,
                                  .role = role_of(consumer),
                                  .consumer = consumer.id,
                                  .slot = slot,
                                  .is_successor = true,
                                  .begun_by = InvalidFullTransactionId};
  return pg::call([&] { return register_worker(arguments); });
}

}  // namespace kafka_fdw::ingest
