#pragma once

#include "pg/boundary.h"

extern "C" {
#include "foreign/fdwapi.h"
}

namespace kafka_fdw::fdw {

/// ANALYZE: rows out of pieces of the log that lie all over it, and the log's size.
bool kafkaAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc* function, BlockNumber* total_pages);

}  // namespace kafka_fdw::fdw
