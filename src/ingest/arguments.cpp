#include "ingest/arguments.h"

#include <algorithm>

#include "fdw/position.h"
#include "ingest/attributes.h"
#include "ingest/fail.h"

extern "C" {
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace kafka_fdw::ingest {

namespace {

/// The places of the arguments of kafka_consume_begin(stream, topic, …).
enum Place {
  place_stream,
  place_topic,
  place_parallelism,
  place_format,
  place_delimiter,
  place_source,
  place_statement,
  place_columns,
  place_server,
  place_start,
  place_until,
  place_batch_size,
  place_batch_bytes,
  place_batch_delay,
  place_on_error,
  place_reject_limit,
  place_on_gap,
  place_envelope,
  place_key_format,
  place_max_rate,
  place_shard,
  place_group_id
};

bool is_null(FunctionCallInfo call, int place) { return call->args[place].isnull; }

/// A word out of a list. Throws pg::Error 22023 with the list.
template <class Parse>
auto optional_word(FunctionCallInfo call, int place, const char* name, const char* words, Parse parse)
    -> decltype(parse(std::string_view())) {
  const std::optional<std::string> text = optional_text(call, place);
  if (!text) return std::nullopt;
  auto parsed = parse(std::string_view(*text));
  if (!parsed)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string("invalid value for argument \"") + name + "\": \"" + *text + "\"",
         std::string("It must be ") + words + ".");
  return parsed;
}

std::optional<std::string> parse_key_format(std::string_view text) {
  if (text == "avro" || text == "protobuf")
    fail(ERRCODE_FEATURE_NOT_SUPPORTED, "key_format \"" + std::string(text) + "\" is not supported yet");
  if (text == "raw" || text == "text" || text == "json") return std::string(text);
  return std::nullopt;
}

std::optional<std::string> optional_delimiter(FunctionCallInfo call, int place) {
  std::optional<std::string> delimiter = optional_text(call, place);
  if (delimiter == "\\t") delimiter = "\t";
  return delimiter;
}

template <class Number>
void require_positive(const std::optional<Number>& value, const char* name) {
  if (value && *value <= 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string("argument \"") + name + "\" must be greater than zero");
}

/// As many as PostgreSQL's own limits on background workers make sense of; slots are numbered in 16 bits.
constexpr int most_workers = 1024;

void check_parallelism(const std::optional<int>& parallelism) {
  if (parallelism && *parallelism > most_workers)
    fail(ERRCODE_INVALID_PARAMETER_VALUE,
         "argument \"parallelism\" must not be greater than " + std::to_string(most_workers));
  if (parallelism && *parallelism < 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"parallelism\" must not be negative");
}

void check_position(const std::string& text) {
  const fdw::Position position = fdw::parse_position(text);
  const auto is_stored = [](const fdw::Point& point) { return point.kind == fdw::Point::Kind::stored; };
  if (is_stored(position.all) ||
      std::ranges::any_of(position.partitions, [&](const auto& named) { return is_stored(named.second); }))
    fail(ERRCODE_FEATURE_NOT_SUPPORTED, "the position \"stored\" is for reading only");
}

/// What the consumer does beyond applying batches.
void read_policies(FunctionCallInfo call, BeginArguments& given) {
  given.until = optional_text(call, place_until);
  if (given.until == "never") given.until = "";
  given.on_error = optional_word(call, place_on_error, "on_error", "stop, ignore or dead_letter", parse_on_error);
  given.reject_limit = optional_bigint(call, place_reject_limit);
  given.on_gap = optional_word(call, place_on_gap, "on_gap", "stop, earliest or latest", parse_on_gap);
  given.envelope = optional_word(call, place_envelope, "envelope", "none, upsert or debezium", parse_envelope);
  given.key_format = optional_word(call, place_key_format, "key_format", "raw, text or json", parse_key_format);
  given.max_rate = optional_int(call, place_max_rate);
  if (given.max_rate && *given.max_rate < 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"max_rate\" must not be negative", "0 means no limit.");
  given.shard = optional_word(call, place_shard, "shard", "i/n with i from 0 to n - 1", parse_shard);
  given.group_id = optional_text(call, place_group_id);
}

}  // namespace

BeginArguments read_begin_arguments(FunctionCallInfo call) {
  BeginArguments given;
  given.stream = required_text(call, place_stream, "stream");
  given.topic = required_text(call, place_topic, "topic");
  given.parallelism = optional_int(call, place_parallelism);
  given.format = optional_text(call, place_format);
  given.delimiter = optional_delimiter(call, place_delimiter);
  if (!is_null(call, place_source)) given.source = DatumGetObjectId(call->args[place_source].value);
  given.statement = optional_text(call, place_statement);
  if (!is_null(call, place_columns)) given.columns = strings_of(call->args[place_columns].value);
  if (!is_null(call, place_server)) given.server = NameStr(*DatumGetName(call->args[place_server].value));
  given.start = optional_text(call, place_start);
  given.batch_size = optional_int(call, place_batch_size);
  given.batch_bytes = optional_bigint(call, place_batch_bytes);
  if (!is_null(call, place_batch_delay))
    given.batch_delay = milliseconds_of(DatumGetPointer(call->args[place_batch_delay].value));
  read_policies(call, given);

  if (given.topic.empty()) fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"topic\" must not be empty");
  check_parallelism(given.parallelism);
  require_positive(given.batch_size, "batch_size");
  require_positive(given.batch_bytes, "batch_bytes");
  if (given.batch_delay && given.batch_delay->count() < 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"batch_delay\" must not be negative");
  if (given.start) check_position(*given.start);
  if (given.until && !given.until->empty()) check_position(*given.until);
  return given;
}

BeginArguments read_begin_all_arguments(FunctionCallInfo call) {
  BeginArguments given;
  given.parallelism = optional_int(call, 0);
  given.format = optional_text(call, 1);
  given.delimiter = optional_delimiter(call, 2);
  check_parallelism(given.parallelism);
  return given;
}

}  // namespace kafka_fdw::ingest
