#pragma once

#include <vector>

#include "kafka/client.h"
#include "pg/boundary.h"

namespace kafka_fdw::fdw {

/// The offsets of a topic's partitions as a statement saw them first: rescans, self joins and correlated subqueries all
/// read the same messages.
struct TopicSnapshot {
  std::vector<kafka::Watermarks> watermarks;  ///< by partition
  std::vector<int64_t> starts;  ///< where the table's `start` is, one per partition; empty until somebody asks
};

/// The snapshot of a table in the statement with that query context, or null. Lives as long as the context.
TopicSnapshot* find_snapshot(MemoryContext statement, Oid relation);
TopicSnapshot& keep_snapshot(MemoryContext statement, Oid relation, std::vector<kafka::Watermarks> watermarks);

}  // namespace kafka_fdw::fdw
