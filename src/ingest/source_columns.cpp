#include "ingest/source_columns.h"

#include <algorithm>

#include "ingest/fail.h"
#include "ingest/primary_key.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::ingest {

namespace {

/// Where the message key has the stream's primary key.
enum class KeyPlace : uint8_t { nowhere, whole, fields };

/// The type that a metadata column of the source gets; the statement's assignment casts it to the stream's.
Oid metadata_type(const std::string& option, const std::string& key_format, Oid wanted) {
  if (option == "partition") return INT4OID;
  if (option == "offset") return INT8OID;
  if (option == "headers") return JSONBOID;
  if (option == "key" && key_format != "raw") return pg::call([&] { return getBaseType(wanted); });
  if (option == "key") return wanted == BYTEAOID ? BYTEAOID : TEXTOID;
  return wanted == TIMESTAMPOID || wanted == INT8OID ? wanted : TIMESTAMPTZOID;
}

SourceColumn make_column(const std::string& name, Oid type, const char* option) {
  SourceColumn column{.attribute = {.name = name, .type = type}, .options = {{option, "true"}}};
  column.attribute.collation = pg::call([&] { return get_typcollation(type); });
  return column;
}

SourceColumn metadata_column(const Attribute& attribute, const std::string& key_format) {
  const std::string option = attribute.name.substr(strlen("kafka_"));
  return make_column(attribute.name, metadata_type(option, key_format, attribute.type), option.c_str());
}

/// A domain's constraints are left to the statement's assignment: a field that is missing would slip past them here.
SourceColumn field_column(const Attribute& attribute) {
  SourceColumn column{.attribute = attribute, .options = {}};
  column.attribute.type = pg::call([&] { return getBaseTypeAndTypmod(attribute.type, &column.attribute.typmod); });
  column.attribute.generated = false;
  column.attribute.identity_always = false;
  return column;
}

bool is_document(const Attribute& attribute) { return attribute.type == JSONOID || attribute.type == JSONBOID; }

bool is_bytes(const KeyColumn& column) {
  return pg::call([&] { return getBaseType(column.type); }) == BYTEAOID;
}

bool is_string(const KeyColumn& column) {
  return pg::call([&] {
    char category = '\0';
    bool preferred = false;
    get_type_category_preferred(getBaseType(column.type), &category, &preferred);
    return category == TYPCATEGORY_STRING;
  });
}

/// The key as bytes is one column of bytes or text; of Debezium's it is not taken for a text, as it is a document.
KeyPlace place_of_key(const Consumer& consumer, const std::vector<KeyColumn>& key) {
  if (consumer.key_format == "json") return KeyPlace::fields;
  if (consumer.key_format == "text") {
    if (key.size() == 1) return KeyPlace::whole;
    fail(ERRCODE_INVALID_PARAMETER_VALUE,
         "key_format text gives one value, but the primary key of the stream has " + std::to_string(key.size()) +
             " columns",
         "With key_format => 'json' they are fields of the key; with 'raw' they come from the value.");
  }
  const bool fits = key.size() == 1 && (is_bytes(key[0]) || is_string(key[0]));
  return fits && consumer.envelope == Envelope::upsert ? KeyPlace::whole : KeyPlace::nowhere;
}

/// Makes the source of a consumer with an envelope.
class EnvelopeColumns {
 public:
  explicit EnvelopeColumns(const Consumer& consumer)
      : consumer_(consumer),
        stream_(attributes_of(consumer.stream)),
        filled_(filled_columns(stream_, consumer.columns)),
        key_(require_primary_key(consumer.stream)),
        place_(place_of_key(consumer, key_)) {}

  std::vector<SourceColumn> make() {
    for (const Attribute& attribute : filled_) {
      if (is_metadata_name(attribute.name))
        add(metadata_column(attribute, consumer_.key_format));
      else
        add(is_key(attribute) ? key_column(attribute) : value_column(attribute));
    }
    for (const KeyColumn& column : key_) add_key(column);
    add(make_column(envelope_column::deleted, BOOLOID, "deleted"));
    if (!has("kafka_partition")) add(make_column(envelope_column::partition, INT4OID, "partition"));
    if (!has("kafka_offset")) add(make_column(envelope_column::offset, INT8OID, "offset"));
    if (consumer_.envelope == Envelope::debezium) add_before();
    return std::move(columns_);
  }

 private:
  void add(SourceColumn column) { columns_.push_back(std::move(column)); }

  bool has(const std::string& name) const { return find_attribute(filled_, name) != nullptr; }

  bool is_key(const Attribute& attribute) const {
    return std::ranges::find(key_, attribute.name, &KeyColumn::name) != key_.end();
  }

