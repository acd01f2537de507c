#include "pg/utf8.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
}

namespace kafka_fdw::pg {

namespace {

bool is_ascii(std::string_view bytes) {
  return std::ranges::none_of(bytes, [](char byte) { return byte == '\0' || IS_HIGHBIT_SET(byte); });
}

size_t copy_ascii(std::string_view bytes, char** copied) {
  const auto end = std::ranges::find_if(bytes, [](char byte) { return byte == '\0' || IS_HIGHBIT_SET(byte); });
  const auto length = static_cast<size_t>(end - bytes.begin());
  *copied = pnstrdup(bytes.data(), length);
  return length;
}

/// Converts from the beginning until something cannot be; returns how many bytes it could.
size_t convert(std::string_view bytes, char** converted) {
  const int encoding = GetDatabaseEncoding();
  const int length = static_cast<int>(bytes.size());
  if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) {
    const auto valid = static_cast<size_t>(pg_encoding_verifymbstr(PG_UTF8, bytes.data(), length));
    *converted = pnstrdup(bytes.data(), valid);
    return valid;
  }
  // Outside of a transaction, where workers deal with what failed, the catalog cannot be asked.
  const Oid function = IsTransactionState() ? FindDefaultConversionProc(PG_UTF8, encoding) : InvalidOid;
  if (!OidIsValid(function)) return copy_ascii(bytes, converted);
  const Size size = bytes.size() * MAX_CONVERSION_GROWTH + 1;
  *converted = static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, size));
  auto* source = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  auto* target = reinterpret_cast<unsigned char*>(*converted);
  const int room = static_cast<int>(std::min<Size>(size, PG_INT32_MAX));
  return static_cast<size_t>(
      pg_do_encoding_conversion_buf(function, PG_UTF8, encoding, source, length, target, room, true));
}

}  // namespace

char* text_of_utf8(std::string_view bytes) {
  if (is_ascii(bytes)) return pnstrdup(bytes.data(), bytes.size());
  char* converted = nullptr;
  return convert(bytes, &converted) == bytes.size() ? converted : nullptr;
}

char* readable_utf8(std::string_view bytes) {
  StringInfoData text;
  initStringInfo(&text);
  while (!bytes.empty()) {
    char* converted = nullptr;
    const size_t taken = convert(bytes, &converted);
    if (taken > 0) appendStringInfoString(&text, converted);
    bytes.remove_prefix(taken);
    if (bytes.empty()) break;
    appendStringInfoChar(&text, '?');
    const auto* rest = reinterpret_cast<const unsigned char*>(bytes.data());
    bytes.remove_prefix(std::min(static_cast<size_t>(pg_utf_mblen(rest)), bytes.size()));
  }
  return text.data;
}

const char* readable(const char* text) {
  const bool valid = pg_verify_mbstr(GetDatabaseEncoding(), text, static_cast<int>(strlen(text)), true);
  return valid ? text : readable_utf8(text);
}

}  // namespace kafka_fdw::pg
