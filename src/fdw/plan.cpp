#include "fdw/plan.h"

#include <algorithm>

#include "fdw/estimate.h"
#include "fdw/message_source.h"
#include "fdw/pushdown.h"
#include "fdw/scan_order.h"
#include "fdw/table.h"
#include "fdw/topic_view.h"
#include "pg/compat.h"

extern "C" {
#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
}

namespace kafka_fdw::fdw {

namespace {

AttrNumber column_with(pg::ColumnRole role, const Table& table) {
  const auto& columns = table.shape.columns;
  const auto found = std::ranges::find(columns, role, &pg::RowColumn::role);
  return found == columns.end() ? AttrNumber{0} : static_cast<AttrNumber>(found - columns.begin() + 1);
}

/// A consumer's batch is in the memory of this process. Rows that keep errors need subtransactions.
bool can_be_parallel(const Table& table) {
  const BoundBatch* batch = bound_batch();
  if (batch != nullptr && batch->expected_rows(table) >= 0) return false;
  return pg::can_subtransact_in_parallel_mode || !table.shape.keeps_errors();
}

/// How many messages a LIMIT asks for. 0: all of them, as somebody between it and the scan reads on.
int limit_of_scan(const PlannerInfo* root, const ForeignPath* path, const Pushdown& pushdown) {
  const double limit = root->limit_tuples;
  const bool passed_on = bms_membership(root->all_baserels) == BMS_SINGLETON && pushdown.local == NIL &&
                         pg::call([&] { return pathkeys_contained_in(root->query_pathkeys, path->path.pathkeys); });
  return passed_on && limit > 0 && limit < INT_MAX ? static_cast<int>(limit) : 0;
}

/// Attribute numbers that the query looks at: in its output, or to check the local clauses. All of them for a whole
/// row.
List* needed_columns(const RelOptInfo* rel, const List* local, int column_count) {
  Bitmapset* used = nullptr;
  pull_varattnos(reinterpret_cast<Node*>(rel->reltarget->exprs), rel->relid, &used);
  for (int i = 0; i < list_length(local); ++i)
    pull_varattnos(reinterpret_cast<Node*>(static_cast<RestrictInfo*>(list_nth(local, i))->clause), rel->relid, &used);
  const bool whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
  List* columns = NIL;
  for (int attribute = 1; attribute <= column_count; ++attribute)
    if (whole_row || bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, used))
      columns = lappend_int(columns, attribute);
  return columns;
}

}  // namespace

Table load_planned_table(Oid relation) {
  Relation opened = pg::call([&] { return table_open(relation, NoLock); });
  Table table = load_table(opened);
  pg::call([&] { table_close(opened, NoLock); });
  return table;
}

List* make_path_private(const ScanOrder& order, double messages) {
  return list_make2(order_to_list(order), makeInteger(messages <= TopicView::few ? 1 : 0));
}

void kafkaGetForeignRelSize(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid) {
  pg::entry([&] {
    const Table table = load_planned_table(foreigntableid);
    const Pushdown pushdown = push_down(table, baserel->relid, baserel->baserestrictinfo);
    auto* size = pg::call([&] { return static_cast<RelationSize*>(palloc0(sizeof(RelationSize))); });
    size->estimate = estimate_scan(root, baserel, table, pushdown);
    const int column_count = static_cast<int>(table.shape.columns.size());
    size->columns = pg::call([&] { return list_length(needed_columns(baserel, pushdown.local, column_count)); });
    size->partition_column = column_with(pg::ColumnRole::partition, table);
    size->offset_column = column_with(pg::ColumnRole::offset, table);
    size->can_be_parallel = can_be_parallel(table);
    size->analyzed_tuples = baserel->tuples;
    baserel->tuples = size->estimate.messages;
    baserel->rows = clamp_row_est(size->estimate.rows);
    baserel->fdw_private = size;
  });
}

ForeignScan* kafkaGetForeignPlan(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid, ForeignPath* best_path,
                                 List* tlist, List* scan_clauses, Plan* outer_plan) {
  return pg::entry([&] {
    const Table table = load_planned_table(foreigntableid);
    const Pushdown pushdown = push_down(table, baserel->relid, scan_clauses);
    const int column_count = static_cast<int>(table.shape.columns.size());
    const int limit = limit_of_scan(root, best_path, pushdown);
    auto* order = static_cast<List*>(linitial(best_path->fdw_private));
    const bool few = limit > 0 ? limit <= TopicView::few : intVal(lsecond(best_path->fdw_private)) != 0;
    const auto reading = few ? kafka::Reading::few : kafka::Reading::many;
    return pg::call([&] {
      List* columns = needed_columns(baserel, pushdown.local, column_count);
      // Rows that are looked at again, after a lock, are checked with what the ranges answered at first.
      return make_foreignscan(tlist, extract_actual_clauses(pushdown.local, false), baserel->relid,
                              pushdown.expressions,
                              list_make4(condition_to_list(pushdown.condition), columns, order,
                                         list_make2_int(limit, static_cast<int>(reading))),
                              NIL, extract_actual_clauses(pushdown.pushed, false), outer_plan);
    });
  });
}

}  // namespace kafka_fdw::fdw
