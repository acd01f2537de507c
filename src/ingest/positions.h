#pragma once

#include <string>

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// The next offsets as JSON: {"0": 17, "1": 4}, or by topic {"clicks": {"0": 17}} where several are bound.
/// In a fresh snapshot, or in the active one.
std::string positions(pg::Spi& spi, const Consumer& consumer, bool in_active_snapshot = false);

/// JSON as a jsonb Datum in the current memory context.
Datum jsonb_of(const std::string& json);

}  // namespace kafka_fdw::ingest
