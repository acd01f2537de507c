#include "ingest/launcher.h"

#include <cstring>
#include <vector>

#include "ingest/consumer.h"
#include "ingest/state.h"
#include "ingest/transaction.h"
#include "ingest/unstarted.h"
#include "ingest/worker.h"
#include "module.h"
#include "pg/wait.h"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void kafka_fdw_launcher_main(Datum argument);
PGDLLEXPORT void kafka_fdw_starter_main(Datum database);
}

/// After a start, a crash of the whole server, or a promotion, the launcher goes through the databases and has a
/// starter look into each for enabled consumers. Workers that are registered then are the postmaster's to restart.
/// After that it sleeps until there are workers for which no process was free.
namespace kafka_fdw::ingest {

namespace {

constexpr int launcher_restart_seconds = 5;
constexpr std::chrono::seconds retry_interval{1};
/// Between two attempts to find processes for workers that wait.
constexpr std::chrono::seconds unstarted_interval{5};
constexpr std::chrono::hours as_long_as_it_takes{1};

BackgroundWorker describe(const char* type, const char* function, int restart_seconds) {
  BackgroundWorker worker;
  std::memset(&worker, 0, sizeof(worker));
  strlcpy(worker.bgw_name, type, BGW_MAXLEN);
  strlcpy(worker.bgw_type, type, BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = restart_seconds;
  strlcpy(worker.bgw_library_name, "kafka_fdw", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
  return worker;
}

void accept_signals() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
}

std::vector<Oid> connectable_databases() {
  std::vector<Oid> databases;
  Transaction transaction;
  Relation relation = pg::call([] { return table_open(DatabaseRelationId, AccessShareLock); });
  TableScanDesc scan = pg::call([&] { return table_beginscan_catalog(relation, 0, nullptr); });
  while (HeapTuple tuple = pg::call([&] { return heap_getnext(scan, ForwardScanDirection); })) {
    const auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    if (database->datallowconn && !database->datistemplate) databases.push_back(database->oid);
  }
  pg::call([&] {
    table_endscan(scan);
    table_close(relation, AccessShareLock);
  });
  transaction.commit();
  return databases;
}

/// Runs a starter in the database to its end. It waits for a free worker process as long as it takes.
void start_consumers_of(Oid database) {
  BackgroundWorker worker = describe("kafka starter", "kafka_fdw_starter_main", BGW_NEVER_RESTART);
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle* handle = nullptr;
  while (!pg::call([&] { return RegisterDynamicBackgroundWorker(&worker, &handle); })) pg::wait_latch(retry_interval);
  pg::call([&] {
    if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED) proc_exit(1);
  });
}

/// Whether nobody waits any more.
bool start_queued() {
  while (const auto worker = next_unstarted()) {
    if (!pg::call([&] { return register_worker(*worker); })) return false;
    drop_next_unstarted();
  }
  return true;
}

/// The launcher's life, which the end of the server ends.
[[noreturn]] void launch() {
  watch_unstarted();
  if (settings.autostart)
    for (const Oid database : connectable_databases()) start_consumers_of(database);
  for (;;) pg::wait_latch(start_queued() ? as_long_as_it_takes : unstarted_interval);
}

std::vector<Consumer> enabled_consumers() {
  std::vector<Consumer> consumers;
  Transaction transaction;
  if (find_extension().oid != InvalidOid) {
    pg::Spi spi;
    std::vector<ConsumerId> ids;
    const pg::Rows rows =
        run_as_owner(spi, "SELECT id FROM $S.pipeline_kafka_consumers WHERE enabled AND parallelism > 0 ORDER BY id");
    for (size_t row = 0; row < rows.size(); ++row) ids.push_back(*rows.integer(row, 1));
    for (const ConsumerId id : ids)
      if (auto consumer = load_consumer(spi, id)) consumers.push_back(*consumer);
  }
  transaction.commit();
  return consumers;
}

/// Raises where a role is gone: that consumer alone stays down.
void start(const Consumer& consumer) {
  std::vector<int> running;
  {
    pg::Spi spi;
    running = running_slots(spi, consumer);
  }
  const auto id = static_cast<long long>(consumer.id);
  if (!consumer.at_home) {
    pg::call([&] {
      ereport(WARNING, (errmsg("consumer %lld was begun in another database and is not started", id),
                        errhint("Call kafka_consume_begin() to start it here.")));
    });
    return;
  }
  if (!register_workers(consumer, running))
    pg::call([&] {
      ereport(LOG, (errmsg("there is no free worker process for consumer %lld, which waits for one", id),
                    errhint("Raise max_worker_processes.")));
    });
}

void start_all() {
  for (const Consumer& consumer : enabled_consumers()) {
    try {
      Transaction transaction;
      start(consumer);
      transaction.commit();
    } catch (const pg::Error& error) {
      pg::call([&] {
        ereport(WARNING, (errmsg("consumer %lld is not started: %s", static_cast<long long>(consumer.id),
                                 error.data()->message)));
      });
    }
  }
}

}  // namespace

void register_launcher() {
  reserve_unstarted();
  BackgroundWorker worker = describe("kafka launcher", "kafka_fdw_launcher_main", launcher_restart_seconds);
  RegisterBackgroundWorker(&worker);
}

}  // namespace kafka_fdw::ingest

void kafka_fdw_launcher_main(Datum) {
  using namespace kafka_fdw;
  pg::entry([] {
    pg::call([] {
      ingest::accept_signals();
      BackgroundWorkerInitializeConnectionByOid(InvalidOid, InvalidOid, 0);
    });
    ingest::launch();
  });
  proc_exit(0);
}

void kafka_fdw_starter_main(Datum database) {
  using namespace kafka_fdw;
  pg::entry([database] {
    pg::call([database] {
      ingest::accept_signals();
      BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
    });
    ingest::start_all();
  });
  proc_exit(0);
}
