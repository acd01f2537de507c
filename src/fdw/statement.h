#pragma once

#include <map>
#include <vector>

#include "fdw/same_log.h"
#include "kafka/client.h"
#include "pg/boundary.h"

namespace kafka_fdw::fdw {

/// The offsets of a topic's partitions as a statement saw them first: rescans, self joins and correlated subqueries all
/// read the same messages. A partition is asked for when a scan first wants it, so that one without a leader hinders no
/// scan of the others.
struct TopicSnapshot {
  std::vector<int32_t> partitions;                  ///< of the topic, sorted
  std::map<int32_t, kafka::Watermarks> watermarks;  ///< of the partitions that a scan has wanted
  std::map<int32_t, int64_t> starts;                ///< where the table's `start` is, as far as somebody has asked
  /// By moment, in ms since 1970, and partition: the first offset of a message of that time or a later one.
  std::map<int64_t, std::map<int32_t, int64_t>> moments;
  KnownLog log;
};

/// The snapshot of a table in the statement with that query context, or null. Lives as long as the context.
TopicSnapshot* find_snapshot(MemoryContext statement, Oid relation);
TopicSnapshot& keep_snapshot(MemoryContext statement, Oid relation, std::vector<int32_t> partitions);

}  // namespace kafka_fdw::fdw