  /// Whether the one column that messages fill takes them as they are.
  bool takes_documents() const {
    if (consumer_.format != "json" || consumer_.envelope != Envelope::upsert) return false;
    const auto is_field = [](const Attribute& attribute) { return !is_metadata_name(attribute.name); };
    const auto field = std::ranges::find_if(filled_, is_field);
    return field != filled_.end() && std::find_if(field + 1, filled_.end(), is_field) == filled_.end() &&
           is_document(field_column(*field).attribute);
  }

  SourceColumn value_column(const Attribute& attribute) const {
    SourceColumn column = field_column(attribute);
    if (takes_documents()) column.options.emplace_back("payload", "true");
    return column;
  }

  /// Values of json may have the key's columns whether the consumer fills them or not; values of text and csv have just
  /// the columns that it fills.
  bool is_in_value(const Attribute& attribute) const {
    if (consumer_.format == "raw") return false;
    if (consumer_.format == "json") return place_ == KeyPlace::nowhere || !takes_documents();
    return has(attribute.name);
  }

  SourceColumn key_column(const Attribute& attribute) const {
    SourceColumn column = field_column(attribute);
    column.options.emplace_back("row_key", "true");
    if (is_in_value(attribute)) column.options.emplace_back("field", attribute.name);
    if (place_ == KeyPlace::whole) column.options.emplace_back("key", "true");
    if (place_ == KeyPlace::fields) column.options.emplace_back("key_field", attribute.name);
    if (column.options.size() == 1)
      fail(ERRCODE_INVALID_PARAMETER_VALUE,
           "primary key column \"" + attribute.name + "\" comes neither from the key of a message nor from its value",
           "Say how to read the key: key_format => 'json' or 'text'.");
    return column;
  }

  void add_key(const KeyColumn& column) {
    const Attribute& attribute = *find_attribute(stream_, column.name);
    if (attribute.generated || is_metadata_name(attribute.name))
      fail(ERRCODE_INVALID_PARAMETER_VALUE,
           "primary key column \"" + column.name + "\" is none that a message can fill", {},
           "With an envelope, messages say by the primary key which row they are about.");
    if (!has(column.name)) add(key_column(attribute));
  }

  void add_before() {
    for (size_t i = 0; i < key_.size(); ++i) {
      SourceColumn column = field_column(*find_attribute(stream_, key_[i].name));
      column.attribute.name = envelope_column::before(i + 1);
      column.options.emplace_back("before", key_[i].name);
      add(std::move(column));
    }
  }

  const Consumer& consumer_;
  const std::vector<Attribute> stream_;
  const std::vector<Attribute> filled_;
  const std::vector<KeyColumn> key_;
  const KeyPlace place_;
  std::vector<SourceColumn> columns_;
};

/// A key of bytes that goes into a text column is text.
std::string key_format_of_source(const Consumer& consumer) {
  if (consumer.key_format != "raw" || consumer.envelope != Envelope::upsert) return consumer.key_format;
  const std::vector<KeyColumn> key = require_primary_key(consumer.stream);
  return place_of_key(consumer, key) == KeyPlace::whole && !is_bytes(key[0]) ? "text" : "raw";
}

}  // namespace

std::vector<SourceColumn> source_columns(const Consumer& consumer) {
  if (consumer.envelope != Envelope::none) return EnvelopeColumns(consumer).make();
  std::vector<SourceColumn> columns;
  std::vector<size_t> fields;
  for (const Attribute& attribute : filled_columns(attributes_of(consumer.stream), consumer.columns)) {
    if (is_metadata_name(attribute.name)) {
      columns.push_back(metadata_column(attribute, consumer.key_format));
    } else {
      fields.push_back(columns.size());
      columns.push_back(field_column(attribute));
    }
  }
  if (consumer.format == "json" && fields.size() == 1 && is_document(columns[fields[0]].attribute))
    columns[fields[0]].options.emplace_back("payload", "true");
  return columns;
}

Options source_options(const Consumer& consumer) {
  Options options{{"topic", consumer.topic}, {"format", consumer.format}};
  if (consumer.delimiter) options.emplace_back("delimiter", *consumer.delimiter);
  if (consumer.format == "text" || consumer.format == "csv") options.emplace_back("strict", "true");
  const bool envelope = consumer.envelope != Envelope::none;
  if (envelope) options.emplace_back("envelope", name_of(consumer.envelope));
  const std::string key_format = key_format_of_source(consumer);
  if (envelope || key_format != "raw") options.emplace_back("key_format", key_format);
  return options;
}

}  // namespace kafka_fdw::ingest
