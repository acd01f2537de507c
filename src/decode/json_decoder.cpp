#include "decode/json_decoder.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "decode/field_parser.h"
#include "decode/json_field.h"
#include "decode/json_paths.h"
#include "decode/json_text.h"
#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t first_capacity = 4096;
/// What a decoder remembers of the order of keys; a hostile message must not make it remember more.
constexpr size_t max_seen_keys = 256;
constexpr size_t max_seen_length = 256;

[[noreturn]] void throw_invalid(const char* message = invalid_json.message) {
  throw Error(sqlstate::invalid_text_representation, message);
}

/// simdjson's own texts differ between its versions and are never shown.
void check(simdjson::error_code error) {
  if (error == simdjson::SUCCESS) return;
  if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) throw std::bad_alloc();
  throw_invalid();
}

/// The key that begins at `key`, behind the quote, as it is written.
std::string_view written_key(const char* key) {
  const char* end = key;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {key, static_cast<size_t>(end - key)};
}

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const JsonRules& rules, std::vector<Column> columns)
      : columns_(std::move(columns)), rules_(rules), root_(JsonPlace::make_root(columns_, rules.strict)) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].needed) continue;
      if (columns_[i].part == Part::sole) sole_ = static_cast<int>(i);
      if (columns_[i].part == Part::deletion) deletion_ = static_cast<int>(i);
    }
    if (root_->child("schema") != nullptr || root_->child("payload") != nullptr) rules_.unwrap = false;
    wants_nothing_ = !root_->has_children() && root_->columns().empty() && deletion_ < 0 && !rules_.strict;
  }

  void decode(std::string_view message, std::span<Value> row) override;

 private:
  void load(std::string_view message);
  void reserve(size_t size);
  void parse(ondemand::document& document);
  void check_strictly() const;
  void check_complete();

  bool may_be_wrapped() const;
  bool take_payload(ondemand::document& document);
  void take_object(ondemand::document& document);
  void take_other(std::string_view token, size_t depth);
  bool is_expected(std::string_view token) const;

  void walk_object(ondemand::object object, JsonPlace& place, size_t depth);
  void walk_array(ondemand::array array, const JsonPlace& place, size_t depth);
  void take(JsonPlace& place, ondemand::value value, size_t depth);
  void take_sole(std::string_view token, size_t depth);
  void set_deletion(bool deletion);
  void fill(const JsonPlace& place, std::string_view token, size_t depth);
  void set(int column, JsonField& field);
  void unescape(JsonField& field);

  JsonPlace* find(JsonPlace& place, size_t position, const char* key);
  JsonPlace* look_up(const JsonPlace& place, std::string_view raw_key);

  const std::vector<Column> columns_;
  JsonRules rules_;
  const std::unique_ptr<JsonPlace> root_;
  int sole_ = -1;      ///< the column of that part
  int deletion_ = -1;  ///< likewise
  bool wants_nothing_ = false;

  size_t capacity_ = 0;  ///< of parser and buffers, padding not counted
  std::unique_ptr<ondemand::parser> parser_;
  std::unique_ptr<char[]> message_;     ///< size_ bytes, behind them zero bytes
  std::unique_ptr<uint8_t[]> strings_;  ///< unescaped strings; each at most once, so they fit
  size_t size_ = 0;
  const char* begin_ = nullptr;  ///< of the document, without blanks before it
  uint8_t* strings_end_ = nullptr;
  std::span<Value> row_;
  std::optional<std::string_view> extra_;  ///< strict: the first key that no column asks for, as it is written
};

void JsonDecoder::decode(std::string_view message, std::span<Value> row) {
  std::fill(row.begin(), row.end(), Value{});
  if (wants_nothing_) return;
  row_ = row;
  extra_.reset();
  load(message);
  ondemand::document document;
  parse(document);
  try {
    if (*begin_ == '{')
      take_object(document);
    else
      take_other({begin_, static_cast<size_t>(message_.get() + size_ - begin_)}, 0);
  } catch (const Error&) {
    std::fill(row.begin(), row.end(), Value{});
    throw;
  }
  if (rules_.strict) check_complete();
}

