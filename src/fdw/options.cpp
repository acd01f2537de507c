#include "fdw/options.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "fdw/position.h"
#include "pg/arguments.h"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace kafka_fdw::fdw {

namespace {

using kafka::Property;
using kafka::PropertyClass;
using Place = OptionPlace;
using Type = OptionType;

constexpr Option options_table[] = {
    {"brokers", Place::server, Type::text, true,
     "host:port, comma separated; absent: the rows of pipeline_kafka_brokers"},
    {"schema_registry", Place::server, Type::text, false, "URL of a Confluent-compatible schema registry"},
    {"password_required", Place::mapping, Type::trust, true,
     "false: the role may use a server that demands authentication without a secret of its own (superuser only)"},
    {"registry.username", Place::mapping, Type::text, false, "user for the schema registry"},
    {"registry.password", Place::mapping, Type::text, false, "password for the schema registry"},
    {"topic", Place::table, Type::text, true, "the topic (required)"},
    {"format", Place::table, Type::format, true, "json (default), text, csv or raw"},
    {"delimiter", Place::table, Type::copy, true, "text, csv: as COPY"},
    {"quote", Place::table, Type::copy, true, "csv: as COPY"},
    {"escape", Place::table, Type::copy, true, "csv: as COPY"},
    {"null", Place::table, Type::copy, true, "text, csv: as COPY"},
    {"encoding", Place::table, Type::copy, true,
     "of messages and of keys as text; UTF8 by default, and always for json"},
    {"strict", Place::table, Type::boolean, true, "missing or extra fields are errors"},
    {"ignore_junk", Place::table, Type::boolean, true, "what does not decode is NULL"},
    {"start", Place::table, Type::position, true, "where a scan begins whose query gives no lower bound of offsets"},
    {"key_partitioner", Place::table, Type::partitioner, true, "how producers choose the partition: murmur2 or crc32"},
    {"max_timestamp_disorder", Place::table, Type::interval, true,
     "the owner's promise: no message is older than one before it by more than this"},
    {"num_partitions", Place::table, Type::count, true, "a hint; never changes a result"},
    {"batch_size", Place::table, Type::count, true, "a hint; never changes a result"},
    {"buffer_delay", Place::table, Type::count, true, "a hint; never changes a result"},
    {"subject", Place::table, Type::text, false, "the subject in the schema registry"},
    {"schema_id", Place::table, Type::text, false, "the schema's id in the registry"},
    {"schema", Place::table, Type::text, false, "a schema that all messages have"},
    {"message", Place::table, Type::text, false, "protobuf: the name of the message type"},
    {"key_format", Place::table, Type::key_format, true, "of keys: raw (default), text or json"},
    {"envelope", Place::table, Type::envelope, true,
     "what a message says of a row: none (default), upsert or debezium"},
    {"partition", Place::column, Type::boolean, true, "the partition (integer)"},
    {"offset", Place::column, Type::boolean, true, "the offset (bigint)"},
    {"timestamp", Place::column, Type::boolean, true,
     "the timestamp (timestamp with or without time zone, or bigint for milliseconds)"},
    {"key", Place::column, Type::boolean, true, "the key (bytea, text, or what key_format decodes to)"},
    {"headers", Place::column, Type::boolean, true, "the headers (jsonb)"},
    {"payload", Place::column, Type::boolean, true, "the whole value (bytea, text, json or jsonb)"},
    {"tombstone", Place::column, Type::boolean, true, "whether the value is null (boolean)"},
    {"junk", Place::column, Type::boolean, true, "the value of a message that did not decode (text)"},
    {"junk_error", Place::column, Type::boolean, true, "why a message did not decode (text)"},
    {"field", Place::column, Type::text, true, "the field's name, or a JSON pointer where it begins with /"},
    {"json", Place::column, Type::text, true, "the same as field"},
    {"key_field", Place::column, Type::text, true, "a field of the key: its name, or a JSON pointer"},
    {"row_key", Place::column, Type::boolean, true,
     "with an envelope: a part of what says which row a message is about"},
    {"before", Place::column, Type::text, true, "with the envelope debezium: a field of the row before it changed"},
    {"deleted", Place::column, Type::boolean, true, "with an envelope: whether the row is deleted (boolean)"},
    {"force_null", Place::column, Type::boolean, true, "csv: as COPY"},
    {"force_not_null", Place::column, Type::boolean, true, "csv: as COPY"},
    {"sample", Place::import, Type::count, true, "how many messages of a topic its columns are inferred from; 1000"},
    {"flatten", Place::import, Type::boolean, true, "json: the fields of nested objects get columns of their own"},
};

constexpr std::string_view metadata_roles[] = {"partition", "offset",    "timestamp", "key",        "headers",
                                               "payload",   "tombstone", "junk",      "junk_error", "deleted"};

const char* name_of(Place place) {
  switch (place) {
    case Place::server:
      return "a server";
    case Place::mapping:
      return "a user mapping";
    case Place::table:
      return "a foreign table";
    case Place::column:
      return "a column";
    case Place::import:
      return "IMPORT FOREIGN SCHEMA";
  }
  return "";
}

/// Where a librdkafka property belongs first; nullptr: nowhere.
const char* place_of(PropertyClass property_class) {
  switch (property_class) {
    case PropertyClass::secret:
      return name_of(Place::mapping);
    case PropertyClass::superuser:
    case PropertyClass::server:
      return name_of(Place::server);
    case PropertyClass::table:
      return "a foreign table or a server";
    case PropertyClass::never:
    case PropertyClass::fixed:
      break;
  }
  return nullptr;
}

bool is_allowed(const Option& option, Place place) {
  // Each table has a topic of its own, and gets columns for what messages are without an envelope.
  const bool imported = option.place == Place::table && option.name != "topic" && option.name != "envelope";
  return option.place == place || (place == Place::import && imported);
}

bool is_allowed(PropertyClass property_class, Place place) {
  switch (place) {
    case Place::server:
      return property_class == PropertyClass::server || property_class == PropertyClass::superuser ||
             property_class == PropertyClass::table;
    case Place::mapping:
      return property_class == PropertyClass::secret;
    case Place::table:
    case Place::import:
      return property_class == PropertyClass::table;
    case Place::column:
      return false;
  }
  return false;
}

void refuse_value(std::string_view name, const std::string& value, const char* hint) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for option \"%.*s\": \"%s\"", static_cast<int>(name.size()), name.data(),
                           value.c_str()),
                    errhint("%s", hint)));
  });
}

