#include "decode/json_field.h"

#include <charconv>

#include "decode/json_text.h"
#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

constexpr size_t max_shown_key = 64;

/// unavailable.value.placeholder of a connector, and the same as bytes.
constexpr std::string_view placeholder = "__debezium_unavailable_value";
constexpr std::string_view placeholder_bytes = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && is_json_space(token.back())) token.remove_suffix(1);
  return token;
}

bool is_left_out(const JsonField& field) {
  if (field.nested)
    return field.raw.find(placeholder) != field.raw.npos || field.raw.find(placeholder_bytes) != field.raw.npos;
  return field.string && (field.text == placeholder || field.text == placeholder_bytes);
}

/// 1970-01-01, and what PostgreSQL's dates lie between, in days since 2000-01-01.
constexpr int64_t epoch = -10957;
constexpr int64_t first_day = -2451545;
constexpr int64_t end_of_days = 2145031949;

/// Whether a number, outside of strings, is in a JSON text that has been checked.
bool holds_number(std::string_view json) {
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (in_string && json[i] == '\\')
      ++i;
    else if (json[i] == '"')
      in_string = !in_string;
    else if (!in_string && json[i] >= '0' && json[i] <= '9')
      return true;
  }
  return false;
}

}  // namespace

JsonField read_json_field(std::string_view token, size_t depth) {
  JsonField field;
  if (token[0] == '{' || token[0] == '[') {
    field.nested = true;
    const char* end = json_value_end(token.data(), depth, field.fault);
    if (end != nullptr) field.raw = field.text = {token.data(), static_cast<size_t>(end - token.data())};
    field.text_fault = field.fault;
    return field;
  }
  field.raw = field.text = trim_end(token);
  if (token[0] == '"') {
    field.string = true;
    if (field.raw.size() < 2 || field.raw.back() != '"') {
      field.fault = field.text_fault = &invalid_json;
      return field;
    }
    field.text = field.raw.substr(1, field.raw.size() - 2);
    field.escaped = field.text.find('\\') != field.text.npos;
  } else if (!is_json_number(field.raw)) {
    field.null = field.raw == "null";
    if (!field.null && field.raw != "true" && field.raw != "false") field.fault = field.text_fault = &invalid_json;
  }
  return field;
}

const BadField* debezium_fault(const JsonField& field, const Column& column) {
  if (is_left_out(field)) return &left_out;
  if (column.refusal == Refusal::numbers && holds_number(field.raw)) return &ambiguous_number;
  if (column.refusal == Refusal::strings && field.raw.find('"') != field.raw.npos) return &encoded_string;
  return nullptr;
}

Value debezium_date(std::string_view number) {
  Value value;
  int64_t days = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), days);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (whole && days >= first_day - epoch && days < end_of_days - epoch) {
    value.kind = Value::Kind::date;
    value.integer = days + epoch;
  } else {
    value.kind = Value::Kind::bad;
    value.bad = &no_days;
  }
  return value;
}

std::string shown_json_key(std::string_view key) {
  if (key.size() <= max_shown_key) return std::string(key);
  size_t length = max_shown_key;
  while (length > 0 && (static_cast<unsigned char>(key[length]) & 0xC0) == 0x80) --length;
  return std::string(key.substr(0, length)) + "...";
}

}  // namespace kafka_fdw::decode
