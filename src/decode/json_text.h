#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// Objects and arrays within each other in one message; the message itself is the first.
constexpr size_t max_json_depth = 1024;

/// The end of the JSON value (RFC 8259) at `begin`, which stands at `depth` objects and arrays below the top and is
/// followed, wherever, by a zero byte. Checks every byte of it, but for UTF-8, as the input function of json does:
/// simdjson offers no such check that keeps numbers of any size. Null, and the reason in `fault`, where it is none.
const char* json_value_end(const char* begin, size_t depth, const BadField*& fault);

/// A member of a JSON object, as it is written.
struct JsonMember {
  std::string_view key;  ///< between its quotes, escapes included
  std::string_view value;
};

/// The members of the JSON object at `object`, duplicates included, in their order. json_value_end must have found the
/// object good.
std::vector<JsonMember> json_members(const char* object);

/// Whether all of `text` is one JSON number.
bool is_json_number(std::string_view text);

constexpr bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace kafka_fdw::decode
