#pragma once

#include "pg/compat.h"

extern "C" {
#include "nodes/execnodes.h"
}

namespace kafka_fdw::fdw {

/// Topic, format and the pushed condition; with ANALYZE also what was read.
void kafkaExplainForeignScan(ForeignScanState* node, ExplainState* es);

}  // namespace kafka_fdw::fdw
