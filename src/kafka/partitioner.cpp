#include "kafka/partitioner.h"

#include <librdkafka/rdkafka.h>

namespace kafka_fdw::kafka {

int32_t partition_of_key(Partitioner partitioner, std::string_view key, int32_t partition_count) noexcept {
  if (partition_count <= 0) return -1;
  // Of these two neither looks at the topic.
  if (partitioner == Partitioner::murmur2)
    return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partition_count, nullptr, nullptr);
  // To consistent_random an empty key is none.
  if (key.empty()) return -1;
  return rd_kafka_msg_partitioner_consistent(nullptr, key.data(), key.size(), partition_count, nullptr, nullptr);
}

}  // namespace kafka_fdw::kafka
