#include "fdw/comparand.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

extern "C" {
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
}

namespace kafka_fdw::fdw {

namespace {

using Column = Condition::Column;

constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t highest = std::numeric_limits<int64_t>::max();
/// Beyond it not every integer is a double, and integers are rounded when they are compared with one.
constexpr double exact_doubles = 9007199254740992.0;
constexpr int64_t epoch_ms = static_cast<int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
/// No zone's clock is ever set by more at once: Samoa left out a whole day.
constexpr int64_t longest_clock_change = 26 * USECS_PER_HOUR;

Number exactly(int64_t value) { return {value, value, false}; }

int64_t clamped(double value) {
  if (value >= 9223372036854775807.0) return highest;
  return value <= -9223372036854775808.0 ? lowest : static_cast<int64_t>(value);
}

/// PostgreSQL takes NaN for larger than all other numbers.
Number number_of_double(double value) {
  if (std::isnan(value)) return exactly(highest);
  if (std::isinf(value) || std::abs(value) < exact_doubles)
    return {clamped(std::floor(value)), clamped(std::ceil(value)), false};
  const double rounding = std::abs(value) / exact_doubles * 2;
  return {clamped(value - rounding), clamped(value + rounding), true};
}

/// `text` as numeric_out writes it: digits with or without a point, NaN, Infinity.
Number number_of_numeric(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (text == "NaN" || text.ends_with("Infinity")) return exactly(negative ? lowest : highest);
  const size_t point = std::min(text.find('.'), text.size());
  int64_t whole = 0;
  if (std::from_chars(text.data(), text.data() + point, whole).ec == std::errc::result_out_of_range)
    return exactly(negative ? lowest : highest);
  const bool integer = text.substr(point).find_first_not_of(".0") == std::string_view::npos;
  if (integer) return exactly(whole);
  return negative ? Number{whole - (whole == lowest ? 0 : 1), whole, false}
                  : Number{whole, whole + (whole == highest ? 0 : 1), false};
}

/// Microseconds since 2000 as milliseconds since 1970.
Number number_of_time(Timestamp time) {
  if (TIMESTAMP_IS_NOBEGIN(time)) return exactly(lowest);
  if (TIMESTAMP_IS_NOEND(time)) return exactly(highest);
  const int64_t rest = (time % 1000 + 1000) % 1000;
  const int64_t below = (time - rest) / 1000 + epoch_ms;
  return {below, rest == 0 ? below : below + 1, false};
}

// What follows are leaves: they may raise.

Timestamp local_time(TimestampTz time) {
  return DatumGetTimestamp(DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(time)));
}

/// A moment as the column's clock, which has no zone, shows it. PostgreSQL compares them the other way round, by what
/// the column's time means in the session's zone: that differs near the moments when clocks are changed.
bool number_on_clock(TimestampTz time, Number* number) {
  if (TIMESTAMP_NOT_FINITE(time)) {
    *number = number_of_time(time);
    return true;
  }
  const TimestampTz before = time - longest_clock_change;
  const TimestampTz after = time + longest_clock_change;
  if (!IS_VALID_TIMESTAMP(before - USECS_PER_DAY) || !IS_VALID_TIMESTAMP(after + USECS_PER_DAY)) return false;
  const Timestamp shown = local_time(time);
  const bool steady =
      local_time(before) + longest_clock_change == shown && local_time(after) - longest_clock_change == shown;
  *number = steady ? number_of_time(shown)
                   : Number{number_of_time(shown - longest_clock_change).below,
                            number_of_time(shown + longest_clock_change).above, true};
  return true;
}

/// False: nothing is known of it.
bool number_of_instant(Oid column_type, Oid type, Datum value, Number* number) {
  const bool with_zone = column_type == TIMESTAMPTZOID;
  int overflow = 0;  // an infinity stands for what is out of range
  if (type == DATEOID) {
    const DateADT date = DatumGetDateADT(value);
    *number = number_of_time(with_zone ? date2timestamptz_opt_overflow(date, &overflow)
                                       : date2timestamp_opt_overflow(date, &overflow));
    return true;
  }
  if (type == TIMESTAMPTZOID && !with_zone) return number_on_clock(DatumGetTimestampTz(value), number);
  Timestamp time = DatumGetTimestamp(value);
  if (type == TIMESTAMPOID && with_zone) time = timestamp2timestamptz_opt_overflow(time, &overflow);
  *number = number_of_time(time);
  return true;
}

bool number_of(Oid column_type, Oid type, Datum value, Number* number) {
  switch (type) {
    case INT2OID:
      *number = exactly(DatumGetInt16(value));
      return true;
    case INT4OID:
      *number = exactly(DatumGetInt32(value));
      return true;
    case INT8OID:
      *number = exactly(DatumGetInt64(value));
      return true;
    case FLOAT4OID:
      *number = number_of_double(DatumGetFloat4(value));
      return true;
    case FLOAT8OID:
      *number = number_of_double(DatumGetFloat8(value));
      return true;
    case NUMERICOID: {
      char* text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
      *number = number_of_numeric(text);
      pfree(text);
      return true;
    }
    default:
      return number_of_instant(column_type, type, value, number);
  }
}

struct Bytes {
  const char* data;
  size_t size;
};

/// The bytes as producers wrote them. False: not known, as several texts may mean the same.
bool bytes_of(Oid type, int encoding, Datum value, Bytes* bytes) {
  const struct varlena* found = PG_DETOAST_DATUM_PACKED(value);
  *bytes = {VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found)};
  if (type == BYTEAOID || encoding == GetDatabaseEncoding() || GetDatabaseEncoding() == PG_SQL_ASCII) return true;
  return std::all_of(bytes->data, bytes->data + bytes->size, [](char c) { return !IS_HIGHBIT_SET(c); });
}

