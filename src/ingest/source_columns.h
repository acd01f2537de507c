#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ingest/attributes.h"
#include "ingest/consumer.h"

/// What the foreign table looks like that kafka_consume_begin makes for a consumer.
namespace kafka_fdw::ingest {

using Options = std::vector<std::pair<std::string, std::string>>;

struct SourceColumn {
  Attribute attribute;
  Options options;
};

/// Columns that it has beside those of the stream, for an envelope. Nobody names columns of a stream like that.
namespace envelope_column {
inline const std::string deleted = "kafka deleted";
inline const std::string partition = "kafka partition";  ///< unless the stream has kafka_partition
inline const std::string offset = "kafka offset";        ///< unless it has kafka_offset
/// debezium: the columns of the primary key before the change, counted from 1.
inline std::string before(size_t number) { return "kafka before " + std::to_string(number); }
}  // namespace envelope_column

/// In their order: text and csv go by it. Throws pg::Error where the stream and the arguments do not go together.
std::vector<SourceColumn> source_columns(const Consumer& consumer);

Options source_options(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