void refuse_name(const std::string& message, const std::string& hint) {
  pg::call([&] {
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("%s", message.c_str()), errhint("%s", hint.c_str())));
  });
}

[[noreturn]] void refuse_unknown(const std::string& name, Place place) {
  std::vector<std::string_view> own;
  for (const Option& option : options_table)
    if (is_allowed(option, place) && option.implemented) own.push_back(option.name);
  std::vector<std::string_view> known = own;
  for (const Property& property : kafka::all_properties())
    if (is_allowed(property.property_class, place)) known.push_back(property.name);
  std::string hint;
  if (const std::string_view closest = kafka::closest_name(name, known); !closest.empty()) {
    hint = "Perhaps you meant the option \"" + std::string(closest) + "\".";
  } else {
    hint = "Options of " + std::string(name_of(place)) + " are: ";
    for (size_t i = 0; i < own.size(); ++i) hint.append(i == 0 ? "" : ", ").append(own[i]);
    if (place != Place::column) hint += "; and properties of librdkafka that may be set there";
    hint += ".";
  }
  refuse_name("invalid option \"" + name + "\"", hint);
  pg_unreachable();
}

[[noreturn]] void refuse_place(const std::string& name, Place place, const char* belongs) {
  refuse_name("option \"" + name + "\" cannot be set on " + name_of(place),
              std::string("It belongs to ") + belongs + ".");
  pg_unreachable();
}

void check_property(const std::string& name, const std::string& value, Place place) {
  const Property* property = kafka::find_property(name);
  if (property == nullptr) refuse_unknown(name, place);
  const char* belongs = place_of(property->property_class);
  if (belongs == nullptr)
    refuse_name("librdkafka property \"" + name + "\" cannot be set", std::string(property->doc) + ".");
  if (!is_allowed(property->property_class, place)) refuse_place(name, place, belongs);
  const bool privileged = kafka::required_class(*property, value) == PropertyClass::superuser;
  if (privileged && !pg::call([] { return superuser(); }))
    pg::call([&] {
      ereport(ERROR,
              (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("only a superuser may set \"%s\"", name.c_str())));
    });
  kafka::check_property(name, value);
}

bool parse_boolean(std::string_view name, const std::string& value) {
  bool result = false;
  if (!parse_bool(value.c_str(), &result)) refuse_value(name, value, "It must be true or false.");
  return result;
}

