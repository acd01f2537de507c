#include "pg/row_shape.h"

#include <algorithm>

extern "C" {
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::pg {

using decode::Type;

bool shows_junk(const RowColumn& column) noexcept {
  return column.role == ColumnRole::junk || column.role == ColumnRole::junk_error;
}

bool RowShape::keeps_errors() const noexcept { return ignore_junk || std::ranges::any_of(columns, shows_junk); }

bool RowShape::shows_key_bytes(Oid type) const noexcept {
  return type == BYTEAOID || (type == TEXTOID && key_format.kind != decode::KeyFormat::Kind::json);
}

bool RowShape::has_one_key_field() const noexcept {
  return std::ranges::count_if(columns, [](const RowColumn& column) { return !column.key_path.empty(); }) == 1;
}

const char* wrong_type_for_role(ColumnRole role, Oid type) {
  auto one_of = [type](std::initializer_list<Oid> types) { return std::ranges::find(types, type) != types.end(); };
  switch (role) {
    case ColumnRole::partition:
      return one_of({INT4OID}) ? nullptr : "integer";
    case ColumnRole::offset:
      return one_of({INT8OID}) ? nullptr : "bigint";
    case ColumnRole::timestamp:
      return one_of({TIMESTAMPTZOID, TIMESTAMPOID, INT8OID})
                 ? nullptr
                 : "timestamp with time zone, timestamp without time zone or bigint";
    case ColumnRole::key:
      return one_of({BYTEAOID, TEXTOID}) ? nullptr : "bytea or text";
    case ColumnRole::headers:
      return one_of({JSONBOID}) ? nullptr : "jsonb";
    case ColumnRole::payload:
      return one_of({BYTEAOID, TEXTOID, JSONOID, JSONBOID}) ? nullptr : "bytea, text, json or jsonb";
    case ColumnRole::tombstone:
    case ColumnRole::deleted:
      return one_of({BOOLOID}) ? nullptr : "boolean";
    case ColumnRole::junk:
    case ColumnRole::junk_error:
      return one_of({TEXTOID}) ? nullptr : "text";
    case ColumnRole::field:
    case ColumnRole::key_field:
    case ColumnRole::row_key:
    case ColumnRole::before:
    case ColumnRole::generated:
    case ColumnRole::none:
      return nullptr;
  }
  return nullptr;
}

decode::Type decode_type(Oid type, int32 typmod) {
  if (type == JSONOID || type == JSONBOID) return Type::json;
  if (typmod != -1) return Type::other;
  switch (type) {
    case BOOLOID:
      return Type::boolean;
    case INT2OID:
      return Type::int2;
    case INT4OID:
      return Type::int4;
    case INT8OID:
      return Type::int8;
    case FLOAT4OID:
      return Type::float4;
    case FLOAT8OID:
      return Type::float8;
    case NUMERICOID:
      return Type::numeric;
    case TEXTOID:
    case VARCHAROID:
      return Type::text;
    case DATEOID:
      return Type::date;
    case TIMESTAMPOID:
      return Type::timestamp;
    case TIMESTAMPTZOID:
      return Type::timestamptz;
    case UUIDOID:
      return Type::uuid;
    default:
      return Type::other;
  }
}

decode::Refusal debezium_refusal(Oid type) {
  Oid element = InvalidOid;
  call([&] {
    type = getBaseType(type);
    element = get_element_type(type);
  });
  switch (OidIsValid(element) ? element : type) {
    case TIMEOID:
    case TIMETZOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case INTERVALOID:
      return decode::Refusal::numbers;
    case DATEOID:
      return OidIsValid(element) ? decode::Refusal::numbers : decode::Refusal::nothing;
    case BYTEAOID:
    case BITOID:
    case VARBITOID:
      return decode::Refusal::strings;
    default:
      return decode::Refusal::nothing;
  }
}

}  // namespace kafka_fdw::pg
