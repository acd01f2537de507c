#pragma once

#include <cstddef>
#include <string_view>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// One value of a JSON message, as the columns that ask for it look at it.
struct JsonField {
  std::string_view raw;   ///< its JSON text
  std::string_view text;  ///< for columns that are not json: a string without its quotes, anything else as raw
  bool null = false;
  bool string = false;
  bool nested = false;                   ///< an array or an object
  bool escaped = false;                  ///< text has escapes yet
  const BadField* fault = nullptr;       ///< it is no JSON
  const BadField* text_fault = nullptr;  ///< the same, or it is JSON, but no text
};

/// `token` is the value from its first byte to the next token, whole if it is a scalar; it stands at `depth` objects
/// and arrays below the top.
JsonField read_json_field(std::string_view token, size_t depth);

/// What makes the value of an event of Debezium's unfit for the column; null: nothing. Its text has no escapes any
/// more.
const BadField* debezium_fault(const JsonField& field, const Column& column);

/// A date as Debezium writes it whatever its settings are: days since 1970.
Value debezium_date(std::string_view number);

/// A key of a message for an error text, cut between characters.
std::string shown_json_key(std::string_view key);

}  // namespace kafka_fdw::decode
