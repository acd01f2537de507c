#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ingest/consumer.h"
#include "pg/arguments.h"

namespace kafka_fdw::ingest {

using pg::milliseconds_of;
using pg::optional_bigint;
using pg::optional_int;
using pg::optional_text;
using pg::required_text;

/// What the caller of kafka_consume_begin gave; absent: NULL.
struct BeginArguments {
  std::string stream;
  std::string topic;
  std::optional<int> parallelism;
  std::optional<std::string> format;
  std::optional<std::string> delimiter;  ///< the character itself, not \t
  std::optional<Oid> source;
  std::optional<std::string> statement;
  std::optional<std::vector<std::string>> columns;
  std::optional<std::string> server;
  std::optional<std::string> start;
  std::optional<int> batch_size;
  std::optional<int64_t> batch_bytes;
  std::optional<std::chrono::milliseconds> batch_delay;
  std::optional<std::string> until;  ///< empty: for ever
  std::optional<OnError> on_error;
  std::optional<int64_t> reject_limit;  ///< negative: none
  std::optional<OnGap> on_gap;
  std::optional<Envelope> envelope;
  std::optional<std::string> key_format;
  std::optional<int> max_rate;  ///< 0: none
  std::optional<Shard> shard;
  std::optional<std::string> group_id;  ///< empty: none

  /// Whether something is given that decides where the messages come from, or how they become rows.
  bool shapes_rows() const noexcept {
    return format || delimiter || source || statement || columns || server || envelope || key_format;
  }
};

/// Checks each argument for itself. Throws pg::Error 22004, 22023, or 0A000 for what is not supported yet.
BeginArguments read_begin_arguments(FunctionCallInfo call);

/// The same for kafka_consume_begin(parallelism, format, delimiter).
BeginArguments read_begin_all_arguments(FunctionCallInfo call);

}  // namespace kafka_fdw::ingest
