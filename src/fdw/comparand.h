#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fdw/condition.h"

namespace kafka_fdw::fdw {

/// A number as integers x can be compared with it: x < number is x < above, x > number is x > below, x = number is both
/// x = below and x = above.
struct Number {
  int64_t below;  ///< the largest integer that is not larger; the smallest or the largest int64 beyond these
  int64_t above;  ///< the smallest integer that is not smaller
  bool fuzzy;     ///< it lies somewhere between the two, and integers between them compare in a way that is not known
};

/// What the expression of a comparison came to, as its column wants it.
struct Comparand {
  bool known = true;                   ///< false: nothing is known of it, as in the planner
  bool has_null = false;               ///< it is NULL, or an array with one
  bool is_null = false;                ///< it is NULL
  std::vector<Number> numbers = {};    ///< for partition, offset, and for timestamp in ms since 1970
  std::vector<std::string> keys = {};  ///< for key: the bytes
};

/// A scalar, or an array for compare_any and compare_all, of a type that can_be_comparand allows.
/// `encoding` is that of the table's keys as text.
Comparand make_comparand(const Condition& comparison, int encoding, Oid type, Datum value, bool null);

/// Whether a column of that role and type can be compared with a scalar of this type.
bool can_be_comparand(Condition::Column column, Oid column_type, Oid type) noexcept;

}  // namespace kafka_fdw::fdw
