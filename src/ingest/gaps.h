#pragma once

#include <vector>

#include "ingest/survey.h"

namespace kafka_fdw::ingest {

/// Lets the consumer go on behind gaps, in the current transaction: records what was skipped in pipeline_kafka_errors,
/// and moves the stored offsets. False: the fence was lost, or somebody else has moved them.
bool jump_gaps(pg::Spi& spi, const Consumer& consumer, const std::vector<Gap>& gaps, bool fence_held);

}  // namespace kafka_fdw::ingest
