#include "decode_testing.h"

#include <charconv>
#include <cstdio>

namespace kafka_fdw::decode {
namespace {

std::string shortest(double number) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof(text), number).ptr);
}

std::string hex(const std::array<uint8_t, 16>& bytes) {
  std::string result;
  for (uint8_t byte : bytes) {
    char text[3];
    std::snprintf(text, sizeof(text), "%02x", byte);
    result += text;
  }
  return result;
}

}  // namespace

std::string show(const Value& value) {
  switch (value.kind) {
    case Value::Kind::missing:
      return "missing";
    case Value::Kind::null:
      return "null";
    case Value::Kind::bad:
      return std::string(value.bad->sqlstate) + " " + value.bad->message;
    case Value::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Value::Kind::integer:
      return "integer " + std::to_string(value.integer);
    case Value::Kind::floating:
      return "floating " + shortest(value.floating);
    case Value::Kind::decimal:
      return "decimal " + std::to_string(value.integer) + " scale " + std::to_string(value.scale);
    case Value::Kind::date:
      return "date " + std::to_string(value.integer);
    case Value::Kind::timestamp:
      return "timestamp " + std::to_string(value.integer);
    case Value::Kind::uuid:
      return "uuid " + hex(value.uuid);
    case Value::Kind::text:
      return "text " + std::string(value.text);
    case Value::Kind::input:
      return "input " + std::string(value.text);
    case Value::Kind::nested:
      return "nested " + std::string(value.text);
  }
  return "unknown kind";
}

std::vector<std::string> decode_after_error(const Format& format, const std::vector<Column>& columns,
                                            std::string_view message) {
  std::vector<Value> row(columns.size());
  auto decoder = make_decoder(format, columns);
  EXPECT_THROW(decoder->decode(message, row), Error);
  std::vector<std::string> result;
  result.reserve(row.size());
  for (const Value& value : row) result.push_back(show(value));
  return result;
}

std::vector<std::string> decode_row(Decoder& decoder, size_t columns, std::string_view message) {
  std::vector<Value> row(columns);
  try {
    decoder.decode(message, row);
  } catch (const Error& error) {
    std::string at = error.column() < 0 ? "" : " at " + std::to_string(error.column());
    return {std::string(error.sqlstate()) + " " + error.what() + at};
  }
  std::vector<std::string> result;
  result.reserve(row.size());
  for (const Value& value : row) result.push_back(show(value));
  return result;
}

std::vector<std::string> decode_row(const Format& format, const std::vector<Column>& columns,
                                    std::string_view message) {
  return decode_row(*make_decoder(format, columns), columns.size(), message);
}

}  // namespace kafka_fdw::decode
