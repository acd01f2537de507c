#pragma once

#include <vector>

#include "fdw/pushdown.h"
#include "kafka/client.h"

namespace kafka_fdw::fdw {

/// What the planner should expect of a scan.
struct Estimate {
  double messages;  ///< in the topic, or in the batch of a consumer
  double read;      ///< in the ranges that are pushed
  double rows;      ///< after all clauses
};

/// Never fails because a broker does: asks at most once in kafka_fdw.metadata_ttl, for half a second, and falls back to
/// a default.
Estimate estimate_scan(PlannerInfo* root, const RelOptInfo* rel, const Table& table, const Pushdown& pushdown);

/// What a scan has just learnt, for the estimates of the next plans.
void remember_watermarks(const Table& table, Oid user, const std::vector<kafka::Watermarks>& watermarks);

}  // namespace kafka_fdw::fdw
