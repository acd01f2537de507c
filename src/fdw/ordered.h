#pragma once

#include <optional>

#include "fdw/plan.h"
#include "fdw/scan_order.h"

namespace kafka_fdw::fdw {

/// An order that the query asks for and a scan can give.
struct OfferedOrder {
  ScanOrder order;
  List* pathkeys;  ///< the query's own, the first of them
};

/// Neither column is ever NULL, so NULLS FIRST and NULLS LAST are the same.
std::optional<OfferedOrder> order_for_query(PlannerInfo* root, RelOptInfo* baserel, const RelationSize& size);

}  // namespace kafka_fdw::fdw
