#pragma once

#include <string>

#include "ingest/consumer.h"

/// What those who change a consumer's state have in common: end, drop, seek, skip.
namespace kafka_fdw::ingest {

/// The consumer of the topic into the stream, locked until the end of the transaction, as it is then. Throws pg::Error
/// 42P01, 42704 where there is none, 42501 where the caller may not change it, 55000 within one of its own batches.
Consumer require_locked(pg::Spi& spi, const std::string& stream, const std::string& topic);

/// After its offsets were moved, as the holder of its lock: workers take notice, and one that an error stopped runs
/// again when the transaction commits.
void go_on(pg::Spi& spi, const Consumer& consumer);

}  // namespace kafka_fdw::ingest
