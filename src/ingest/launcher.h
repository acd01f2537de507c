#pragma once

namespace kafka_fdw::ingest {

/// Registers the launcher with the postmaster: only while shared_preload_libraries are loaded.
void register_launcher();

}  // namespace kafka_fdw::ingest
