#include "fdw/import_columns.h"

#include <algorithm>

#include "decode/json_inference.h"
#include "decode/unique_names.h"
#include "pg/encoding.h"
#include "pg/fail.h"

namespace kafka_fdw::fdw {

namespace {

using decode::InferredField;
using decode::JsonInference;
using decode::UniqueNames;

/// PostgreSQL takes 1600 columns; a table with metadata that is joined to another should still fit.
constexpr size_t max_fields = 1000;

constexpr const char* metadata_names[] = {"kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_key",
                                          "kafka_headers"};

const char* name_of(decode::Type type) {
  using decode::Type;
  switch (type) {
    case Type::boolean:
      return "boolean";
    case Type::int4:
      return "integer";
    case Type::int8:
      return "bigint";
    case Type::numeric:
      return "numeric";
    case Type::date:
      return "date";
    case Type::timestamp:
      return "timestamp";
    case Type::timestamptz:
      return "timestamptz";
    case Type::uuid:
      return "uuid";
    case Type::json:
      return "jsonb";
    default:
      return "text";
  }
}

ColumnDefinition metadata_column(const char* name, const char* type, const char* option) {
  return {.name = name, .type = type, .options = {{option, "true"}}};
}

std::string in_topic(const std::string& topic) { return " of topic \"" + topic + "\""; }

/// What the sample tells of keys or values.
struct Bytes {
  int64_t present = 0;
  bool text = true;  ///< all of them can be shown as text
};

Bytes look_at(const TopicSample& sample, std::optional<std::string_view> kafka::Message::*part) {
  Bytes result;
  for (const kafka::Message* message : sample.messages()) {
    if (!(message->*part)) continue;
    ++result.present;
    result.text = result.text && pg::is_text(*(message->*part));
  }
  return result;
}

/// The same names as the columns of a stream that a consumer fills with metadata.
std::vector<ColumnDefinition> metadata_columns(const TopicSample& sample) {
  const Bytes keys = look_at(sample, &kafka::Message::key);
  return {metadata_column(metadata_names[0], "integer", "partition"),
          metadata_column(metadata_names[1], "bigint", "offset"),
          metadata_column(metadata_names[2], "timestamptz", "timestamp"),
          metadata_column(metadata_names[3], keys.present > 0 && keys.text ? "text" : "bytea", "key"),
          metadata_column(metadata_names[4], "jsonb", "headers")};
}

/// Names that the columns of fields cannot have: those of metadata, and of system columns.
UniqueNames make_names() {
  UniqueNames names(NAMEDATALEN - 1, pg::clip);
  for (const char* name : metadata_names) names.reserve(name);
  for (const char* name : {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}) names.reserve(name);
  return names;
}

// --- json ---

/// RFC 6901.
std::string make_pointer(const std::vector<std::string>& path) {
  std::string pointer;
  for (const std::string& key : path) {
    pointer += '/';
    for (const char c : key) {
      if (c == '~')
        pointer += "~0";
      else if (c == '/')
        pointer += "~1";
      else
        pointer += c;
    }
  }
  return pointer;
}

std::string joined(const std::vector<std::string>& path) {
  std::string name;
  for (const std::string& key : path) name += (&key == path.data() ? "" : "_") + key;
  return name;
}

/// What the option `field` says, where the column's name does not say it.
std::string field_option(const std::vector<std::string>& path) {
  const bool plain = path.size() == 1 && !path[0].empty() && path[0][0] != '/';
  return plain ? path[0] : make_pointer(path);
}

/// False: the server's encoding has not all characters of the keys.
bool to_server(std::vector<std::string>& path) {
  for (std::string& key : path) {
    auto converted = pg::from_utf8(key);
    if (!converted) return false;
    key = std::move(*converted);
  }
  return true;
}

/// Of fields that nobody can name in this database the number is returned, and they are gone.
size_t drop_untranslatable(std::vector<InferredField>& fields) {
  return std::erase_if(fields, [](InferredField& field) { return !to_server(field.path); });
}

ColumnDefinition field_column(const InferredField& field, UniqueNames& names) {
  ColumnDefinition column{.name = names.take(joined(field.path)), .type = name_of(field.type)};
  const std::string option = field_option(field.path);
  if (option != column.name) column.options.emplace_back("field", option);
  return column;
}

/// Fields at the top come first to their names: so that flattening takes none away.
std::vector<ColumnDefinition> field_columns(const std::vector<InferredField>& fields, UniqueNames& names) {
  std::vector<ColumnDefinition> columns(fields.size());
  for (const bool top : {true, false})
    for (size_t i = 0; i < fields.size(); ++i)
      if ((fields[i].path.size() == 1) == top) columns[i] = field_column(fields[i], names);
  return columns;
}

ColumnDefinition payload_column(UniqueNames& names, const char* type) {
  return {.name = names.take("payload"), .type = type, .options = {{"payload", "true"}}};
}

/// What gets no column is in the last one.
void tell_of_left_out(const std::string& count, const std::string& topic,
                      const std::vector<ColumnDefinition>& columns) {
  pg::tell(NOTICE, "fields" + in_topic(topic) + " without a column of their own: " + count,
           "Its table has the whole message in the column \"" + columns.back().name + "\".");
}

void tell_of_others(const JsonInference& inference, const std::string& topic) {
  if (inference.others() == 0) return;
  const int64_t all = inference.objects() + inference.others();
  pg::tell(NOTICE,
           "not a JSON object: " + std::to_string(inference.others()) + " of " + std::to_string(all) +
               " messages in the sample" + in_topic(topic),
           "A query that looks at fields of such a message fails, unless the table has the option ignore_junk.");
}

/// No message of the sample says what the columns should be.
std::vector<ColumnDefinition> columns_of_unknown(const Bytes& values, const std::string& topic, const char* type,
                                                 UniqueNames& names) {
  if (values.present == 0)
    pg::tell(NOTICE, "no message" + in_topic(topic) + " shows what its columns should be",
             "Its table has the whole value in one column. Make the table again when the topic has messages.");
  return {payload_column(names, type)};
}

std::vector<ColumnDefinition> json_columns(const TopicSample& sample, const std::string& topic, bool flatten) {
  JsonInference inference(flatten);
  for (const kafka::Message* message : sample.messages())
    if (message->value) inference.add(*message->value);
  UniqueNames names = make_names();
  const Bytes values = look_at(sample, &kafka::Message::value);
  if (inference.objects() == 0) {
    if (values.present > 0)
      pg::tell(WARNING, "no message in the sample" + in_topic(topic) + " is a JSON object",
               "Its table has the whole value in one column. Perhaps its format is text, csv or raw.");
    const char* type = values.present == 0 ? "jsonb" : values.text ? "text" : "bytea";
    return columns_of_unknown(values, topic, type, names);
  }
  tell_of_others(inference, topic);
  JsonInference::Result result = inference.result(max_fields);
  const size_t untranslatable = drop_untranslatable(result.fields);
  const size_t left_out = result.left_out + untranslatable;
  std::vector<ColumnDefinition> columns = field_columns(result.fields, names);
  if (left_out > 0 || result.uncounted) {
    // These take what jsonb does not: a key with U+0000, and one that the server's encoding cannot show.
    columns.push_back(payload_column(names, untranslatable > 0 ? "bytea" : "json"));
    tell_of_left_out((result.uncounted ? "more than " : "") + std::to_string(left_out), topic, columns);
  } else if (columns.empty()) {
    columns.push_back(payload_column(names, "jsonb"));
  }
  return columns;
}

// --- text, csv and raw ---

/// The most fields that a message of the sample has, up to one more than get a column.
size_t count_fields(const TopicSample& sample, decode::Format format) {
  format.strict = format.verify_utf8 = false;
  decode::Column column;
  column.type = decode::Type::text;
  std::vector<decode::Value> row(max_fields + 1);
  const auto decoder = decode::make_decoder(format, std::vector(row.size(), column));
  size_t most = 0;
  for (const kafka::Message* message : sample.messages()) {
    if (!message->value) continue;
    try {
      decoder->decode(*message->value, row);
    } catch (const decode::Error&) {
      continue;
    }
    const auto missing = std::ranges::find(row, decode::Value::Kind::missing, &decode::Value::kind);
    most = std::max(most, static_cast<size_t>(missing - row.begin()));
  }
  return most;
}

std::vector<ColumnDefinition> delimited_columns(const TopicSample& sample, const std::string& topic,
                                                const TableFormat& format) {
  std::vector<ColumnDefinition> columns;
  const size_t fields = count_fields(sample, format.format);
  for (size_t i = 1; i <= std::min(fields, max_fields); ++i)
    columns.push_back({.name = "column" + std::to_string(i), .type = "text"});
  UniqueNames names = make_names();
  if (fields > max_fields) {
    columns.push_back(payload_column(names, "bytea"));
    tell_of_left_out("at least one", topic, columns);
  }
  if (!columns.empty()) return columns;
  return columns_of_unknown(look_at(sample, &kafka::Message::value), topic, "text", names);
}

std::vector<ColumnDefinition> raw_columns(const TopicSample& sample, const ImportSettings& settings) {
  const Bytes values = look_at(sample, &kafka::Message::value);
  const bool text = (values.present > 0 && values.text) || settings.table_options.contains("encoding");
  UniqueNames names = make_names();
  return {payload_column(names, text ? "text" : "bytea")};
}

std::vector<ColumnDefinition> value_columns(const TopicSample& sample, const std::string& topic,
                                            const ImportSettings& settings) {
  using Kind = decode::Format::Kind;
  const TableFormat format = parse_format(settings.table_options);
  switch (format.format.kind) {
    case Kind::json:
      return json_columns(sample, topic, settings.flatten);
    case Kind::text:
    case Kind::csv:
      return delimited_columns(sample, topic, format);
    case Kind::raw:
      break;
  }
  return raw_columns(sample, settings);
}

}  // namespace

std::vector<ColumnDefinition> columns_of_sample(const TopicSample& sample, const std::string& topic,
                                                const ImportSettings& settings) {
  std::vector<ColumnDefinition> columns = metadata_columns(sample);
  std::ranges::move(value_columns(sample, topic, settings), std::back_inserter(columns));
  return columns;
}

}  // namespace kafka_fdw::fdw
