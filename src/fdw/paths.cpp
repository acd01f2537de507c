#include <algorithm>
#include <vector>

#include "fdw/ordered.h"
#include "fdw/plan.h"
#include "fdw/pushdown.h"
#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
}

namespace kafka_fdw::fdw {

namespace {

/// A request to the brokers, in the planner's unit of cost.
constexpr Cost startup_cost = 10;
/// Decoding a column, in calls of an operator.
constexpr double operators_per_column = 4;
/// Where nothing is known of the topic.
constexpr double guessed_message_bytes = 200;
/// How much more a scan costs that keeps an order: partitions wait for each other, and blocks of offsets are fetched
/// with what lies behind them.
constexpr double cost_of_order = 1.1;

struct Costs {
  double messages;  ///< that are read
  Cost startup;
  Cost total;
};

Costs costs_of(const RelOptInfo* baserel, const RelationSize& size, double messages) {
  const Cost decoding = cpu_operator_cost * operators_per_column * size.columns;
  const Cost per_message = cpu_tuple_cost + decoding + baserel->baserestrictcost.per_tuple;
  const Cost startup = startup_cost + baserel->baserestrictcost.startup;
  return {.messages = messages, .startup = startup, .total = startup + per_message * messages};
}

/// A path for one process: a worker would see the topic as of another moment.
ForeignPath* make_path(PlannerInfo* root, RelOptInfo* baserel, double rows, const Costs& costs, List* pathkeys,
                       Relids outer, const ScanOrder& order) {
  ForeignPath* path = pg::create_foreign_scan_path(root, baserel, rows, costs.startup, costs.total, pathkeys, outer,
                                                   make_path_private(order, costs.messages));
  path->path.parallel_safe = false;
  return path;
}

/// As the last ANALYZE found it.
double message_bytes(const RelOptInfo* baserel, const RelationSize& size) {
  return size.analyzed_tuples > 0 ? baserel->pages * static_cast<double>(BLCKSZ) / size.analyzed_tuples
                                  : guessed_message_bytes;
}

/// A path whose messages are dealt out to several processes.
void add_partial_path_for(PlannerInfo* root, RelOptInfo* baserel, const RelationSize& size, const Costs& costs) {
  const double pages = size.estimate.read * message_bytes(baserel, size) / BLCKSZ;
  const int workers = compute_parallel_worker(baserel, pages, -1, max_parallel_workers_per_gather);
  if (workers <= 0) return;
  // As the planner reckons for its own scans: the leader has less time for it, the more workers it serves.
  const double leader = parallel_leader_participation ? std::max(0.0, 1.0 - 0.3 * workers) : 0.0;
  const double processes = workers + leader;
  const Costs share{.messages = costs.messages,
                    .startup = costs.startup,
                    .total = costs.startup + (costs.total - costs.startup) / processes};
  ForeignPath* path = make_path(root, baserel, clamp_row_est(baserel->rows / processes), share, NIL, nullptr, {});
  path->path.parallel_aware = true;
  path->path.parallel_safe = true;
  path->path.parallel_workers = workers;
  add_partial_path(baserel, reinterpret_cast<Path*>(path));
}

void add_ordered_path(PlannerInfo* root, RelOptInfo* baserel, const OfferedOrder& offered, const Costs& costs) {
  const Cost total = costs.startup + (costs.total - costs.startup) * cost_of_order;
  ForeignPath* path = make_path(root, baserel, baserel->rows, {costs.messages, costs.startup, total}, offered.pathkeys,
                                baserel->lateral_relids, offered.order);
  add_path(baserel, reinterpret_cast<Path*>(path));
}

/// Whether the member is the column with that attribute number.
bool is_column(PlannerInfo*, RelOptInfo* rel, EquivalenceClass*, EquivalenceMember* member, void* attribute) {
  if (!IsA(member->em_expr, Var)) return false;
  const auto* var = reinterpret_cast<const Var*>(member->em_expr);
  return static_cast<Index>(var->varno) == rel->relid && var->varattno == *static_cast<AttrNumber*>(attribute);
}

/// A leaf. Join clauses that may restrict a scan of the relation, for which the others' rows are known.
List* join_clauses(PlannerInfo* root, RelOptInfo* baserel, AttrNumber column_count) {
  List* clauses = NIL;
  ListCell* cell = nullptr;
  foreach (cell, baserel->joininfo) {
    auto* clause = lfirst_node(RestrictInfo, cell);
    if (join_clause_is_movable_to(clause, baserel)) clauses = lappend(clauses, clause);
  }
  if (!baserel->has_eclass_joins) return clauses;
  for (int i = 1; i <= column_count; ++i) {
    auto attribute = static_cast<AttrNumber>(i);
    clauses = list_concat(clauses, generate_implied_equalities_for_column(root, baserel, is_column, &attribute,
                                                                          baserel->lateral_referencers));
  }
  return clauses;
}

/// The ways in which rows of other relations can decide what a scan reads.
std::vector<ParamPathInfo*> parameterizations(PlannerInfo* root, RelOptInfo* baserel, const Table& table) {
  std::vector<ParamPathInfo*> found;
  const auto column_count = static_cast<AttrNumber>(table.shape.columns.size());
  List* clauses = pg::call([&] { return join_clauses(root, baserel, column_count); });
  for (int i = 0; i < list_length(clauses); ++i) {
    const auto* clause = static_cast<const RestrictInfo*>(list_nth(clauses, i));
    if (!can_push(table, baserel->relid, clause)) continue;
    ParamPathInfo* info = pg::call([&]() -> ParamPathInfo* {
      Relids outer =
          bms_del_member(bms_union(clause->clause_relids, baserel->lateral_relids), static_cast<int>(baserel->relid));
      return bms_is_empty(outer) ? nullptr : get_baserel_parampathinfo(root, baserel, outer);
    });
    if (info != nullptr && std::ranges::find(found, info) == found.end()) found.push_back(info);
  }
  return found;
}

void add_parameterized_path(PlannerInfo* root, RelOptInfo* baserel, const Table& table, const RelationSize& size,
                            ParamPathInfo* info) {
  List* clauses = pg::call([&] { return list_concat_copy(baserel->baserestrictinfo, info->ppi_clauses); });
  const Pushdown pushdown = push_down(table, baserel->relid, clauses);
  const Estimate estimate = estimate_scan(root, baserel, table, pushdown);
  const Costs costs = costs_of(baserel, size, estimate.read);
  pg::call([&] {
    add_path(baserel,
             reinterpret_cast<Path*>(make_path(root, baserel, info->ppi_rows, costs, NIL, info->ppi_req_outer, {})));
  });
}

}  // namespace

void kafkaGetForeignPaths(PlannerInfo* root, RelOptInfo* baserel, Oid foreigntableid) {
  pg::entry([&] {
    const auto& size = *static_cast<const RelationSize*>(baserel->fdw_private);
    const Costs costs = costs_of(baserel, size, size.estimate.read);
    pg::call([&] {
      add_path(baserel, reinterpret_cast<Path*>(
                            make_path(root, baserel, baserel->rows, costs, NIL, baserel->lateral_relids, {})));
      if (size.can_be_parallel && baserel->consider_parallel && bms_is_empty(baserel->lateral_relids))
        add_partial_path_for(root, baserel, size, costs);
    });
    if (const auto offered = order_for_query(root, baserel, size))
      pg::call([&] { add_ordered_path(root, baserel, *offered, costs); });
    if (baserel->joininfo == NIL && !baserel->has_eclass_joins) return;
    const Table table = load_planned_table(foreigntableid);
    for (ParamPathInfo* info : parameterizations(root, baserel, table))
      add_parameterized_path(root, baserel, table, size, info);
  });
}

}  // namespace kafka_fdw::fdw
