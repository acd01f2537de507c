#pragma once

#include <cstddef>

namespace kafka_fdw::decode {

/// The SQLSTATEs of decode::Error, by the names of PostgreSQL's errcodes.
namespace sqlstate {
constexpr const char* character_not_in_repertoire = "22021";
constexpr const char* invalid_text_representation = "22P02";
constexpr const char* bad_copy_file_format = "22P04";
constexpr const char* untranslatable_character = "22P05";
constexpr const char* statement_too_complex = "54001";
}  // namespace sqlstate

/// A buffer that one huge message has grown is kept up to this size, in bytes.
constexpr size_t kept_buffer = 1 << 20;

}  // namespace kafka_fdw::decode