/// A leaf: may raise.
Interval* parse_interval(const std::string& value) {
  return DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(value.c_str()),
                                               ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

void check_interval(std::string_view name, const std::string& value) {
  const bool negative = pg::call([&] {
    Interval zero{};
    return DatumGetBool(
        DirectFunctionCall2(interval_lt, IntervalPGetDatum(parse_interval(value)), IntervalPGetDatum(&zero)));
  });
  if (negative) refuse_value(name, value, "It must not be negative.");
}

void check_value(const Option& option, const std::string& value) {
  switch (option.type) {
    case Type::text:
      if (value.empty()) refuse_value(option.name, value, "It must not be empty.");
      return;
    case Type::boolean:
      parse_boolean(option.name, value);
      return;
    case Type::trust:
      if (!parse_boolean(option.name, value) && !pg::call([] { return superuser(); }))
        pg::call([] {
          ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                          errmsg("only a superuser may set \"password_required\" to false")));
        });
      return;
    case Type::count: {
      int32_t count = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), count);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || count < 1)
        refuse_value(option.name, value, "It must be a positive integer.");
      return;
    }
    case Type::position:
      parse_position(value);
      return;
    case Type::interval:
      check_interval(option.name, value);
      return;
    case Type::partitioner:
      if (value != "murmur2" && value != "crc32") refuse_value(option.name, value, "It must be murmur2 or crc32.");
      return;
    case Type::copy:
    case Type::format:
    case Type::key_format:
    case Type::envelope:
      return;  // parse_format looks at them together
  }
}

void check_table(const OptionValues& options) {
  if (!options.contains("topic"))
    pg::call([] {
      ereport(ERROR, (errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
                      errmsg("option \"topic\" is required for a foreign table of Kafka"),
                      errhint("Add OPTIONS (topic 'name').")));
    });
  parse_format(options);
}

void check_column(const OptionValues& options) {
  std::vector<std::string_view> sources;
  for (const std::string_view role : metadata_roles)
    if (is_set(options, role)) sources.push_back(role);
  for (const char* name : {"field", "json", "key_field", "before"})
    if (options.contains(name)) sources.emplace_back(name);
  // What says which row a message is about is looked for in both.
  if (is_set(options, "row_key"))
    std::erase_if(sources, [](std::string_view source) { return source == "field" || source == "json"; });
  if (sources.size() < 2) return;
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("options \"%.*s\" and \"%.*s\" exclude each other", static_cast<int>(sources[0].size()),
                           sources[0].data(), static_cast<int>(sources[1].size()), sources[1].data()),
                    errhint("A column shows one thing.")));
  });
}

decode::Format::Kind parse_format_kind(const OptionValues& options) {
  using Kind = decode::Format::Kind;
  const auto option = options.find("format");
  const std::string name = option == options.end() ? "json" : option->second;
  if (name == "json") return Kind::json;
  if (name == "text") return Kind::text;
  if (name == "csv") return Kind::csv;
  if (name == "raw") return Kind::raw;
  if (name == "avro" || name == "protobuf")
    pg::call([&] {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("format \"%s\" is not supported yet", name.c_str())));
    });
  refuse_value("format", name, "It must be json, text, csv or raw.");
  pg_unreachable();
}

decode::KeyFormat parse_key_format(const OptionValues& options) {
  using Kind = decode::KeyFormat::Kind;
  const auto option = options.find("key_format");
  const std::string name = option == options.end() ? "raw" : option->second;
  if (name == "raw") return {.kind = Kind::raw};
  if (name == "text") return {.kind = Kind::text};
  if (name == "json") return {.kind = Kind::json};
  if (name == "avro" || name == "protobuf")
    pg::call([&] {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("key_format \"%s\" is not supported yet", name.c_str())));
    });
  refuse_value("key_format", name, "It must be raw, text or json.");
  pg_unreachable();
}

decode::Envelope parse_envelope(const OptionValues& options, decode::Format::Kind format) {
  using decode::Envelope;
  const auto option = options.find("envelope");
  const std::string name = option == options.end() ? "none" : option->second;
  if (name == "none") return Envelope::none;
  if (name == "upsert") return Envelope::upsert;
  if (name != "debezium") refuse_value("envelope", name, "It must be none, upsert or debezium.");
  if (format != decode::Format::Kind::json)
    pg::call([] {
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("envelope debezium is for the format json"),
               errhint("Debezium's events are JSON with the converter org.apache.kafka.connect.json.JsonConverter: "
                       "say format json.")));
    });
  return Envelope::debezium;
}

