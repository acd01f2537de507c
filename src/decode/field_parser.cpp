#include "decode/field_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "decode/datetime.h"

namespace kafka_fdw::decode {
namespace {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T result{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return result;
}

/// The input functions take a leading plus, from_chars does not.
std::string_view without_plus(std::string_view text) {
  bool plus = text.size() > 1 && text[0] == '+' && (is_digit(text[1]) || text[1] == '.');
  return plus ? text.substr(1) : text;
}

template <class T>
bool parse_integer(std::string_view text, Value& value) {
  auto parsed = parse_whole<T>(without_plus(trim(text)));
  if (!parsed) return false;
  value.kind = Value::Kind::integer;
  value.integer = *parsed;
  return true;
}

/// Whether a floating-point text has only zeros for its digits.
bool is_zero(std::string_view text) {
  for (char c : text) {
    if (c >= '1' && c <= '9') return false;
    if (c == 'e' || c == 'E') break;
  }
  return true;
}

/// Neither nan and inf nor anything that a C library may round in its own way: denormal numbers and underflow.
template <class T>
bool parse_floating(std::string_view text, Value& value) {
  text = without_plus(trim(text));
  size_t first = text.starts_with('-') ? 1 : 0;
  if (first == text.size() || !(is_digit(text[first]) || text[first] == '.')) return false;
  auto parsed = parse_whole<T>(text);
  if (!parsed) return false;
  if (!std::isnormal(*parsed) && !(*parsed == 0 && is_zero(text))) return false;
  value.kind = Value::Kind::floating;
  value.floating = *parsed;
  return true;
}

/// [-]digits[.digits] with as many digits as always fit into an int64.
bool parse_numeric(std::string_view text, Value& value) {
  text = trim(text);
  bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  size_t point = std::min(text.find('.'), text.size());
  bool has_point = point < text.size();
  size_t digits = text.size() - (has_point ? 1 : 0);
  if (point == 0 || point + 1 == text.size() || digits > std::numeric_limits<int64_t>::digits10) return false;
  int64_t mantissa = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == point) continue;
    if (!is_digit(text[i])) return false;
    mantissa = mantissa * 10 + (text[i] - '0');
  }
  if (negative && mantissa == 0) return false;
  value.kind = Value::Kind::decimal;
  value.integer = negative ? -mantissa : mantissa;
  value.scale = has_point ? static_cast<int32_t>(digits - point) : 0;
  return true;
}

std::optional<bool> parse_truth(std::string_view text) {
  if (text == "true" || text == "t") return true;
  if (text == "false" || text == "f") return false;
  text = trim(text);
  char word[5];
  if (text.empty() || text.size() > sizeof(word)) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    word[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
  }
  std::string_view lower(word, text.size());
  auto starts = [&](std::string_view whole) { return whole.starts_with(lower); };
  if (starts("true") || starts("yes") || lower == "on" || lower == "1") return true;
  if (starts("false") || starts("no") || lower == "off" || lower == "of" || lower == "0") return false;
  return std::nullopt;
}

bool parse_boolean(std::string_view text, Value& value) {
  auto truth = parse_truth(text);
  if (!truth) return false;
  value.kind = Value::Kind::boolean;
  value.boolean = *truth;
  return true;
}

constexpr int8_t no_digit = -1;

constexpr std::array<int8_t, 256> hex_digits = [] {
  std::array<int8_t, 256> table{};
  table.fill(no_digit);
  for (int i = 0; i < 10; ++i) table['0' + i] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<int8_t>(10 + i);
  return table;
}();

bool parse_uuid(std::string_view text, Value& value) {
  constexpr std::array<uint8_t, 16> places = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  std::array<uint8_t, 16> bytes;
  int seen = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int8_t high = hex_digits[static_cast<uint8_t>(text[places[i]])];
    const int8_t low = hex_digits[static_cast<uint8_t>(text[places[i] + 1])];
    seen |= high | low;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (seen < 0) return false;
  value.kind = Value::Kind::uuid;
  value.uuid = bytes;
  return true;
}

bool parse_moment(Value::Kind kind, std::optional<int64_t> moment, Value& value) {
  if (!moment) return false;
  value.kind = kind;
  value.integer = *moment;
  return true;
}

bool parse_plain(Type type, std::string_view text, Value& value) {
  switch (type) {
    case Type::boolean:
      return parse_boolean(text, value);
    case Type::int2:
      return parse_integer<int16_t>(text, value);
    case Type::int4:
      return parse_integer<int32_t>(text, value);
    case Type::int8:
      return parse_integer<int64_t>(text, value);
    case Type::float4:
      return parse_floating<float>(text, value);
    case Type::float8:
      return parse_floating<double>(text, value);
    case Type::numeric:
      return parse_numeric(text, value);
    case Type::date:
      return parse_moment(Value::Kind::date, parse_date(text), value);
    case Type::timestamp:
      return parse_moment(Value::Kind::timestamp, parse_timestamp(text), value);
    case Type::timestamptz:
      return parse_moment(Value::Kind::timestamp, parse_timestamptz(text), value);
    case Type::uuid:
      return parse_uuid(text, value);
    case Type::text:
    case Type::json:
    case Type::bytea:
    case Type::outline:
    case Type::other:
      break;
  }
  return false;
}

}  // namespace

Value parse_field(Type type, std::string_view text) {
  Value value;
  if (parse_plain(type, text, value)) return value;
  value.kind = type == Type::text ? Value::Kind::text : Value::Kind::input;
  value.text = text;
  return value;
}

}  // namespace kafka_fdw::decode
