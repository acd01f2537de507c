#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "fdw/comparand.h"
#include "fdw/condition.h"
#include "fdw/table.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::fdw {

/// What a condition selects. `start` of the table is a default: it applies only where the query gives no lower bound of
/// offsets or times itself.
struct Selection {
  kafka::OffsetSet bounded;    ///< under a lower bound of the query's own
  kafka::OffsetSet unbounded;  ///< without one

  bool operator==(const Selection&) const = default;
  kafka::OffsetSet all() const { return bounded | unbounded; }
};

/// What a condition selects of the messages of some time.
struct TimeSlice {
  /// In ms since 1970, from 0 to OffsetSet::max_offset; absent: of any time, or of none.
  std::optional<kafka::Interval> times;
  Selection selection;
};

/// The partition of messages with that key; negative: any.
using PartitionOfKey = std::function<int32_t(const std::string& key)>;

PartitionOfKey partition_of_keys(const Table& table, int32_t partition_count);

/// Slices that select nothing are left out; the others do not overlap, and are sorted. `comparands` are by the place of
/// the expression. Without `partition_of_key`, messages with a key may be in any partition.
std::vector<TimeSlice> select(const Condition& condition, std::span<const Comparand> comparands,
                              const PartitionOfKey& partition_of_key = {});

/// All that the slices select, whatever the times of messages are.
Selection without_times(std::span<const TimeSlice> slices);

}  // namespace kafka_fdw::fdw