/// COPY's own check and defaults. A leaf: may raise.
CopyFormatOptions process_copy_options(const OptionValues& options, bool csv) {
  List* list = list_make1(
      makeDefElem(pstrdup("format"), reinterpret_cast<Node*>(makeString(pstrdup(csv ? "csv" : "text"))), -1));
  for (const char* name : {"delimiter", "quote", "escape", "null", "encoding"}) {
    const auto option = options.find(name);
    if (option == options.end()) continue;
    Node* value = reinterpret_cast<Node*>(makeString(pstrdup(option->second.c_str())));
    list = lappend(list, makeDefElem(pstrdup(name), value, -1));
  }
  CopyFormatOptions copy{};
  ProcessCopyOptions(nullptr, &copy, true, list);
  return copy;
}

void apply_copy_options(const OptionValues& options, TableFormat& result) {
  CopyFormatOptions copy{};
  try {
    copy = pg::call([&] { return process_copy_options(options, result.format.kind == decode::Format::Kind::csv); });
  } catch (const pg::Error& error) {
    // COPY calls some of them syntax errors or unsupported: for an option all are a bad value.
    error.data()->sqlerrcode = ERRCODE_INVALID_PARAMETER_VALUE;
    throw;
  }
  decode::Format& format = result.format;
  format.delimiter = copy.delim[0];
  if (copy.quote != nullptr) format.quote = copy.quote[0];
  if (copy.escape != nullptr) format.escape = copy.escape[0];
  format.null = copy.null_print;
  format.verify_utf8 = GetDatabaseEncoding() == PG_UTF8;
  if (copy.file_encoding >= 0) result.encoding = copy.file_encoding;
}

}  // namespace

const Option* find_option(std::string_view name) noexcept {
  const auto found = std::ranges::find(options_table, name, &Option::name);
  return found == std::end(options_table) ? nullptr : found;
}

OptionValues read_options(List* options) {
  OptionValues values;
  for (int i = 0; i < list_length(options); ++i) {
    auto* element = static_cast<DefElem*>(list_nth(options, i));
    const char* value = pg::call([&] { return static_cast<const char*>(defGetString(element)); });
    values.insert_or_assign(element->defname, value);
  }
  return values;
}

void check_options(const OptionValues& options, OptionPlace place) {
  for (const auto& [name, value] : options) {
    const Option* option = find_option(name);
    if (option == nullptr) {
      check_property(name, value, place);
      continue;
    }
    if (!is_allowed(*option, place)) refuse_place(name, place, name_of(option->place));
    if (!option->implemented)
      pg::call([&, text = name.c_str()] {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("option \"%s\" is not supported yet", text)));
      });
    check_value(*option, value);
  }
  if (place == Place::table) check_table(options);
  if (place == Place::import) parse_format(options);
  if (place == Place::column) check_column(options);
}

kafka::Properties properties_of(const OptionValues& options) {
  kafka::Properties properties;
  for (const auto& [name, value] : options)
    if (find_option(name) == nullptr) properties.emplace(name, value);
  return properties;
}

std::chrono::milliseconds interval_of(const std::string& value) {
  const Interval* interval = pg::call([&] { return parse_interval(value); });
  return pg::milliseconds_of(interval) + std::chrono::milliseconds(interval->time % 1000 == 0 ? 0 : 1);
}

bool is_set(const OptionValues& options, std::string_view name) {
  const auto option = options.find(name);
  return option != options.end() && parse_boolean(name, option->second);
}

TableFormat parse_format(const OptionValues& options) {
  using Kind = decode::Format::Kind;
  TableFormat result{.format = {.kind = parse_format_kind(options), .strict = is_set(options, "strict")},
                     .key_format = parse_key_format(options),
                     .encoding = PG_UTF8};
  result.format.envelope = parse_envelope(options, result.format.kind);
  if (result.format.kind == Kind::text || result.format.kind == Kind::csv) {
    apply_copy_options(options, result);
    return result;
  }
  for (const char* name : {"delimiter", "quote", "escape", "null"})
    if (options.contains(name)) {
      pg::call([&] {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"%s\" is for the formats text and csv", name)));
      });
    }
  if (const auto encoding = options.find("encoding"); encoding != options.end()) {
    result.encoding = pg_valid_client_encoding(encoding->second.c_str());
    if (result.encoding < 0) refuse_value("encoding", encoding->second, "It must be the name of an encoding.");
    if (result.format.kind == Kind::json && result.encoding != PG_UTF8)
      refuse_value("encoding", encoding->second, "JSON is always UTF8.");
  }
  return result;
}

}  // namespace kafka_fdw::fdw
