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

void refuse_what_is_not_supported(FunctionCallInfo call) {
  struct Argument {
    Place place;
    const char* name;
    const char* accepted;  ///< null: no value
  };
  static constexpr Argument arguments[] = {{place_until, "until", nullptr},
                                           {place_on_error, "on_error", "stop"},
                                           {place_reject_limit, "reject_limit", nullptr},
                                           {place_on_gap, "on_gap", "stop"},
                                           {place_envelope, "envelope", nullptr},
                                           {place_key_format, "key_format", nullptr},
                                           {place_max_rate, "max_rate", nullptr},
                                           {place_shard, "shard", nullptr},
                                           {place_group_id, "group_id", nullptr}};
  for (const Argument& argument : arguments) {
    if (is_null(call, argument.place)) continue;
    if (argument.accepted != nullptr && optional_text(call, argument.place) == argument.accepted) continue;
    const std::string name = argument.name;
    if (argument.accepted == nullptr)
      fail(ERRCODE_FEATURE_NOT_SUPPORTED, "argument \"" + name + "\" is not supported yet");
    fail(ERRCODE_FEATURE_NOT_SUPPORTED, "argument \"" + name + "\" supports only '" + argument.accepted + "' yet");
  }
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

void check_parallelism(const std::optional<int>& parallelism) {
  if (parallelism && *parallelism < 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"parallelism\" must not be negative");
}

void check_start(const std::optional<std::string>& start) {
  if (!start) return;
  const fdw::Position position = fdw::parse_position(*start);
  const auto is_stored = [](const fdw::Point& point) { return point.kind == fdw::Point::Kind::stored; };
  if (is_stored(position.all) ||
      std::ranges::any_of(position.partitions, [&](const auto& named) { return is_stored(named.second); }))
    fail(ERRCODE_FEATURE_NOT_SUPPORTED, "the position \"stored\" is for reading only");
}

}  // namespace

BeginArguments read_begin_arguments(FunctionCallInfo call) {
  BeginArguments given;
  given.stream = required_text(call, place_stream, "stream");
  given.topic = required_text(call, place_topic, "topic");
  refuse_what_is_not_supported(call);
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

  if (given.topic.empty()) fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"topic\" must not be empty");
  check_parallelism(given.parallelism);
  require_positive(given.batch_size, "batch_size");
  require_positive(given.batch_bytes, "batch_bytes");
  if (given.batch_delay && given.batch_delay->count() < 0)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"batch_delay\" must not be negative");
  check_start(given.start);
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
