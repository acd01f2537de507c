#pragma once

#include "kafka/range_reader.h"

namespace kafka_fdw::ingest {

struct BatchLimits {
  size_t messages;
  size_t bytes;
};

/// For SQL functions, which wait for messages: what the reader's ranges hold, until the limits are met or the ranges
/// have been read. Throws kafka::Error where nothing comes within kafka_fdw.read_timeout.
kafka::MessageBatch read_batch(kafka::Client& client, kafka::RangeReader& reader, const BatchLimits& limits);

}  // namespace kafka_fdw::ingest
