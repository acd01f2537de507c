#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "ingest/identity.h"

namespace kafka_fdw::ingest {

/// A partition of one of the consumer's topics: the topic's place in Consumer::topics, and the partition.
using Place = std::pair<int32_t, int32_t>;

/// Offsets of partitions.
using Offsets = std::map<Place, int64_t>;

/// What became of the messages of one partition.
struct Tally {
  int64_t messages = 0;  ///< all of them
  int64_t rows = 0;
  int64_t tombstones = 0;
  int64_t rejected = 0;
  int64_t last_timestamp_ms = -1;
  std::optional<Identity> identity;  ///< of the last message

  void add(const Tally& other);
};
using Tallies = std::map<Place, Tally>;

int64_t rows_of(const Tallies& tallies) noexcept;

}  // namespace kafka_fdw::ingest