void JsonDecoder::load(std::string_view message) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (message.starts_with(byte_order_mark)) message.remove_prefix(byte_order_mark.size());
  if (message.empty()) throw_invalid("empty message");
  reserve(message.size());
  size_ = message.size();
  std::memcpy(message_.get(), message.data(), size_);
  std::memset(message_.get() + size_, 0, simdjson::SIMDJSON_PADDING);
  strings_end_ = strings_.get();
}

void JsonDecoder::reserve(size_t size) {
  bool too_large = capacity_ > kept_buffer && size < kept_buffer / 2;
  if (size <= capacity_ && !too_large) return;
  capacity_ = 0;
  message_.reset();
  strings_.reset();
  parser_ = std::make_unique<ondemand::parser>();
  size_t capacity = std::max(first_capacity, size + size / 4);
  check(parser_->allocate(capacity, max_json_depth + 8));
  message_ = std::make_unique_for_overwrite<char[]>(capacity + simdjson::SIMDJSON_PADDING);
  strings_ = std::make_unique_for_overwrite<uint8_t[]>(capacity + simdjson::SIMDJSON_PADDING);
  capacity_ = capacity;
}

void JsonDecoder::parse(ondemand::document& document) {
  const char* begin = message_.get();
  const char* end = begin + size_;
  auto error = parser_->iterate(begin, size_, size_ + simdjson::SIMDJSON_PADDING).get(document);
  if (error != simdjson::SUCCESS && !is_utf8({begin, size_})) {
    throw Error(sqlstate::character_not_in_repertoire, "invalid byte sequence for encoding \"UTF8\"");
  }
  if (error == simdjson::EMPTY) throw_invalid("empty message");
  check(error);
  begin_ = std::find_if_not(begin, end, is_json_space);
  if (!is_expected({begin_, static_cast<size_t>(end - begin_)})) throw_invalid("expected a JSON object");
  // simdjson looks only at what it walks over.
  if (rules_.strict || *begin_ != '{') check_strictly();
}

/// Whether the token may be that of a document.
bool JsonDecoder::is_expected(std::string_view token) const {
  return token.starts_with('{') || rules_.any_document || (deletion_ >= 0 && token.starts_with("null"));
}

void JsonDecoder::check_strictly() const {
  const BadField* fault = nullptr;
  const char* document_end = json_value_end(begin_, 0, fault);
  if (document_end == nullptr) throw Error(fault->sqlstate, fault->message);
  const char* end = message_.get() + size_;
  if (std::find_if_not(document_end, end, is_json_space) != end) throw_invalid();
}

void JsonDecoder::check_complete() {
  int missing = -1;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (missing < 0 && row_[i].kind == Value::Kind::missing) missing = static_cast<int>(i);
    if (!columns_[i].needed) row_[i] = Value{};
  }
  if (extra_) throw Error(sqlstate::bad_copy_file_format, "extra field \"" + shown_json_key(*extra_) + "\"");
  if (missing >= 0)
    throw Error(sqlstate::bad_copy_file_format, "missing field \"" + columns_[missing].path + "\"", missing);
}

void JsonDecoder::take_object(ondemand::document& document) {
  if (rules_.unwrap && may_be_wrapped()) {
    if (take_payload(document)) return;
    // All that was looked at is forgotten.
    std::fill(row_.begin(), row_.end(), Value{});
    strings_end_ = strings_.get();
    document.rewind();
  }
  ondemand::object object;
  check(document.get_object().get(object));
  fill(*root_, {begin_, static_cast<size_t>(message_.get() + size_ - begin_)}, 0);
  walk_object(object, *root_, 1);
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) throw_invalid();
}

