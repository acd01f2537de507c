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
  });
}

}  // namespace kafka_fdw::fdw
