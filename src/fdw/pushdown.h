#pragma once

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
  List* timed = NIL;        ///< those of them by whose times the brokers find offsets
};

/// `clauses` are RestrictInfos on the table, which is `relid` in the query.
/// Pushed are comparisons of a partition, offset, timestamp or key column with an expression that looks at no column of
/// the table and is not volatile, alone, with ANY, ALL or in rows, and AND, OR and NOT of these.
Pushdown push_down(const Table& table, Index relid, List* clauses);

/// Whether the clause, which may look at other relations too, restricts what a scan of the table reads.
bool can_push(const Table& table, Index relid, const RestrictInfo* clause);

}  // namespace kafka_fdw::fdw
