#pragma once

#include "decode/value.h"

namespace kafka_fdw::decode {

/// The text of a field as a value of `type`: typed where the text has the plain form of the type, else `input`
/// (or `text` for text columns). Never fails. `text` must stay valid as long as the value.
/// Plain forms: what the input functions of PostgreSQL 15 to 18 all accept with the same meaning whatever DateStyle and
/// TimeZone are.
Value parse_field(Type type, std::string_view text);

}  // namespace kafka_fdw::decode