struct Elements {
  Oid type;
  Datum* values;
  bool* nulls;
  int count;
};

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

/// Converts those that are not NULL, and says whether all of them are known.
template <class Result, class Convert>
bool convert_all(const Elements& elements, Result* results, const Convert& convert) {
  constexpr int often = 4096;
  bool known = true;
  for (int i = 0; i < elements.count; ++i) {
    if (i % often == 0) CHECK_FOR_INTERRUPTS();
    if (elements.nulls == nullptr || !elements.nulls[i]) known &= convert(elements.values[i], results++);
  }
  return known;
}

// No leaves any more.

void add_numbers(Comparand& comparand, const Condition& comparison, const Elements& elements, size_t count) {
  comparand.numbers.resize(count);
  Number* numbers = comparand.numbers.data();
  comparand.known = pg::call([&] {
    return convert_all(elements, numbers, [&](Datum value, Number* number) {
      return number_of(comparison.type, elements.type, value, number);
    });
  });
}

void add_keys(Comparand& comparand, int encoding, const Elements& elements, size_t count) {
  std::vector<Bytes> keys(count);
  Bytes* bytes = keys.data();
  comparand.known = pg::call([&] {
    return convert_all(elements, bytes,
                       [&](Datum value, Bytes* key) { return bytes_of(elements.type, encoding, value, key); });
  });
  for (const Bytes& key : keys) comparand.keys.emplace_back(key.data, key.size);
}

}  // namespace

Comparand make_comparand(const Condition& comparison, int encoding, Oid type, Datum value, bool null) {
  Comparand comparand{.known = true, .has_null = null, .is_null = null};
  if (null) return comparand;
  Elements elements{.type = type, .values = &value, .nulls = nullptr, .count = 1};
  if (comparison.kind != Condition::Kind::compare) elements = pg::call([&] { return elements_of(value); });
  const auto nulls = elements.nulls == nullptr ? 0 : std::count(elements.nulls, elements.nulls + elements.count, true);
  comparand.has_null = nulls > 0;
  const auto count = static_cast<size_t>(elements.count - nulls);
  if (comparison.column == Column::key)
    add_keys(comparand, encoding, elements, count);
  else
    add_numbers(comparand, comparison, elements, count);
  return comparand;
}

bool can_be_comparand(Column column, Oid column_type, Oid type) noexcept {
  if (column == Column::key) return type == column_type;
  if (column_type == TIMESTAMPTZOID || column_type == TIMESTAMPOID)
    return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
  return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID || type == FLOAT4OID ||
         type == FLOAT8OID;
}

}  // namespace kafka_fdw::fdw
