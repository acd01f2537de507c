#include "fdw/position.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "fdw/connection.h"
#include "pg/fail.h"
#include "pg/wait.h"

extern "C" {
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
}

namespace kafka_fdw::fdw {

namespace {

constexpr char position_forms[] =
    "A position is earliest, latest, an offset, -N for the last N messages of each partition, a timestamp, "
    "a JSON object of these by partition, stored, stored:ID or group:NAME.";

constexpr int64_t microseconds_1970 = static_cast<int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

[[noreturn]] void refuse(std::string_view text) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid position: \"%.*s\"", static_cast<int>(text.size()), text.data()),
                    errhint("%s", position_forms)));
  });
  pg_unreachable();
}

template <class Integer>
std::optional<Integer> parse_integer(std::string_view text) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Of a time from 1970 on. PostgreSQL's timestamps reach so far that adding the microseconds since 1970 could overflow.
int64_t milliseconds_since_1970(TimestampTz timestamp) {
  const int64_t milliseconds = timestamp / 1000 - (timestamp % 1000 < 0 ? 1 : 0);
  return milliseconds + microseconds_1970 / 1000;
}

Point parse_timestamp(std::string_view text) {
  const std::string terminated(text);
  TimestampTz timestamp = 0;
  try {
    timestamp = pg::call([&] {
      return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(terminated.c_str()),
                                                     ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    });
  } catch (const pg::Error& error) {
    if (ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_DATA_EXCEPTION) refuse(text);
    throw;
  }
  if (TIMESTAMP_IS_NOEND(timestamp)) return {.kind = Point::Kind::latest};
  // Times before 1970 are negative, and negative numbers mean other things in the protocol.
  if (TIMESTAMP_IS_NOBEGIN(timestamp) || timestamp < -microseconds_1970) return {.kind = Point::Kind::earliest};
  return {.kind = Point::Kind::timestamp, .value = milliseconds_since_1970(timestamp)};
}

Point parse_point(std::string_view text) {
  if (text == "earliest") return {.kind = Point::Kind::earliest};
  if (text == "latest") return {.kind = Point::Kind::latest};
  if (text == "stored") return {.kind = Point::Kind::stored};
  if (text.starts_with("stored:")) {
    if (!parse_integer<int64_t>(text.substr(7))) refuse(text);
    return {.kind = Point::Kind::stored, .text = std::string(text.substr(7))};
  }
  if (text.starts_with("group:") && text.size() > 6)
    return {.kind = Point::Kind::group, .text = std::string(text.substr(6))};
  if (const auto number = parse_integer<int64_t>(text)) {
    if (text[0] == '-') return {.kind = Point::Kind::last, .value = *number == INT64_MIN ? INT64_MAX : -*number};
    return {.kind = Point::Kind::offset, .value = *number};
  }
  return parse_timestamp(text);
}

struct JsonMember {
  char* name;
  char* text;  ///< null: neither a string nor a number
};

char* scalar_text(const JsonbValue& value) {
  if (value.type == jbvString) return pnstrdup(value.val.string.val, value.val.string.len);
  if (value.type == jbvNumeric)
    return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
  return nullptr;
}

/// A leaf: may raise. The members in *members, their number as the result; -1: not an object.
int json_members(const char* text, JsonMember** members) {
  Jsonb* jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
  if (!JB_ROOT_IS_OBJECT(jsonb)) return -1;
  *members = static_cast<JsonMember*>(palloc0((JB_ROOT_COUNT(jsonb) + 1) * sizeof(JsonMember)));
  JsonbIterator* iterator = JsonbIteratorInit(&jsonb->root);
  JsonbValue value;
  int count = 0;
  for (;;) {
    const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true);
    if (token == WJB_DONE) return count;
    if (token == WJB_KEY) (*members)[count].name = pnstrdup(value.val.string.val, value.val.string.len);
    if (token == WJB_VALUE) (*members)[count++].text = scalar_text(value);
  }
}

Position parse_by_partition(std::string_view text) {
  const std::string terminated(text);
  JsonMember* members = nullptr;
  int count = 0;
  try {
    count = pg::call([&] { return json_members(terminated.c_str(), &members); });
  } catch (const pg::Error& error) {
    if (ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_DATA_EXCEPTION) refuse(text);
    throw;
  }
  if (count < 0) refuse(text);
  Position position{.all = {}, .partitions = {}, .per_partition = true};
  for (int i = 0; i < count; ++i) {
    const auto partition = parse_integer<int32_t>(members[i].name);
    if (!partition || *partition < 0 || members[i].text == nullptr) refuse(text);
    position.partitions.insert_or_assign(*partition, parse_point(members[i].text));
  }
  return position;
}

