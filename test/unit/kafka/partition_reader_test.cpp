#include "kafka/partition_reader.h"

#include <gtest/gtest.h>

namespace kafka_fdw::kafka {
namespace {

using Step = PartitionReader::Step;

TEST(PartitionReader, TakesWhatLiesInTheRangeAndNothingElse) {
  PartitionReader reader(0, 0, {{10, 12}});
  EXPECT_FALSE(reader.wants(9));
  EXPECT_EQ(reader.skip(9), Step::stay);
  ASSERT_TRUE(reader.wants(10));
  EXPECT_EQ(reader.take(10), Step::stay);
  EXPECT_FALSE(reader.wants(10)) << "given out twice";
  ASSERT_TRUE(reader.wants(11));
  EXPECT_EQ(reader.take(11), Step::finished);
  EXPECT_FALSE(reader.wants(12));
  EXPECT_EQ(reader.next(), 12);
}

TEST(PartitionReader, AMessageBehindTheEndFinishesARangeWhoseLastOffsetsDoNotExist) {
  PartitionReader reader(0, 0, {{10, 20}});
  EXPECT_EQ(reader.take(14), Step::stay);
  EXPECT_FALSE(reader.wants(25));
  EXPECT_EQ(reader.skip(25), Step::finished);
  EXPECT_EQ(reader.next(), 20);
}

TEST(PartitionReader, TheEndOfThePartitionFinishesOnlyWhatEndsBeforeIt) {
  PartitionReader reader(0, 0, {{10, 20}});
  EXPECT_EQ(reader.see_end(15), Step::stay);
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.next(), 15) << "control records and aborted messages count as read";
  EXPECT_EQ(reader.take(15), Step::stay);
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.see_end(20), Step::finished);
}

TEST(PartitionReader, JumpsOverALongGapAndReadsThroughAShortOne) {
  PartitionReader reader(0, 0, {{0, 10}, {50, 60}, {5000, 5010}});
  EXPECT_EQ(reader.take(9), Step::stay);
  EXPECT_EQ(reader.next(), 50);
  EXPECT_FALSE(reader.wants(10));
  EXPECT_EQ(reader.skip(10), Step::stay);
  EXPECT_EQ(reader.take(59), Step::jump);
  EXPECT_EQ(reader.next(), 5000);
}

TEST(PartitionReader, WhatWasUnderWayWhenItJumpedIsNeitherLostNorTakenTwice) {
  PartitionReader reader(0, 0, {{0, 10}, {200, 210}});
  EXPECT_EQ(reader.take(9), Step::jump);
  for (int64_t offset = 10; offset < 200; ++offset) {
    EXPECT_FALSE(reader.wants(offset));
    EXPECT_EQ(reader.skip(offset), Step::stay);
  }
  for (int64_t offset = 200; offset < 205; ++offset) EXPECT_EQ(reader.take(offset), Step::stay);
  for (int64_t offset = 200; offset < 205; ++offset) EXPECT_FALSE(reader.wants(offset));
  for (int64_t offset = 205; offset < 209; ++offset) EXPECT_EQ(reader.take(offset), Step::stay);
  EXPECT_EQ(reader.take(209), Step::finished);
}

TEST(PartitionReader, OneMessageMayEndSeveralRanges) {
  PartitionReader reader(0, 0, {{0, 10}, {20, 30}, {40, 50}});
  EXPECT_EQ(reader.skip(45), Step::stay);
  EXPECT_TRUE(reader.wants(45));
  EXPECT_EQ(reader.take(45), Step::stay);
  EXPECT_EQ(reader.skip(50), Step::finished);
}

TEST(PartitionReader, EmptyRangesAreFinishedFromTheStart) {
  EXPECT_TRUE(PartitionReader(0, 0, {{5, 5}}).finished());
  EXPECT_EQ(PartitionReader(0, 0, {{5, 5}}).next(), 5);
  EXPECT_FALSE(PartitionReader(0, 0, {{5, 5}, {7, 8}}).finished());
}

TEST(PartitionReader, FollowsTheLogForEver) {
  PartitionReader reader(0, 0, {{0, OffsetSet::max_offset}});
  EXPECT_EQ(reader.take(1'000'000'000'000), Step::stay);
  EXPECT_EQ(reader.see_end(2'000'000'000'000), Step::stay);
  EXPECT_EQ(reader.next(), 2'000'000'000'000);
}

}  // namespace
}  // namespace kafka_fdw::kafka
