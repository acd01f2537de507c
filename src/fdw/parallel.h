#pragma once

#include "pg/boundary.h"

extern "C" {
#include "access/parallel.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace kafka_fdw::fdw {

/// The executor's callbacks for scans that several processes share; see PostgreSQL's "Writing a Foreign Data Wrapper".
bool kafkaIsForeignScanParallelSafe(PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* rte);
Size kafkaEstimateDSMForeignScan(ForeignScanState* node, ParallelContext* context);
void kafkaInitializeDSMForeignScan(ForeignScanState* node, ParallelContext* context, void* coordinate);
void kafkaReInitializeDSMForeignScan(ForeignScanState* node, ParallelContext* context, void* coordinate);
void kafkaInitializeWorkerForeignScan(ForeignScanState* node, shm_toc* toc, void* coordinate);
void kafkaShutdownForeignScan(ForeignScanState* node);

}  // namespace kafka_fdw::fdw
