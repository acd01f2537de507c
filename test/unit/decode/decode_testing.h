#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "decode/decoder.h"

namespace kafka_fdw::decode {

/// A value as a short text: its kind and what it holds.
std::string show(const Value& value);

inline Column column(const std::string& path, Type type = Type::text) {
  Column result;
  result.name = result.path = path;
  result.type = type;
  return result;
}

inline Column unneeded(const std::string& path) {
  Column result = column(path);
  result.needed = false;
  return result;
}

/// The row that one message gives, or "SQLSTATE message", with " at N" for the column at fault.
std::vector<std::string> decode_row(Decoder& decoder, size_t columns, std::string_view message);
std::vector<std::string> decode_row(const Format& format, const std::vector<Column>& columns, std::string_view message);

/// What the row holds after a message that is an error.
std::vector<std::string> decode_after_error(const Format& format, const std::vector<Column>& columns,
                                            std::string_view message);

using Row = std::vector<std::string>;

}  // namespace kafka_fdw::decode
