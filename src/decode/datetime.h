#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kafka_fdw::decode {

/// The ISO 8601 forms that PostgreSQL 15 to 18 read alike whatever DateStyle and TimeZone are; nothing for any other
/// text.

/// YYYY-MM-DD of the years 1 to 9999: days since 2000-01-01.
std::optional<int64_t> parse_date(std::string_view text);

/// Date, space or T, HH:MM:SS[.f to .ffffff]: microseconds since 2000-01-01. A zone (Z, ±HH, ±HHMM, ±HH:MM) may follow
/// and has no effect, as in PostgreSQL.
std::optional<int64_t> parse_timestamp(std::string_view text);

/// The same with a zone, without which it would be in the session's: microseconds since 2000-01-01 UTC.
std::optional<int64_t> parse_timestamptz(std::string_view text);

}  // namespace kafka_fdw::decode
