#include "pg/datum.h"

#include <algorithm>
#include <cstring>

#include "pg/compat.h"
#include "pg/utf8.h"

extern "C" {
#include "catalog/pg_type.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace kafka_fdw::pg {

namespace {

constexpr int64_t epoch_offset_ms =
    static_cast<int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000);
constexpr int excerpt_characters = 100;
constexpr int reason_characters = 500;

char* c_string(std::string_view text) { return pnstrdup(text.data(), text.size()); }

Datum text_datum(std::string_view text) {
  return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

char* hex(std::string_view bytes) {
  char* text = static_cast<char*>(palloc(bytes.size() * 2 + 3));
  text[0] = '\\';
  text[1] = 'x';
  const auto written = hex_encode(bytes.data(), bytes.size(), text + 2);
  text[2 + written] = '\0';
  return text;
}

JsonbValue json_string(const char* text) {
  JsonbValue value;
  value.type = jbvString;
  value.val.string.val = const_cast<char*>(text);
  value.val.string.len = static_cast<int>(strlen(text));
  return value;
}

JsonbValue json_value(const std::optional<std::string_view>& bytes) {
  if (bytes) return json_string(printable(*bytes));
  JsonbValue value;
  value.type = jbvNull;
  return value;
}

/// The values of the headers from `first` to before `end`, which share a name.
void push_values(JsonbParseState** state, const std::vector<kafka::Header>& headers, size_t first, size_t end) {
  if (end - first == 1) {
    JsonbValue value = json_value(headers[first].value);
    pushJsonbValue(state, WJB_VALUE, &value);
    return;
  }
  pushJsonbValue(state, WJB_BEGIN_ARRAY, nullptr);
  for (size_t i = first; i < end; ++i) {
    JsonbValue value = json_value(headers[i].value);
    pushJsonbValue(state, WJB_ELEM, &value);
  }
  pushJsonbValue(state, WJB_END_ARRAY, nullptr);
}

/// A string's, in UTF-8.
std::string_view utf8_of(const JsonbValue& value) {
  const std::string_view text(value.val.string.val, static_cast<size_t>(value.val.string.len));
  const char* utf8 = pg_server_to_any(text.data(), static_cast<int>(text.size()), PG_UTF8);
  return utf8 == text.data() ? text : std::string_view(utf8);
}

}  // namespace

TypeInput look_up_input(Oid type, int32 typmod, MemoryContext context) {
  TypeInput input;
  input.type = type;
  input.typmod = typmod;
  input.domain = get_typtype(type) == TYPTYPE_DOMAIN;
  Oid function = InvalidOid;
  getTypeInputInfo(type, &function, &input.io_parameter);
  fmgr_info_cxt(function, &input.function, context);
  return input;
}

std::string_view to_server_encoding(std::string_view bytes, int encoding) {
  if (bytes.empty()) return bytes;
  if (bytes.size() > MaxAllocSize)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value of %zu bytes is too large", bytes.size())));
  const int length = static_cast<int>(bytes.size());
  // pg_any_to_server lets pure ASCII pass without a look at zero bytes only where it must convert: look first.
  if (encoding == GetDatabaseEncoding() || GetDatabaseEncoding() == PG_SQL_ASCII) {
    pg_verify_mbstr(GetDatabaseEncoding(), bytes.data(), length, false);
    return bytes;
  }
  pg_verify_mbstr(encoding, bytes.data(), length, false);
  const char* converted = pg_any_to_server(bytes.data(), length, encoding);
  return converted == bytes.data() ? bytes : std::string_view(converted);
}

Datum datum_of_input(TypeInput& input, std::string_view text) {
  return InputFunctionCall(&input.function, c_string(text), input.io_parameter, input.typmod);
}

void check_null(TypeInput& input) {
  if (input.domain) (void)InputFunctionCall(&input.function, nullptr, input.io_parameter, input.typmod);
}

bool datum_of_input_softly(TypeInput& input, std::string_view text, Datum* datum, SoftError* error) {
#if PG_VERSION_NUM >= 160000
  ErrorSaveContext errors;
  memset(&errors, 0, sizeof(errors));
  errors.type = T_ErrorSaveContext;
  errors.details_wanted = true;
  if (InputFunctionCallSafe(&input.function, c_string(text), input.io_parameter, input.typmod,
                            reinterpret_cast<fmNodePtr>(&errors), datum))
    return true;
  *error = {errors.error_data->sqlerrcode, pstrdup(errors.error_data->message)};
  return false;
#else
  (void)error;
  *datum = datum_of_input(input, text);
  return true;
#endif
}

Datum datum_of_value(TypeInput& input, const decode::Value& value) {
  using Kind = decode::Value::Kind;
  switch (value.kind) {
    case Kind::boolean:
      return BoolGetDatum(value.boolean);
    case Kind::integer:
      if (input.type == INT8OID) return Int64GetDatum(value.integer);
      if (input.type == INT4OID) return Int32GetDatum(static_cast<int32>(value.integer));
      return Int16GetDatum(static_cast<int16>(value.integer));
    case Kind::floating:
      if (input.type == FLOAT4OID) return Float4GetDatum(static_cast<float4>(value.floating));
      return Float8GetDatum(value.floating);
    case Kind::decimal:
      return NumericGetDatum(int64_div_fast_to_numeric(value.integer, value.scale));
    case Kind::date:
      return DateADTGetDatum(static_cast<DateADT>(value.integer));
    case Kind::timestamp:
      return TimestampGetDatum(value.integer);
    case Kind::uuid: {
      auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
      memcpy(uuid->data, value.uuid.data(), UUID_LEN);
      return UUIDPGetDatum(uuid);
    }
    case Kind::text:
      return text_datum(value.text);
    case Kind::input:
      return datum_of_input(input, value.text);
    case Kind::nested:
      if (input.nested != nullptr) return datum_of_nested_json(*input.nested, value.text);
      return datum_of_input(input, value.text);
    case Kind::bad:
      ereport(ERROR, (errcode(sqlstate_of(value.bad->sqlstate)), errmsg_internal("%s", value.bad->message)));
    case Kind::missing:
    case Kind::null:
      break;
  }
  elog(ERROR, "a decoded value without a value");
}

Datum datum_of_bytes(TypeInput& input, std::string_view bytes, int encoding) {
  if (input.type == BYTEAOID) return text_datum(bytes);  // the same varlena layout
  bytes = to_server_encoding(bytes, encoding);
  if (input.type == TEXTOID) return text_datum(bytes);
  return datum_of_input(input, bytes);
}

Datum datum_of_timestamp(Oid type, int64_t timestamp_ms) {
  if (type == INT8OID) return Int64GetDatum(timestamp_ms);
  int64 timestamp = 0;
  if (pg_mul_s64_overflow(timestamp_ms - epoch_offset_ms, 1000, &timestamp) || !IS_VALID_TIMESTAMP(timestamp))
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                    errmsg("message timestamp of %lld ms is out of range", static_cast<long long>(timestamp_ms))));
  return TimestampTzGetDatum(timestamp);
}

