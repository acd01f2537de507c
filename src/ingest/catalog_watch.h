#pragma once

#include <cstdint>

namespace kafka_fdw::ingest {

/// Counts invalidations of what consumers depend on in the catalog, once watch_catalog was called. Messages come in
/// when a transaction begins, and when locks are taken.
uint64_t catalog_changes() noexcept;
void watch_catalog();

}  // namespace kafka_fdw::ingest
