#include "kafka/partitioner.h"

#include <gtest/gtest.h>

namespace kafka_fdw::kafka {
namespace {

constexpr int32_t many = 1'000'000;

/// The hashes are those that Kafka's own tests name for its murmur2.
TEST(Partitioner, Murmur2IsThatOfTheJavaClients) {
  const auto partition = [](std::string_view key) { return partition_of_key(Partitioner::murmur2, key, many); };
  EXPECT_EQ(partition("21"), (-973932308 & 0x7fffffff) % many);
  EXPECT_EQ(partition("foobar"), (-790332482 & 0x7fffffff) % many);
  EXPECT_EQ(partition("a-little-bit-long-string"), (-985981536 & 0x7fffffff) % many);
  EXPECT_EQ(partition("a-little-bit-longer-string"), (-1486304829 & 0x7fffffff) % many);
  EXPECT_EQ(partition("abc"), (479470107 & 0x7fffffff) % many);
}

TEST(Partitioner, Crc32IsTheCommonOne) {
  EXPECT_EQ(partition_of_key(Partitioner::crc32, "123456789", many), 0xcbf43926U % many);
}

TEST(Partitioner, AnEmptyKeyIsNoKeyToConsistentRandom) {
  EXPECT_LT(partition_of_key(Partitioner::crc32, "", 4), 0);
  EXPECT_GE(partition_of_key(Partitioner::murmur2, "", 4), 0);
}

TEST(Partitioner, WithoutPartitionsThereIsNone) { EXPECT_LT(partition_of_key(Partitioner::murmur2, "key", 0), 0); }

}  // namespace
}  // namespace kafka_fdw::kafka
