#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kafka/partitioner.h"
#include "kafka/properties.h"
#include "pg/row_builder.h"

extern "C" {
#include "utils/relcache.h"
}

namespace kafka_fdw::fdw {

/// A Kafka foreign table as its options describe it.
struct Table {
  Oid relation = InvalidOid;
  Oid server = InvalidOid;
  std::string topic;
  std::string start;                                                ///< a position; empty: earliest
  std::optional<kafka::Partitioner> key_partitioner;                ///< how producers choose a message's partition
  std::optional<std::chrono::milliseconds> max_timestamp_disorder;  ///< no message is older by more than one before it
  pg::RowShape shape;                                               ///< every column needed
  kafka::Properties properties;                                     ///< the table's own librdkafka properties
};

/// Reads and checks options and columns. Throws pg::Error.
Table load_table(Relation relation);

/// Whether the relation is a foreign table of this extension's wrapper.
bool is_kafka_table(Oid relation);

}  // namespace kafka_fdw::fdw
