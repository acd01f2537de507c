#include "pg/encoding.h"

#include <algorithm>

#include "decode/decoder.h"

extern "C" {
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
}

namespace kafka_fdw::pg {

namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::optional<std::string> from_utf8(std::string_view text) {
  const int encoding = GetDatabaseEncoding();
  if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || is_ascii(text)) return std::string(text);
  std::string converted(text.size() * MAX_CONVERSION_GROWTH + 1, '\0');
  const int taken = call([&] {
    const Oid conversion = FindDefaultConversionProc(PG_UTF8, encoding);
    if (!OidIsValid(conversion)) return -1;
    return pg_do_encoding_conversion_buf(
        conversion, PG_UTF8, encoding, reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
        static_cast<int>(text.size()), reinterpret_cast<unsigned char*>(converted.data()),
        static_cast<int>(converted.size()), true);
  });
  if (taken != static_cast<int>(text.size())) return std::nullopt;
  converted.resize(converted.find('\0'));
  return converted;
}

bool is_text(std::string_view bytes) {
  return bytes.find('\0') == bytes.npos && decode::is_utf8(bytes) && from_utf8(bytes).has_value();
}

size_t clip(std::string_view text, size_t limit) {
  return static_cast<size_t>(
      pg_mbcliplen(text.data(), static_cast<int>(text.size()), static_cast<int>(std::min(limit, text.size()))));
}

}  // namespace kafka_fdw::pg
