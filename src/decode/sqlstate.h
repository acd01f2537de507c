#pragma once

#include <cstddef>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// The SQLSTATEs of decode::Error, by the names of PostgreSQL's errcodes.
namespace sqlstate {
constexpr const char* data_exception = "22000";
constexpr const char* character_not_in_repertoire = "22021";
constexpr const char* invalid_text_representation = "22P02";
constexpr const char* bad_copy_file_format = "22P04";
constexpr const char* untranslatable_character = "22P05";
constexpr const char* statement_too_complex = "54001";
}  // namespace sqlstate

/// What a field may be at fault with, whatever the others are.
inline constexpr BadField invalid_json{sqlstate::invalid_text_representation, "invalid JSON"};
inline constexpr BadField invalid_json_escape{sqlstate::invalid_text_representation, "invalid escape in a JSON string"};
inline constexpr BadField json_too_deep{sqlstate::statement_too_complex, "JSON is nested too deeply"};
inline constexpr BadField json_zero{sqlstate::untranslatable_character, "\\u0000 cannot be converted to text"};
inline constexpr BadField zero_byte{sqlstate::character_not_in_repertoire, "invalid byte sequence: 0x00"};
inline constexpr BadField left_out{sqlstate::data_exception,
                                   "Debezium has left out the value, as it did not change (with REPLICA IDENTITY FULL "
                                   "of the captured table it leaves out none)"};
inline constexpr BadField ambiguous_number{sqlstate::data_exception,
                                           "a number of Debezium's for a time does not say its unit (with "
                                           "time.precision.mode isostring it sends none; or take "
                                           "it into a bigint column)"};
inline constexpr BadField no_days{sqlstate::data_exception, "a number of Debezium's for a date is no days since 1970"};
inline constexpr BadField encoded_string{
    sqlstate::data_exception,
    "a string of Debezium's does not hold what the type of the column reads (take it into a text column)"};
inline constexpr BadField invalid_utf8{sqlstate::character_not_in_repertoire,
                                       "invalid byte sequence for encoding \"UTF8\""};

/// A buffer that one huge message has grown is kept up to this size, in bytes.
constexpr size_t kept_buffer = 1 << 20;

}  // namespace kafka_fdw::decode
