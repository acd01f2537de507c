#include "fdw/stored_offsets.h"

namespace kafka_fdw::fdw {

namespace {

StoredOffsets current = nullptr;

}  // namespace

StoredOffsets stored_offsets() noexcept { return current; }

void set_stored_offsets(StoredOffsets function) noexcept { current = function; }

}  // namespace kafka_fdw::fdw
