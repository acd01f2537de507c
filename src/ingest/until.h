#pragma once

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// Resolves where the consumer ends, asked from its broker, and stores it for each partition that it takes; one that
/// the position does not name ends where its log ends now. Without an `until`, ends that were stored are forgotten.
/// Throws pg::Error 22023 for a time to come: where it will be in the log is not known yet.
void store_until(pg::Spi& spi, const Consumer& consumer);

/// Whether everything up to its end is taken.
bool has_reached_end(pg::Spi& spi, const Consumer& consumer);

}  // namespace kafka_fdw::ingest
