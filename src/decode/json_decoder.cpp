#include "decode/json_decoder.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "decode/field_parser.h"
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
constexpr size_t max_shown_key = 64;

[[noreturn]] void throw_invalid(const char* message = invalid_json.message) {
  throw Error(sqlstate::invalid_text_representation, message);
}

/// simdjson's own texts differ between its versions and are never shown.
void check(simdjson::error_code error) {
  if (error == simdjson::SUCCESS) return;
  if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) throw std::bad_alloc();
  throw_invalid();
}

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && is_json_space(token.back())) token.remove_suffix(1);
  return token;
}

/// A key of the message for an error text, cut between characters.
std::string shown(std::string_view key) {
  if (key.size() <= max_shown_key) return std::string(key);
  size_t length = max_shown_key;
  while (length > 0 && (static_cast<unsigned char>(key[length]) & 0xC0) == 0x80) --length;
  return std::string(key.substr(0, length)) + "...";
}

/// The key that begins at `key`, behind the quote, as it is written.
std::string_view written_key(const char* key) {
  const char* end = key;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {key, static_cast<size_t>(end - key)};
}

/// One value of a message, as the columns that ask for it look at it.
struct Field {
  std::string_view raw;   ///< its JSON text
  std::string_view text;  ///< for columns that are not json: a string without its quotes, anything else as raw
  bool null = false;
  bool nested = false;                   ///< an array or an object
  bool escaped = false;                  ///< text has escapes yet
  const BadField* fault = nullptr;       ///< it is no JSON
  const BadField* text_fault = nullptr;  ///< the same, or it is JSON, but no text
};

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const Format& format, std::vector<Column> columns)
      : columns_(std::move(columns)), strict_(format.strict), root_(JsonPlace::make_root(columns_, strict_)) {}

  void decode(std::string_view message, std::span<Value> row) override;

 private:
  void load(std::string_view message);
  void reserve(size_t size);
  void parse(ondemand::document& document);
  void check_complete();

  void walk_object(ondemand::object object, JsonPlace& place, size_t depth);
  void walk_array(ondemand::array array, const JsonPlace& place, size_t depth);
  void take(JsonPlace& place, ondemand::value value, size_t depth);
  void fill(const JsonPlace& place, std::string_view token, size_t depth);
  void set(int column, Field& field);
  void unescape(Field& field);

  JsonPlace* find(JsonPlace& place, size_t position, const char* key);
  JsonPlace* look_up(const JsonPlace& place, std::string_view raw_key);

  const std::vector<Column> columns_;
  const bool strict_;
  const std::unique_ptr<JsonPlace> root_;

  size_t capacity_ = 0;  ///< of parser and buffers, padding not counted
  std::unique_ptr<ondemand::parser> parser_;
  std::unique_ptr<char[]> message_;     ///< size_ bytes, behind them zero bytes
  std::unique_ptr<uint8_t[]> strings_;  ///< unescaped strings; each at most once, so they fit
  size_t size_ = 0;
  uint8_t* strings_end_ = nullptr;
  std::span<Value> row_;
  std::optional<std::string_view> extra_;  ///< strict: the first key that no column asks for, as it is written
};

void JsonDecoder::decode(std::string_view message, std::span<Value> row) {
  std::fill(row.begin(), row.end(), Value{});
  if (!root_->has_children() && !strict_) return;
  row_ = row;
  extra_.reset();
  load(message);
  ondemand::document document;
  parse(document);
  try {
    ondemand::object object;
    check(document.get_object().get(object));
    walk_object(object, *root_, 1);
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) throw_invalid();
  } catch (const Error&) {
    std::fill(row.begin(), row.end(), Value{});
    throw;
  }
  if (strict_) check_complete();
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
  begin = std::find_if_not(begin, end, is_json_space);
  if (*begin != '{') throw_invalid("expected a JSON object");
  if (strict_) {
    const BadField* fault = nullptr;
    const char* object_end = json_value_end(begin, 0, fault);
    if (object_end == nullptr) throw Error(fault->sqlstate, fault->message);
    if (std::find_if_not(object_end, end, is_json_space) != end) throw_invalid();
  }
}

void JsonDecoder::check_complete() {
  int missing = -1;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (missing < 0 && row_[i].kind == Value::Kind::missing) missing = static_cast<int>(i);
    if (!columns_[i].needed) row_[i] = Value{};
  }
  if (extra_) throw Error(sqlstate::bad_copy_file_format, "extra field \"" + shown(*extra_) + "\"");
  if (missing >= 0)
    throw Error(sqlstate::bad_copy_file_format, "missing field \"" + columns_[missing].path + "\"", missing);
}

void JsonDecoder::walk_object(ondemand::object object, JsonPlace& place, size_t depth) {
  if (depth > max_json_depth) throw Error(sqlstate::statement_too_complex, "JSON is nested too deeply");
  size_t position = 0;
  for (auto entry : object) {
    ondemand::field field;
    check(std::move(entry).get(field));
    JsonPlace* child = find(place, position++, field.key().raw());
    if (child != nullptr) {
      take(*child, field.value(), depth);
    } else if (strict_ && depth == 1 && !extra_) {
      extra_ = written_key(field.key().raw());
    }
  }
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

/// `token` is the value from its first byte to the next token, whole if it is a scalar.
Field read_field(std::string_view token, size_t depth) {
  Field field;
  if (token[0] == '{' || token[0] == '[') {
    field.nested = true;
    const char* end = json_value_end(token.data(), depth, field.fault);
    if (end != nullptr) field.raw = field.text = {token.data(), static_cast<size_t>(end - token.data())};
    return field;
  }
  field.raw = field.text = trim_end(token);
  if (token[0] == '"') {
    if (field.raw.size() < 2 || field.raw.back() != '"') {
      field.fault = &invalid_json;
      return field;
    }
    field.text = field.raw.substr(1, field.raw.size() - 2);
    field.escaped = field.text.find('\\') != field.text.npos;
  } else if (!is_json_number(field.raw)) {
    field.null = field.raw == "null";
    if (!field.null && field.raw != "true" && field.raw != "false") field.fault = &invalid_json;
  }
  return field;
}

void JsonDecoder::fill(const JsonPlace& place, std::string_view token, size_t depth) {
  Field field;
  for (int column : place.columns()) {
    if (columns_[column].needed) {
      if (field.raw.empty() && field.fault == nullptr) {
        field = read_field(token, depth);
        field.text_fault = field.fault;
      }
      set(column, field);
    } else {
      row_[column].kind = Value::Kind::null;  // it is there: check_complete() undoes this
    }
  }
}

void JsonDecoder::set(int column, Field& field) {
  const Type type = columns_[column].type;
  if (type != Type::json && field.escaped) unescape(field);
  const BadField* fault = type == Type::json ? field.fault : field.text_fault;
  Value& value = row_[column];
  if (fault != nullptr) {
    value.kind = Value::Kind::bad;
    value.bad = fault;
  } else if (field.null) {
    value.kind = Value::Kind::null;
  } else {
    value = parse_field(type, type == Type::json ? field.raw : field.text);
    if (type == Type::other && field.nested) value.kind = Value::Kind::nested;
  }
}

void JsonDecoder::unescape(Field& field) {
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

std::unique_ptr<Decoder> make_json_decoder(const Format& format, std::vector<Column> columns) {
  return std::make_unique<JsonDecoder>(format, std::move(columns));
}

}  // namespace kafka_fdw::decode
