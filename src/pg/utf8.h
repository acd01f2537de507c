#pragma once

#include <string_view>

/// Texts of messages, which are or should be UTF-8, in the server's encoding, zero-terminated in the current memory
/// context. They may raise for want of memory only, and hold nothing with a destructor: call them inside pg::call.
namespace kafka_fdw::pg {

/// Null where the bytes are no UTF-8, or have U+0000 or a character that the server's encoding has not.
char* text_of_utf8(std::string_view bytes);

/// With question marks in place of what cannot be shown.
char* readable_utf8(std::string_view bytes);

/// What holds names of this database and words of a broker: as it is where it is valid in the server's encoding, else
/// as readable_utf8.
const char* readable(const char* text);

}  // namespace kafka_fdw::pg