const Point& point_of(const Position& position, int32_t partition) {
  const auto named = position.partitions.find(partition);
  return named == position.partitions.end() ? position.all : named->second;
}

/// What the log alone tells; the earliest where others must be asked.
int64_t offset_of(const Point& point, const kafka::Watermarks& marks) {
  switch (point.kind) {
    case Point::Kind::latest:
      return marks.high;
    case Point::Kind::offset:
      return std::max(point.value, marks.low);
    case Point::Kind::last:
      return marks.high - std::min(point.value, marks.high - marks.low);
    case Point::Kind::earliest:
    case Point::Kind::timestamp:
    case Point::Kind::stored:
    case Point::Kind::group:
      break;
  }
  return marks.low;
}

/// An offset that somebody noted: what went from the log is gone, but a log that ends before it is another one.
int64_t noted_offset(int64_t offset, const std::string& whose, const std::string& topic,
                     const kafka::Watermarks& marks) {
  if (offset <= marks.high) return std::max(offset, marks.low);
  throw kafka::Error(kafka::ErrorClass::out_of_range,
                     "offset " + std::to_string(offset) + " of " + whose + " is past the end of partition " +
                         std::to_string(marks.partition) + " of topic \"" + topic + "\"",
                     "The log now holds offsets " + std::to_string(marks.low) + " to " + std::to_string(marks.high) +
                         ", end excluded.",
                     "The topic may have been made anew. Give another position.");
}

/// The partitions, by their place, that ask the same of others.
using Places = std::vector<size_t>;

/// What resolve_position works on.
struct Resolution {
  kafka::Client& client;
  const std::string& topic;
  std::span<const kafka::Watermarks> watermarks;
  std::vector<int64_t> offsets;

  std::vector<int32_t> partitions(const Places& places) const {
    std::vector<int32_t> result;
    for (const size_t place : places) result.push_back(watermarks[place].partition);
    return result;
  }
};

void resolve_times(Resolution& r, const Position& position, const Places& places) {
  std::vector<kafka::TimePoint> times;
  for (const size_t place : places) {
    const int32_t partition = r.watermarks[place].partition;
    times.push_back({partition, point_of(position, partition).value});
  }
  const auto found = pg::await(r.client, r.client.offsets_for_times(r.topic, std::move(times), connect_timeout()));
  for (size_t i = 0; i < places.size(); ++i) r.offsets[places[i]] = std::max(found[i], r.watermarks[places[i]].low);
}

void resolve_group(Resolution& r, const std::string& group, const Places& places) {
  const auto found =
      pg::await(r.client, r.client.committed_offsets(group, r.topic, r.partitions(places), connect_timeout()));
  for (size_t i = 0; i < places.size(); ++i)
    if (found[i])
      r.offsets[places[i]] =
          noted_offset(*found[i], "consumer group \"" + group + "\"", r.topic, r.watermarks[places[i]]);
}

void resolve_stored(Resolution& r, const StoredLookup& stored, const std::string& id, const Places& places) {
  if (!stored) pg::fail(ERRCODE_FEATURE_NOT_SUPPORTED, "the position \"stored\" is for reading only");
  const std::map<int32_t, int64_t> found = stored(id);
  for (const size_t place : places)
    if (const auto offset = found.find(r.watermarks[place].partition); offset != found.end())
      r.offsets[place] = noted_offset(offset->second, "the consumer", r.topic, r.watermarks[place]);
}

}  // namespace

Position parse_position(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) refuse(text.substr(0, text.find('\0')));
  if (text.starts_with('{')) return parse_by_partition(text);
  return {.all = parse_point(text), .partitions = {}, .per_partition = false};
}

std::vector<int64_t> resolve_position(const Position& position, kafka::Client& client, const std::string& topic,
                                      std::span<const kafka::Watermarks> watermarks, const StoredLookup& stored) {
  Resolution resolution{client, topic, watermarks, {}};
  Places timed;
  std::map<std::string, Places> by_group;
  std::map<std::string, Places> by_consumer;
  for (size_t place = 0; place < watermarks.size(); ++place) {
    const Point& point = point_of(position, watermarks[place].partition);
    resolution.offsets.push_back(offset_of(point, watermarks[place]));
    if (point.kind == Point::Kind::timestamp) timed.push_back(place);
    if (point.kind == Point::Kind::group) by_group[point.text].push_back(place);
    if (point.kind == Point::Kind::stored) by_consumer[point.text].push_back(place);
  }
  if (!timed.empty()) resolve_times(resolution, position, timed);
  for (const auto& [group, places] : by_group) resolve_group(resolution, group, places);
  for (const auto& [id, places] : by_consumer) resolve_stored(resolution, stored, id, places);
  return std::move(resolution.offsets);
}

}  // namespace kafka_fdw::fdw
