#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "fdw/table.h"

extern "C" {
#include "utils/snapshot.h"
}

namespace kafka_fdw::fdw {

/// The next offsets, by partition of the table's topic, of the consumer that reads the table, as that snapshot sees
/// them: of the one with that id, or, where it is empty, of the only one. Throws pg::Error 42704 where there is none,
/// 22023 where there are several, or where the one with the id does not read the topic.
/// ingest/ implements it; fdw/ knows only this.
using StoredOffsets = std::map<int32_t, int64_t> (*)(const Table& table, const std::string& id, Snapshot snapshot);

StoredOffsets stored_offsets() noexcept;
void set_stored_offsets(StoredOffsets function) noexcept;

}  // namespace kafka_fdw::fdw
