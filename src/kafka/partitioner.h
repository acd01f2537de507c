#pragma once

#include <cstdint>
#include <string_view>

namespace kafka_fdw::kafka {

/// How a producer chooses the partition of a message by its key.
enum class Partitioner : uint8_t {
  murmur2,  ///< Kafka's Java clients, and those that do as they do
  crc32     ///< librdkafka's default (consistent_random), and the clients that are built on it
};

/// Negative: any.
int32_t partition_of_key(Partitioner partitioner, std::string_view key, int32_t partition_count) noexcept;

}  // namespace kafka_fdw::kafka
