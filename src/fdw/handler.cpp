#include "fdw/handler.h"

#include "fdw/analyze.h"
#include "fdw/async.h"
#include "fdw/explain.h"
#include "fdw/import.h"
#include "fdw/options.h"
#include "fdw/parallel.h"
#include "fdw/plan.h"
#include "fdw/scan.h"

extern "C" {
#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(kafka_fdw_handler);
PG_FUNCTION_INFO_V1(kafka_fdw_validator);
}

namespace kafka_fdw::fdw {

namespace {

FdwRoutine* make_routine() {
  auto* routine = makeNode(FdwRoutine);
  // In the order in which they run. Without the callbacks for writing PostgreSQL refuses to write, with 0A000.
  routine->AnalyzeForeignTable = kafkaAnalyzeForeignTable;
  routine->GetForeignRelSize = kafkaGetForeignRelSize;
  routine->GetForeignPaths = kafkaGetForeignPaths;
  routine->GetForeignPlan = kafkaGetForeignPlan;
  routine->IsForeignScanParallelSafe = kafkaIsForeignScanParallelSafe;
  routine->EstimateDSMForeignScan = kafkaEstimateDSMForeignScan;
  routine->InitializeDSMForeignScan = kafkaInitializeDSMForeignScan;
  routine->ReInitializeDSMForeignScan = kafkaReInitializeDSMForeignScan;
  routine->InitializeWorkerForeignScan = kafkaInitializeWorkerForeignScan;
  routine->BeginForeignScan = kafkaBeginForeignScan;
  routine->IterateForeignScan = kafkaIterateForeignScan;
  routine->ReScanForeignScan = kafkaReScanForeignScan;
  routine->ExplainForeignScan = kafkaExplainForeignScan;
  routine->IsForeignPathAsyncCapable = kafkaIsForeignPathAsyncCapable;
  routine->ForeignAsyncRequest = kafkaForeignAsyncRequest;
  routine->ForeignAsyncConfigureWait = kafkaForeignAsyncConfigureWait;
  routine->ForeignAsyncNotify = kafkaForeignAsyncNotify;
  routine->ShutdownForeignScan = kafkaShutdownForeignScan;
  routine->EndForeignScan = kafkaEndForeignScan;
  routine->ImportForeignSchema = kafkaImportForeignSchema;
  return routine;
}

/// The wrapper itself takes no options: its catalog is not among these.
void validate(const OptionValues& options, Oid catalog) {
  switch (catalog) {
    case ForeignServerRelationId:
      return check_options(options, OptionPlace::server);
    case UserMappingRelationId:
      return check_options(options, OptionPlace::mapping);
    case ForeignTableRelationId:
      return check_options(options, OptionPlace::table);
    case AttributeRelationId:
      return check_options(options, OptionPlace::column);
    default:
      break;
  }
  if (options.empty()) return;
  pg::call([] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("the foreign data wrapper takes no options"),
                    errhint("Set them on a server, a user mapping, a foreign table or a column.")));
  });
}

}  // namespace

bool is_kafka_routine(const FdwRoutine* routine) noexcept {
  return routine->GetForeignRelSize == kafkaGetForeignRelSize;
}

}  // namespace kafka_fdw::fdw

Datum kafka_fdw_handler(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return kafka_fdw::pg::entry(
      [] { return PointerGetDatum(kafka_fdw::pg::call([] { return kafka_fdw::fdw::make_routine(); })); });
}

Datum kafka_fdw_validator(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    List* options = pg::call([&] { return untransformRelOptions(PG_GETARG_DATUM(0)); });
    fdw::validate(fdw::read_options(options), PG_GETARG_OID(1));
    return static_cast<Datum>(0);
  });
}
