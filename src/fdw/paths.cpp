#include "fdw/ordered.h"
#include "fdw/plan.h"
#include "pg/compat.h"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
}

namespace kafka_fdw::fdw {

namespace {

/// A request to the brokers, in the planner's unit of cost.
constexpr Cost startup_cost = 10;
/// Decoding a column, in calls of an operator.
constexpr double operators_per_column = 4;
/// How much more a scan costs that keeps an order: partitions wait for each other, and blocks of offsets are fetched
/// with what lies behind them.
constexpr double cost_of_order = 1.1;

/// Not for a parallel worker, where it would see the topic as of another moment.
void add_ordered_path(PlannerInfo* root, RelOptInfo* baserel, const OfferedOrder& offered, Cost startup, Cost total) {
  ForeignPath* path = pg::create_foreign_scan_path(root, baserel, baserel->rows, startup, total, offered.pathkeys,
                                                   baserel->lateral_relids, order_to_list(offered.order));
  path->path.parallel_safe = false;
  add_path(baserel, reinterpret_cast<Path*>(path));
}

}  // namespace

void kafkaGetForeignPaths(PlannerInfo* root, RelOptInfo* baserel, Oid) {
  pg::entry([&] {
    const auto* size = static_cast<const RelationSize*>(baserel->fdw_private);
    const Cost decoding = cpu_operator_cost * operators_per_column * size->columns;
    const Cost per_message = cpu_tuple_cost + decoding + baserel->baserestrictcost.per_tuple;
    const Cost startup = startup_cost + baserel->baserestrictcost.startup;
    const Cost total = startup + per_message * size->estimate.read;
    pg::call([&] {
      add_path(baserel, reinterpret_cast<Path*>(pg::create_foreign_scan_path(
                            root, baserel, baserel->rows, startup, total, NIL, baserel->lateral_relids, NIL)));
    });
    const auto offered = order_for_query(root, baserel, *size);
    if (!offered) return;
    const Cost ordered = startup + (total - startup) * cost_of_order;
    pg::call([&] { add_ordered_path(root, baserel, *offered, startup, ordered); });
  });
}

}  // namespace kafka_fdw::fdw
