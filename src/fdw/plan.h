#pragma once

#include "fdw/estimate.h"
#include "fdw/scan_order.h"
#include "fdw/table.h"
#include "pg/boundary.h"

extern "C" {
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
}

namespace kafka_fdw::fdw {

/// The places of ForeignScan.fdw_private. fdw_exprs are the expressions of the condition.
enum PlanItem : int {
  plan_condition,  ///< condition_to_list
  plan_columns,    ///< attribute numbers that somebody looks at, a list of integers
  plan_order,      ///< order_to_list
  plan_reading     ///< two integers: how many messages will probably be asked for, 0: all; and a kafka::Reading
};

/// What GetForeignRelSize leaves in the relation's fdw_private: plain data, as a planner's context may live long.
struct RelationSize {
  Estimate estimate;
  int columns;                  ///< that must be decoded
  AttrNumber partition_column;  ///< 0: none
  AttrNumber offset_column;     ///< 0: none
  bool can_be_parallel;
  double analyzed_tuples;  ///< of the last ANALYZE; not positive: there was none
};

/// The table of a relation that the planner has locked.
Table load_planned_table(Oid relation);

/// The fdw_private of a path that reads so many messages. May raise: call it inside pg::call.
List* make_path_private(const ScanOrder& order, double messages);

/// The planner's callbacks; see PostgreSQL's "Writing a Foreign Data Wrapper".
void kafkaGetForeignRelSize(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid);
void kafkaGetForeignPaths(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid);
ForeignScan* kafkaGetForeignPlan(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid, ForeignPath* best_path,
                                 List* tlist, List* scan_clauses, Plan* outer_plan);

}  // namespace kafka_fdw::fdw
