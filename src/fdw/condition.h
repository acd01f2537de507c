#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kafka/offset_set.h"
#include "pg/boundary.h"

extern "C" {
#include "nodes/pg_list.h"
}

namespace kafka_fdw::fdw {

/// The part of a WHERE clause that partitions and offsets answer. What it selects contains every message for which the
/// clause is true, and nothing else where the clause could be taken over whole.
/// There is no NOT: the planner moves it into the comparisons, and the complement of "everything" would lose rows.
struct Condition {
  enum class Kind : uint8_t {
    everything,  ///< an arm that says nothing about partitions and offsets
    all_of,
    any_of,
    compare,     ///< column op expression
    compare_any  ///< column op ANY (expression)
  };
  enum class Column : uint8_t { partition, offset };
  /// The numbers are those of btree strategies.
  enum class Operator : uint8_t { less = 1, less_equal = 2, equal = 3, greater_equal = 4, greater = 5 };

  Kind kind = Kind::everything;
  Column column = Column::partition;
  Operator op = Operator::equal;
  int expression = -1;  ///< its place in the plan's fdw_exprs
  std::vector<Condition> children = {};
};

/// What an expression of a condition came to.
struct Comparand {
  bool known = true;                 ///< false, in the planner: only execution will tell
  std::vector<int64_t> values = {};  ///< none for NULL; several for an array
};

/// What a condition selects. `start` of the table is a default: it applies only where the query gives no lower bound of
/// offsets itself.
struct Selection {
  kafka::OffsetSet bounded;    ///< under a lower bound of the query's own
  kafka::OffsetSet unbounded;  ///< without one

  kafka::OffsetSet all() const { return bounded | unbounded; }
};

Selection select(const Condition& condition, std::span<const Comparand> comparands);

/// As a list of integers for a plan. May raise: call it inside pg::call.
List* condition_to_list(const Condition& condition);
Condition condition_from_list(const List* list);

}  // namespace kafka_fdw::fdw
