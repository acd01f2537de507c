#include <cstring>
#include <filesystem>
#include <utility>

#include "ingest/transaction.h"
#include "ingest/worker.h"
#include "kafka/pool.h"
#include "pg/compat.h"

extern "C" {
#include "access/xact.h"
#include "common/relpath.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

PGDLLEXPORT void kafka_fdw_worker_main(Datum argument);
}

namespace kafka_fdw::ingest {

namespace {

constexpr std::chrono::seconds drain_time{1};

/// What the role or the database may have set otherwise, and a worker depends on.
constexpr const char* pinned_settings[][2] = {{"default_transaction_isolation", "read committed"},
                                              {"default_transaction_deferrable", "off"},
                                              {"max_parallel_workers_per_gather", "0"},
                                              {"session_replication_role", "origin"}};

/// Whether the database still has files. A worker that connected to a dropped one would fail, and be started again, for
/// ever.
bool database_exists(Oid database) {
  const std::string name = std::to_string(database);
  std::error_code error;
  if (std::filesystem::exists("base/" + name, error)) return true;
  for (const auto& tablespace : std::filesystem::directory_iterator("pg_tblspc", error))
    if (std::filesystem::exists(tablespace.path() / TABLESPACE_VERSION_DIRECTORY / name, error)) return true;
  return false;
}

/// Waits for the transaction that began the consumer. After a crash it is long over.
void wait_for_transaction(FullTransactionId transaction) {
  if (!FullTransactionIdIsValid(transaction)) return;
  Transaction own;
  pg::call([&] {
    const uint64 age = U64FromFullTransactionId(ReadNextFullTransactionId()) - U64FromFullTransactionId(transaction);
    if (age < static_cast<uint64>(MaxTransactionId / 4))
      XactLockTableWait(XidFromFullTransactionId(transaction), nullptr, nullptr, XLTW_None);
  });
  own.commit();
}

/// librdkafka's threads must not run on while the process takes down what they use. Nobody shall wait for locks of a
/// transaction that is lost, while the clients end.
void end_clients(int, Datum) {
  AbortOutOfAnyTransaction();
  kafka::Reaper::drain(drain_time);
}

/// A connection refused for a reason that time does not heal: the role is gone or may not log in, or the database is
/// gone. The postmaster would start the worker again for ever, even of a consumer that was dropped.
class Refusal {
 public:
  static void watch() {
    outer = emit_log_hook;
    emit_log_hook = note;
    on_proc_exit(end, 0);
  }
  static void forget() {
    emit_log_hook = outer;
    refused = false;
  }

 private:
  static void note(ErrorData* error) {
    if (outer != nullptr) outer(error);
    if (error->elevel == FATAL)
      refused = error->sqlerrcode == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION ||
                error->sqlerrcode == ERRCODE_UNDEFINED_DATABASE;
  }
  /// proc_exit goes on with the remaining callbacks and this exit code.
  static void end(int, Datum) {
    if (std::exchange(refused, false)) proc_exit(0);
  }

  static inline emit_log_hook_type outer = nullptr;
  static inline bool refused = false;
};

void connect(const WorkerArguments& arguments) {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  Refusal::watch();
  BackgroundWorkerInitializeConnectionByOid(arguments.database, arguments.role, pg::worker_connection_flags);
  Refusal::forget();
  for (const auto& [name, value] : pinned_settings) SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
  before_shmem_exit(end_clients, 0);
}

}  // namespace

}  // namespace kafka_fdw::ingest

void kafka_fdw_worker_main(Datum) {
  using namespace kafka_fdw;
  const int code = pg::entry([] {
    ingest::WorkerArguments arguments;
    std::memcpy(&arguments, MyBgworkerEntry->bgw_extra, sizeof(arguments));
    if (!ingest::database_exists(arguments.database)) return 0;
    pg::call([&] { ingest::connect(arguments); });
    ingest::wait_for_transaction(arguments.begun_by);
    return ingest::run_worker(arguments);
  });
  proc_exit(code);
}
