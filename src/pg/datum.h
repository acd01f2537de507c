#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "decode/value.h"
#include "kafka/message.h"
#include "pg/boundary.h"
#include "pg/nested_json.h"

extern "C" {
#include "fmgr.h"
}

/// Conversions to Datums in the current memory context. They may raise, throw nothing and hold nothing with a
/// destructor: call them inside pg::call.
namespace kafka_fdw::pg {

/// A type's input function, looked up once.
struct TypeInput {
  Oid type = InvalidOid;
  int32 typmod = -1;
  Oid io_parameter = InvalidOid;
  bool domain = false;
  FmgrInfo function{};
  NestedJson* nested = nullptr;  ///< where JSON arrays and objects are more to the type than a text
};

TypeInput look_up_input(Oid type, int32 typmod, MemoryContext context);

/// The bytes, which are in that encoding (a pg_enc), verified and in the server's encoding: the same memory where
/// nothing changes.
std::string_view to_server_encoding(std::string_view bytes, int encoding);

/// The text, in the server's encoding, through the type's input function.
Datum datum_of_input(TypeInput& input, std::string_view text);

/// Raises where the type is a domain that takes no NULL.
void check_null(TypeInput& input);

struct SoftError {
  int sqlstate;
  const char* message;  ///< in the current memory context
};

/// As datum_of_input, but on 16 and later bad input gives false and what is wrong instead of an error.
bool datum_of_input_softly(TypeInput& input, std::string_view text, Datum* datum, SoftError* error);

/// A decoded value that is neither missing nor null; raises if it is bad.
Datum datum_of_value(TypeInput& input, const decode::Value& value);

/// The bytes of a key or of a whole message: as they are for bytea, else as text in that encoding.
Datum datum_of_bytes(TypeInput& input, std::string_view bytes, int encoding);

/// Milliseconds since 1970 as timestamptz, timestamp (UTC) or bigint (ms).
Datum datum_of_timestamp(Oid type, int64_t timestamp_ms);

/// The inverse, of a timestamptz that is finite.
int64_t milliseconds_of_timestamp(Datum timestamp);

/// A jsonb object of headers that are sorted by name; a name that repeats gives an array, a value that printable()
/// cannot show as text its \x hex, an absent one null.
Datum datum_of_headers(const std::vector<kafka::Header>& headers);

/// Such headers again, in the current memory context, so that datum_of_headers makes the same of them: what was shown
/// as hex is that text now.
std::span<const kafka::Header> headers_of_datum(Datum headers);

/// As text where they are UTF-8 and the server's encoding has all of their characters, else their \x hex.
char* printable(std::string_view bytes);

/// The text, in the server's encoding, cut at a few hundred characters with dots.
const char* clipped(const char* text);

/// As printable, cut at 100 characters with dots: for messages.
char* excerpt(std::string_view bytes);

}  // namespace kafka_fdw::pg
