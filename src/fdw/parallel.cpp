#include "fdw/parallel.h"

#include "fdw/generated.h"
#include "fdw/scan.h"
#include "fdw/shared_ranges.h"

namespace kafka_fdw::fdw {

namespace {

Scan& scan_of(ForeignScanState* node) { return *static_cast<Scan*>(node->fdw_state); }

}  // namespace

/// A scan that processes share reads what the leader has seen of the topic; paths say which of them do.
bool kafkaIsForeignScanParallelSafe(PlannerInfo*, RelOptInfo*, RangeTblEntry* entry) {
  return pg::entry([&] { return is_generated_in_parallel(entry->relid); });
}

Size kafkaEstimateDSMForeignScan(ForeignScanState*, ParallelContext* context) {
  return SharedRanges::size(context->nworkers + 1);
}

void kafkaInitializeDSMForeignScan(ForeignScanState* node, ParallelContext* context, void* coordinate) {
  pg::entry([&] {
    SharedRanges& shared = SharedRanges::make(coordinate, context->nworkers + 1);
    scan_of(node).share(shared, SharedRanges::leader_place);
    scan_of(node).deal();
  });
}

void kafkaReInitializeDSMForeignScan(ForeignScanState* node, ParallelContext*, void*) {
  pg::entry([&] { scan_of(node).deal(); });
}

void kafkaInitializeWorkerForeignScan(ForeignScanState* node, shm_toc*, void* coordinate) {
  pg::entry([&] {
    scan_of(node).share(*static_cast<SharedRanges*>(coordinate), SharedRanges::leader_place + 1 + ParallelWorkerNumber);
    scan_of(node).join();
  });
}

void kafkaShutdownForeignScan(ForeignScanState* node) {
  if (node->fdw_state != nullptr) pg::entry([&] { scan_of(node).leave(); });
}

}  // namespace kafka_fdw::fdw
