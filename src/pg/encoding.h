#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/boundary.h"

namespace kafka_fdw::pg {

/// The text in the server's encoding; nothing where that has not all of its characters. It must be valid UTF-8 without
/// U+0000.
std::optional<std::string> from_utf8(std::string_view text);

/// Whether the bytes can be shown as text whose encoding is UTF-8: valid, without U+0000, and with nothing but
/// characters that the server's encoding has.
bool is_text(std::string_view bytes);

/// The length in bytes of the whole characters at the beginning of a text in the server's encoding that take at most
/// `limit` bytes.
size_t clip(std::string_view text, size_t limit);

}  // namespace kafka_fdw::pg
