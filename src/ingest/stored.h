#pragma once

namespace kafka_fdw::ingest {

/// Lets scans of foreign tables ask where the consumers stand: the position `stored`. Once per process.
void provide_stored_offsets() noexcept;

}  // namespace kafka_fdw::ingest
