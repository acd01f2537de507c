#pragma once

#include <vector>

#include "ingest/consumer.h"
#include "ingest/reject.h"

namespace kafka_fdw::ingest {

/// Rows of pipeline_kafka_errors. As the extension's owner, in the current transaction.

/// Keeps the rejected messages, with all that they hold. Returns the id of the last one; 0: there was none.
int64_t store_dead_letters(const Consumer& consumer, const Rejections& rejections);

}  // namespace kafka_fdw::ingest