int64_t milliseconds_of_timestamp(Datum timestamp) { return DatumGetTimestampTz(timestamp) / 1000 + epoch_offset_ms; }

Datum datum_of_headers(const std::vector<kafka::Header>& headers) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (size_t first = 0, end = 0; first < headers.size(); first = end) {
    while (end < headers.size() && headers[end].name == headers[first].name) ++end;
    JsonbValue name = json_string(printable(headers[first].name));
    pushJsonbValue(&state, WJB_KEY, &name);
    push_values(&state, headers, first, end);
    CHECK_FOR_INTERRUPTS();
  }
  return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

std::span<const kafka::Header> headers_of_datum(Datum datum) {
  JsonbIterator* iterator = JsonbIteratorInit(&DatumGetJsonbP(datum)->root);
  size_t room = 8;
  size_t count = 0;
  auto* headers = static_cast<kafka::Header*>(palloc(room * sizeof(kafka::Header)));
  std::string_view name;
  JsonbValue value;
  for (;;) {
    const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, false);
    if (token == WJB_DONE) return {headers, count};
    if (token == WJB_KEY) name = utf8_of(value);
    if (token != WJB_VALUE && token != WJB_ELEM) continue;
    if (count == room)
      headers = static_cast<kafka::Header*>(repalloc_huge(headers, (room *= 2) * sizeof(kafka::Header)));
    kafka::Header* header = new (headers + count++) kafka::Header{name, std::nullopt};
    if (value.type == jbvString) header->value = utf8_of(value);
    CHECK_FOR_INTERRUPTS();
  }
}

char* printable(std::string_view bytes) {
  char* text = text_of_utf8(bytes);
  return text != nullptr ? text : hex(bytes);
}

const char* clipped(const char* text) {
  // Only so much is looked at, as a value may be long.
  const size_t length = strnlen(text, reason_characters * MAX_MULTIBYTE_CHAR_LEN + 1);
  const int kept = pg_mbcharcliplen(text, static_cast<int>(length), reason_characters);
  return text[kept] == '\0' ? text : psprintf("%.*s...", kept, text);
}

char* excerpt(std::string_view bytes) {
  // Four bytes a character at most; a character cut in two at that point is beyond the cut below.
  const std::string_view head = bytes.substr(0, excerpt_characters * MAX_MULTIBYTE_CHAR_LEN);
  const std::string_view whole = head.substr(0, pg_encoding_verifymbstr(PG_UTF8, head.data(), head.size()));
  const bool text = head.size() - whole.size() < MAX_MULTIBYTE_CHAR_LEN && head.size() < bytes.size();
  char* shown = printable(text ? whole : head);
  const int length = static_cast<int>(strlen(shown));
  const int kept = pg_mbcharcliplen(shown, length, excerpt_characters);
  if (kept == length && head.size() == bytes.size()) return shown;
  return psprintf("%.*s...", kept, shown);
}

}  // namespace kafka_fdw::pg