/// An object that begins with another key is not wrapped, which costs the messages of most topics one comparison.
bool JsonDecoder::may_be_wrapped() const {
  const char* key = std::find_if_not(begin_ + 1, static_cast<const char*>(message_.get() + size_), is_json_space);
  const std::string_view rest(key, static_cast<size_t>(message_.get() + size_ - key));
  return rest.starts_with("\"schema\"") || rest.starts_with("\"payload\"");
}

/// False: the document is not wrapped after all, whatever was taken.
bool JsonDecoder::take_payload(ondemand::document& document) {
  ondemand::object wrapper;
  check(document.get_object().get(wrapper));
  bool schema = false;
  bool payload = false;
  bool expected = false;
  for (auto entry : wrapper) {
    ondemand::field field;
    check(std::move(entry).get(field));
    const std::string_view key = written_key(field.key().raw());
    ondemand::value value = field.value();
    const std::string_view token = value.raw_json_token();
    if (key == "schema" && !schema && (token[0] == '{' || token[0] == 'n')) {
      schema = true;
    } else if (key == "payload" && !payload) {
      payload = true;
      expected = is_expected(token);
      if (token[0] == '{')
        take(*root_, value, 1);
      else if (expected)
        take_other(token, 1);
    } else {
      return false;
    }
  }
  if (!schema || !payload) return false;
  if (!expected) throw_invalid("expected a JSON object");
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) throw_invalid();
  return true;
}

/// A document that is no object.
void JsonDecoder::take_other(std::string_view token, size_t depth) {
  fill(*root_, token, depth);
  if (sole_ < 0 && deletion_ < 0) return;
  JsonField field = read_json_field(token, depth);
  if (field.fault != nullptr) throw_invalid();
  if (sole_ >= 0) set(sole_, field);
  if (deletion_ >= 0) set_deletion(field.null);
}

void JsonDecoder::walk_object(ondemand::object object, JsonPlace& place, size_t depth) {
  if (depth > max_json_depth) throw Error(sqlstate::statement_too_complex, "JSON is nested too deeply");
  const bool is_document = &place == root_.get();
  size_t position = 0;
  std::string_view other;
  for (auto entry : object) {
    ondemand::field field;
    check(std::move(entry).get(field));
    JsonPlace* child = find(place, position++, field.key().raw());
    if (child != nullptr) {
      take(*child, field.value(), depth);
    } else if (is_document) {
      if (rules_.strict && !extra_) extra_ = written_key(field.key().raw());
      if (sole_ >= 0) other = field.value().raw_json_token();
    }
  }
  if (!is_document) return;
  if (deletion_ >= 0) set_deletion(false);
  if (position == 1 && !other.empty()) take_sole(other, depth);
}

void JsonDecoder::take_sole(std::string_view token, size_t depth) {
  JsonField field = read_json_field(token, depth);
  set(sole_, field);
}

void JsonDecoder::set_deletion(bool deletion) {
  row_[deletion_].kind = Value::Kind::boolean;
  row_[deletion_].boolean = deletion;
}

void JsonDecoder::walk_array(ondemand::array array, const JsonPlace& place, size_t depth) {
  if (depth > max_json_depth) throw Error(sqlstate::statement_too_complex, "JSON is nested too deeply");
  auto wanted = place.elements().begin();
  size_t index = 0;
  for (auto element : array) {
    if (wanted == place.elements().end()) return;
    ondemand::value value;
    check(std::move(element).get(value));
    if (wanted->first == index++) take(*(wanted++)->second, value, depth);
  }
}

/// Takes the value at `place`, which stands in `depth` objects and arrays.
void JsonDecoder::take(JsonPlace& place, ondemand::value value, size_t depth) {
  // Of duplicates the last wins, with all that is in it: what an earlier one had below here is forgotten.
  for (int column : place.below()) row_[column] = Value{};
  std::string_view token = value.raw_json_token();
  fill(place, token, depth);
  if (!place.has_children()) return;
  if (token[0] == '{') {
    ondemand::object object;
    check(value.get_object().get(object));
    walk_object(object, place, depth + 1);
  } else if (token[0] == '[') {
    ondemand::array array;
    check(value.get_array().get(array));
    walk_array(array, place, depth + 1);
  }
}

