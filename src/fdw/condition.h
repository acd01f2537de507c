#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "pg/boundary.h"

extern "C" {
#include "nodes/pg_list.h"
}

namespace kafka_fdw::fdw {

/// The part of a WHERE clause that decides where in the log to read. What it selects contains every message for which
/// the clause is true, and nothing else where the clause could be taken over whole.
/// There is no NOT: the comparisons take it in, as the complement of "everything" would lose rows.
struct Condition {
  enum class Kind : uint8_t {
    everything,   ///< an arm that says nothing about where messages are
    all_of,       ///< without children: everything
    any_of,       ///< without children: nothing
    compare,      ///< column op expression
    compare_any,  ///< column op ANY (expression)
    compare_all   ///< column op ALL (expression)
  };
  enum class Column : uint8_t { partition, offset, timestamp, key };
  /// The numbers of the first five are those of btree strategies.
  enum class Operator : uint8_t { less = 1, less_equal = 2, equal = 3, greater_equal = 4, greater = 5, not_equal = 6 };

  Kind kind = Kind::everything;
  Column column = Column::partition;
  Oid type = InvalidOid;  ///< of the column
  Operator op = Operator::equal;
  int expression = -1;  ///< its place in the plan's fdw_exprs
  std::vector<Condition> children = {};

  bool is_comparison() const noexcept { return kind >= Kind::compare; }
};

/// Calls visit for every comparison in it.
void for_each_comparison(const Condition& condition, const std::function<void(const Condition&)>& visit);

/// The operator for which a op b is b commuted(op) a, and the one that is true where op is false.
Condition::Operator commuted(Condition::Operator op) noexcept;
Condition::Operator negated(Condition::Operator op) noexcept;

/// As a list of integers for a plan. May raise: call it inside pg::call.
List* condition_to_list(const Condition& condition);
Condition condition_from_list(const List* list);

}  // namespace kafka_fdw::fdw
