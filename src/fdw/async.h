#pragma once

#include "pg/boundary.h"

extern "C" {
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace kafka_fdw::fdw {

/// The executor's callbacks for scans that wait side by side under one Append; see PostgreSQL's "Writing a Foreign Data
/// Wrapper".
bool kafkaIsForeignPathAsyncCapable(ForeignPath* path);
void kafkaForeignAsyncRequest(AsyncRequest* request);
void kafkaForeignAsyncConfigureWait(AsyncRequest* request);
void kafkaForeignAsyncNotify(AsyncRequest* request);

}  // namespace kafka_fdw::fdw