void JsonDecoder::fill(const JsonPlace& place, std::string_view token, size_t depth) {
  JsonField field;
  for (int column : place.columns()) {
    if (!columns_[column].needed) {
      row_[column].kind = Value::Kind::null;  // it is there: check_complete() undoes this
    } else if (columns_[column].type == Type::outline) {
      row_[column].kind = token[0] == 'n' ? Value::Kind::null : Value::Kind::boolean;
      row_[column].boolean = token[0] == '{';
    } else {
      if (field.raw.empty() && field.fault == nullptr) field = read_json_field(token, depth);
      set(column, field);
    }
  }
}

void JsonDecoder::set(int column, JsonField& field) {
  const Type type = columns_[column].type;
  // Debezium writes a document of a json column as a string.
  const bool as_json = type == Type::json && !(rules_.debezium && field.string);
  if (field.escaped && !as_json) unescape(field);
  const BadField* fault = as_json ? field.fault : field.text_fault;
  if (fault == nullptr && rules_.debezium) fault = debezium_fault(field, columns_[column]);
  Value& value = row_[column];
  if (fault != nullptr) {
    value.kind = Value::Kind::bad;
    value.bad = fault;
  } else if (field.null) {
    value.kind = Value::Kind::null;
  } else if (rules_.debezium && type == Type::date && is_json_number(field.raw)) {
    value = debezium_date(field.raw);
  } else {
    value = parse_field(type, as_json ? field.raw : field.text);
    if (type == Type::other && field.nested) value.kind = Value::Kind::nested;
  }
}

void JsonDecoder::unescape(JsonField& field) {
  ondemand::raw_json_string raw(reinterpret_cast<const uint8_t*>(field.text.data()));
  field.escaped = false;
  if (parser_->unescape(raw, strings_end_).get(field.text) != simdjson::SUCCESS)
    field.text_fault = &invalid_json_escape;
  else if (field.text.find('\0') != field.text.npos)
    field.text_fault = &json_zero;
}

/// The place within `place` for the key that is the object's `position`-th.
JsonPlace* JsonDecoder::find(JsonPlace& place, size_t position, const char* key) {
  auto& seen = place.seen();
  if (position < seen.size()) {
    const std::string& expected = seen[position].raw_key;
    const char* end = key + expected.size();
    if (end < message_.get() + size_ && std::memcmp(key, expected.data(), expected.size()) == 0 && *end == '"') {
      return seen[position].child;
    }
  }
  std::string_view raw_key = written_key(key);
  JsonPlace* child = look_up(place, raw_key);
  if (raw_key.size() <= max_seen_length && position < max_seen_keys) {
    if (position == seen.size()) seen.emplace_back();
    if (position < seen.size()) seen[position] = {std::string(raw_key), child};
  }
  return child;
}

JsonPlace* JsonDecoder::look_up(const JsonPlace& place, std::string_view raw_key) {
  std::string_view key = raw_key;
  uint8_t* space = strings_end_;  // not kept: what is unescaped next may use it again
  bool valid = true;
  if (raw_key.find('\\') != raw_key.npos) {
    ondemand::raw_json_string raw(reinterpret_cast<const uint8_t*>(raw_key.data()));
    valid = parser_->unescape(raw, space).get(key) == simdjson::SUCCESS;
  }
  return valid ? place.child(key) : nullptr;
}

}  // namespace

std::unique_ptr<Decoder> make_json_decoder(const JsonRules& rules, std::vector<Column> columns) {
  return std::make_unique<JsonDecoder>(rules, std::move(columns));
}

}  // namespace kafka_fdw::decode
