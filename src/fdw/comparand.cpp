#include "fdw/comparand.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::fdw {

namespace {

int64_t integer_of(Oid type, Datum value) {
  switch (type) {
    case INT2OID:
      return DatumGetInt16(value);
    case INT4OID:
      return DatumGetInt32(value);
    default:
      return DatumGetInt64(value);
  }
}

struct Elements {
  Oid type;
  Datum* values;
  bool* nulls;
  int count;
};

/// A leaf: may raise.
Elements elements_of(Datum array) {
  ArrayType* elements = DatumGetArrayTypeP(array);
  Elements result{};
  result.type = ARR_ELEMTYPE(elements);
  int16 length = 0;
  bool by_value = false;
  char alignment = 0;
  get_typlenbyvalalign(result.type, &length, &by_value, &alignment);
  deconstruct_array(elements, result.type, length, by_value, alignment, &result.values, &result.nulls, &result.count);
  return result;
}

}  // namespace

Comparand make_comparand(Oid type, Datum value, bool null) {
  Comparand comparand;
  if (null) return comparand;
  if (type == INT2OID || type == INT4OID || type == INT8OID) {
    comparand.values.push_back(integer_of(type, value));
    return comparand;
  }
  const Elements elements = pg::call([&] { return elements_of(value); });
  for (int i = 0; i < elements.count; ++i)
    if (!elements.nulls[i]) comparand.values.push_back(integer_of(elements.type, elements.values[i]));
  return comparand;
}

}  // namespace kafka_fdw::fdw
