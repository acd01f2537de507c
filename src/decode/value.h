#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kafka_fdw::decode {

/// What a column wants. Types with a parser of their own get typed values; `other` always gets the field's text.
enum class Type : uint8_t {
  boolean,
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,  ///< without typmod
  text,     ///< text, or varchar without typmod
  date,
  timestamp,    ///< without typmod
  timestamptz,  ///< without typmod
  uuid,
  json,     ///< json, jsonb: from a JSON message the value's own JSON text, as `input`
  bytea,    ///< from `raw` the message's bytes, as `text`; from the others the field's text, as `input`
  outline,  ///< json: what stands there is only looked at: null, or a `boolean`, whether it is an object
  other     ///< every other type: by its input function
};

/// Why a field is none of its format: the others of the message may well be. Lives for ever.
struct BadField {
  const char* sqlstate;  ///< five characters
  const char* message;
};

/// One field of one message. Plain data: views point into the decoder's buffers or the message
/// (`raw` copies nothing) and hold until the next decode, as long as the message does.
/// A decoder gives a typed value only where it is certain that the type's input function would give the same;
/// whatever it is not certain of is `input`, so that PostgreSQL's own function accepts it or raises its own error.
struct Value {
  enum class Kind : uint8_t {
    missing,  ///< the message has no such field
    null,
    bad,        ///< bad
    boolean,    ///< boolean
    integer,    ///< integer, within the range of the column's type
    floating,   ///< floating; for float4 already rounded once, from the digits, to a float
    decimal,    ///< integer / 10^scale, scale is the number of digits that were written after the point (numeric)
    date,       ///< integer: days since 2000-01-01
    timestamp,  ///< integer: microseconds since 2000-01-01 (UTC for timestamptz)
    uuid,       ///< uuid
    text,       ///< text: the value of a text column, or the bytes of a bytea column
    input,      ///< text: for the input function of the column's type
    nested      ///< text: a JSON array or object, for a column of type `other`
  };

  Kind kind = Kind::missing;
  int32_t scale = 0;
  union {
    const BadField* bad;
    bool boolean;
    int64_t integer;
    double floating;
    std::array<uint8_t, 16> uuid;
    std::string_view text{};
  };
};

/// What a column asks for.
enum class Part : uint8_t {
  field,
  document,  ///< json: the whole of it
  sole,      ///< json: the field; else the document itself where it is no object, else the only field that it has
  // With an envelope, of what the message says about a row; `field` is one of the row as it is now:
  identity,  ///< a field of the row as it is now, or as it was before it was deleted
  before,    ///< a field of the row as it was before it changed, where the message tells that
  deletion   ///< boolean: whether the row is deleted; missing: the message says nothing about a row
};

/// JSON values that Debezium gives another meaning than the type of the column would read in them.
enum class Refusal : uint8_t { nothing, numbers, strings };

/// A column of the row that a decoder fills, at its place in the list that the decoder was made with.
struct Column {
  std::string name;  ///< as in error messages; UTF-8
  std::string path;  ///< json: the field's name, or an RFC 6901 pointer if it starts with '/'
  Type type = Type::other;
  bool needed = true;           ///< false: nobody looks at it; it is left `missing` and its text is not converted
  bool force_null = false;      ///< csv, as COPY
  bool force_not_null = false;  ///< csv, as COPY
  Part part = Part::field;
  Refusal refusal = Refusal::nothing;  ///< debezium: what is `bad`
};

/// A message that as a whole is not what its format says, in UTF-8. Where that shows in one field, `column` is its
/// place in the decoder's list.
class Error : public std::runtime_error {
 public:
  Error(const char* sqlstate, const std::string& message, int column = -1)
      : std::runtime_error(message), sqlstate_(sqlstate), column_(column) {}
  const char* sqlstate() const noexcept { return sqlstate_; }  ///< five characters, static
  int column() const noexcept { return column_; }              ///< -1: none in particular

 private:
  const char* sqlstate_;
  int column_;
};

}  // namespace kafka_fdw::decode
