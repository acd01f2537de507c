#pragma once

#include <vector>

#include "fdw/condition.h"
#include "fdw/table.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace kafka_fdw::fdw {

/// Clauses of a query, divided into what the scan answers by its ranges and what must be looked at row by row.
struct Pushdown {
  Condition condition;      ///< all of what is pushed
  List* expressions = NIL;  ///< that the condition compares with
  List* pushed = NIL;       ///< RestrictInfos that the condition answers whole
  List* local = NIL;        ///< RestrictInfos that rows must be checked with; some may be pushed in part
};

/// `clauses` are RestrictInfos on the table, which is `relid` in the query.
/// Pushed are =, <, <=, >, >= and = ANY between a partition or offset column and an integer expression that neither
/// looks at a column nor is volatile, and AND and OR of these.
Pushdown push_down(const Table& table, Index relid, List* clauses);

}  // namespace kafka_fdw::fdw
