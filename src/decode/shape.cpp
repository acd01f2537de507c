#include "decode/shape.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "decode/datetime.h"
#include "decode/field_parser.h"

namespace kafka_fdw::decode {
namespace {

/// A number that is written longer, or whose exponent is larger, is nothing to count with, and may be more than numeric
/// holds.
constexpr size_t longest_number = 1000;
constexpr int largest_exponent = 1000;

template <class T>
bool is_whole(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool fits_numeric(std::string_view text) {
  if (text.size() > longest_number) return false;
  const size_t e = text.find_first_of("eE");
  if (e == text.npos) return true;
  std::string_view exponent = text.substr(e + 1);
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), value);
  return error == std::errc() && value >= -largest_exponent && value <= largest_exponent;
}

Shape shape_of_number(std::string_view text) {
  if (is_whole<int32_t>(text)) return Shape::int4;
  if (is_whole<int64_t>(text)) return Shape::int8;
  return fits_numeric(text) ? Shape::numeric : Shape::text;
}

/// ISO 8601 as other libraries write it and PostgreSQL reads it, in the form that parse_timestamp takes: seconds that
/// are left out are zero, nanoseconds are cut.
std::string plain_moment(std::string_view text) {
  constexpr size_t minute_end = 16, second_end = 19, microseconds = 6, nanoseconds = 9;
  std::string plain(text);
  if (plain.size() < minute_end) return plain;
  if (plain.size() == minute_end || std::string_view("Z+-").find(plain[minute_end]) != std::string_view::npos)
    plain.insert(minute_end, ":00");
  if (plain.size() <= second_end || plain[second_end] != '.') return plain;
  const size_t fraction = second_end + 1;
  const size_t end = std::min(plain.find_first_not_of("0123456789", fraction), plain.size());
  const bool cut = end - fraction > microseconds && end - fraction <= nanoseconds;
  if (cut) plain.erase(fraction + microseconds, end - fraction - microseconds);
  return plain;
}

Shape shape_of_moment(std::string_view text) {
  constexpr size_t longest = sizeof("2024-01-01T00:00:00.123456789+00:00") - 1;
  if (text.size() > longest) return Shape::text;
  if (parse_date(text)) return Shape::date;
  const std::string plain = plain_moment(text);
  if (parse_timestamptz(plain)) return Shape::timestamptz;
  return parse_timestamp(plain) ? Shape::timestamp : Shape::text;
}

Shape shape_of_string(std::string_view text) {
  if (text.empty() || text.find('\\') != text.npos) return Shape::text;
  if (parse_field(Type::uuid, text).kind == Value::Kind::uuid) return Shape::uuid;
  return shape_of_moment(text);
}

constexpr bool is_number(Shape shape) { return shape >= Shape::int4 && shape <= Shape::numeric; }
constexpr bool is_nested(Shape shape) { return shape == Shape::object || shape == Shape::json; }

}  // namespace

Shape shape_of_json(std::string_view raw) {
  switch (raw[0]) {
    case '{':
      return Shape::object;
    case '[':
      return Shape::json;
    case '"':
      return shape_of_string(raw.substr(1, raw.size() - 2));
    case 't':
    case 'f':
      return Shape::boolean;
    case 'n':
      return Shape::nothing;
    default:
      return shape_of_number(raw);
  }
}

Shape widen(Shape a, Shape b) noexcept {
  if (a > b) std::swap(a, b);
  if (a == b || a == Shape::nothing) return b;
  if (is_number(a) && is_number(b)) return b;
  if (a == Shape::date && b == Shape::timestamp) return b;
  return is_nested(b) ? Shape::json : Shape::text;
}

Type type_of_shape(Shape shape) noexcept {
  switch (shape) {
    case Shape::boolean:
      return Type::boolean;
    case Shape::int4:
      return Type::int4;
    case Shape::int8:
      return Type::int8;
    case Shape::numeric:
      return Type::numeric;
    case Shape::date:
      return Type::date;
    case Shape::timestamp:
      return Type::timestamp;
    case Shape::timestamptz:
      return Type::timestamptz;
    case Shape::uuid:
      return Type::uuid;
    case Shape::object:
    case Shape::json:
      return Type::json;
    case Shape::nothing:
    case Shape::text:
      break;
  }
  return Type::text;
}

}  // namespace kafka_fdw::decode
