#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "decode/decoder.h"
#include "kafka/properties.h"
#include "pg/boundary.h"

extern "C" {
#include "nodes/pg_list.h"
}

namespace kafka_fdw::fdw {

/// What an option is set on. IMPORT FOREIGN SCHEMA has options of its own, and takes those of the tables that it makes.
enum class OptionPlace : uint8_t { server, mapping, table, column, import };

/// What its value must look like; checked when it is set.
enum class OptionType : uint8_t {
  text,
  boolean,
  count,       ///< an integer from 1 on
  copy,        ///< one of COPY's options: checked together with the format, by COPY's own rules
  format,      ///< json, text, csv or raw
  key_format,  ///< raw, text or json
  envelope,    ///< none, upsert or debezium
  position,    ///< position.h
  interval,
  partitioner,  ///< murmur2 or crc32
  trust         ///< a boolean that only a superuser may set to false
};

/// An option of our own; those of librdkafka are in kafka/properties.h.
struct Option {
  std::string_view name;
  OptionPlace place;
  OptionType type;
  bool implemented;  ///< false: known, refused as not supported yet
  std::string_view doc;
};

/// Null: none of our own has that name.
const Option* find_option(std::string_view name) noexcept;

using OptionValues = std::map<std::string, std::string, std::less<>>;

/// Options as the catalog or the parser holds them, by name.
OptionValues read_options(List* options);

/// Checks all options of one object, as the user who sets them. Throws pg::Error or kafka::Error; never shows a secret.
void check_options(const OptionValues& options, OptionPlace place);

/// Those options that are librdkafka's.
kafka::Properties properties_of(const OptionValues& options);

/// The value of an interval option that has been checked, rounded up.
std::chrono::milliseconds interval_of(const std::string& value);

/// The value of a boolean option that has been checked; false where it is not set.
bool is_set(const OptionValues& options, std::string_view name);

/// The formats of a table with COPY's options for them. Throws pg::Error 22023 in COPY's words.
/// The encoding is a pg_enc; UTF8 unless set.
struct TableFormat {
  decode::Format format;
  decode::KeyFormat key_format;
  int encoding;
};
TableFormat parse_format(const OptionValues& options);

}  // namespace kafka_fdw::fdw
