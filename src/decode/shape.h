#pragma once

#include <cstdint>
#include <string_view>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// What a JSON value looks like, as far as the type of a column that takes it depends on that.
enum class Shape : uint8_t {
  nothing,  ///< null, or not seen yet
  boolean,
  int4,
  int8,
  numeric,  ///< whatever has a point or an exponent, too: numeric keeps each digit of a price, a float does not
  date,
  timestamp,
  timestamptz,
  uuid,
  text,
  object,
  json  ///< an array, or sometimes an object and sometimes not
};

/// The narrowest shape of a value: `raw` is its JSON text, without blanks around it.
Shape shape_of_json(std::string_view raw);

/// The narrowest shape that takes what a and b take. Numbers widen among themselves, a date to a timestamp; everything
/// else that is mixed is text, or json where objects or arrays are in it. A time with a zone and one without have no
/// type in common that does not depend on the session's zone.
Shape widen(Shape a, Shape b) noexcept;

/// The type of a column for values of that shape. Text where there was nothing but null: it takes whatever comes.
Type type_of_shape(Shape shape) noexcept;

}  // namespace kafka_fdw::decode
