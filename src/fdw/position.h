#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/client.h"

namespace kafka_fdw::fdw {

/// One point in a partition as a user wrote it.
struct Point {
  enum class Kind : uint8_t {
    earliest,
    latest,
    offset,     ///< value: an offset
    last,       ///< value: so many before the end
    timestamp,  ///< value: ms since 1970, not negative
    stored,     ///< text: the consumer's id, or empty
    group       ///< text: the group's name
  };
  Kind kind = Kind::earliest;
  int64_t value = 0;
  std::string text = {};
};

/// `earliest` | `latest` | an offset | `-N` | a timestamp | jsonb {"partition": point} | `stored[:ID]` | `group:NAME`.
struct Position {
  Point all;                            ///< for partitions that `partitions` does not name
  std::map<int32_t, Point> partitions;  ///< from the jsonb form
  bool per_partition = false;  ///< it was the jsonb form: `all` is what the caller makes of partitions not named
};

/// Throws pg::Error 22023 with the forms in the hint. Timestamps are read as timestamptz input; before 1970 and
/// -infinity are earliest, infinity latest.
Position parse_position(std::string_view text);

/// Where a consumer of this database stands, by partition: the one with that id, or, if it is empty, the one that is
/// meant.
using StoredLookup = std::function<std::map<int32_t, int64_t>(const std::string& id)>;

/// The offset of each partition in `watermarks`, within [low, high]; an offset of the user's own past the end stays as
/// it is, to be compared by the caller. Asks the broker where a timestamp occurs and what a group has committed, and
/// `stored` where a consumer stands; those who have nothing for a partition mean the earliest. Throws out_of_range for
/// what they noted past the end, and pg::Error 0A000 for a stored position without a look-up.
std::vector<int64_t> resolve_position(const Position& position, kafka::Client& client, const std::string& topic,
                                      std::span<const kafka::Watermarks> watermarks, const StoredLookup& stored = {});

}  // namespace kafka_fdw::fdw
