#include "kafka/range_reader.h"

#include <gmock/gmock.h>

#include <set>

#include "mock_cluster.h"

namespace kafka_fdw::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

constexpr int64_t for_ever = OffsetSet::max_offset;

class RangeReaderTest : public ::testing::Test {
 protected:
  RangeReaderTest() {
    cluster_.create_topic("clicks", 4);
    for (int partition = 0; partition < 3; ++partition) cluster_.produce("clicks", partition, 500);
    client_.emplace(cluster_.properties());
  }

  /// The Error that reading ends with, after whatever comes before it.
  Error failure(RangeReader& reader) {
    try {
      read_all(*client_, reader);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorClass::other, ""};
  }

  MockCluster cluster_;
  std::optional<Client> client_;
};

TEST_F(RangeReaderTest, ReadsExactlyTheRange) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 123, 321}});
  Read read = read_all(*client_, reader);
  EXPECT_EQ(read.places, places(0, 123, 321));
  EXPECT_EQ(read.values.front(), "123");
  EXPECT_EQ(read.values.back(), "320");
  EXPECT_EQ(reader.positions().at(0).next_offset, 321);
}

TEST_F(RangeReaderTest, ReadsPartitionsSideBySideInTheirOrder) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 500}, {0, 1, 100, 500}, {0, 2, 0, 10}});
  Read read = read_all(*client_, reader);
  auto expected = places(0, 0, 500);
  for (auto place : places(1, 100, 500)) expected.push_back(place);
  for (auto place : places(2, 0, 10)) expected.push_back(place);
  EXPECT_THAT(read.places, UnorderedElementsAreArray(expected));
  std::stable_sort(read.places.begin(), read.places.end(), [](auto a, auto b) { return a.first < b.first; });
  EXPECT_EQ(read.places, expected) << "out of order within a partition";
}

TEST_F(RangeReaderTest, ReadsRangesOfAPartitionOneAfterTheOther) {
  std::vector<Range> ranges = {{0, 0, 0, 5}, {0, 0, 7, 9}, {0, 0, 200, 210}, {0, 0, 499, 500}};
  RangeReader reader(*client_, {"clicks"}, ranges);
  std::vector<std::pair<int32_t, int64_t>> expected;
  for (const Range& range : ranges) {
    for (auto place : places(0, range.from, range.to)) expected.push_back(place);
  }
  EXPECT_EQ(read_all(*client_, reader).places, expected);
}

TEST_F(RangeReaderTest, ReadsSeveralTopics) {
  cluster_.create_topic("users", 1);
  cluster_.produce("users", 0, 20);
  RangeReader reader(*client_, {"users", "clicks"}, {{0, 0, 0, 20}, {1, 0, 0, 30}});
  std::map<int32_t, int> count;
  while (true) {
    MessageBatch batch;
    auto status = reader.poll(batch, 1000, 1 << 20);
    for (const Message& message : batch.messages()) ++count[message.topic];
    if (status == RangeReader::Status::finished) break;
    if (status == RangeReader::Status::waiting) wait_for_event(*client_);
  }
  EXPECT_EQ(count, (std::map<int32_t, int>{{0, 20}, {1, 30}}));
}

TEST_F(RangeReaderTest, IsFinishedAtOnceWithoutRanges) {
  MessageBatch batch;
  RangeReader none(*client_, {"clicks"}, {});
  EXPECT_EQ(none.poll(batch, 10, 1000), RangeReader::Status::finished);
  RangeReader empty(*client_, {"clicks"}, {{0, 0, 7, 7}});
  EXPECT_EQ(empty.poll(batch, 10, 1000), RangeReader::Status::finished);
  EXPECT_EQ(empty.positions().at(0).next_offset, 7);
}

TEST_F(RangeReaderTest, StaysFinishedThoughThePartitionsEndLiesBehindTheRange) {
  for (int round = 0; round < 20; ++round) {
    RangeReader reader(*client_, {"clicks"}, {{0, 0, 490, 500}});
    EXPECT_EQ(read_all(*client_, reader).places.size(), 10u);
    MessageBatch batch;
    EXPECT_EQ(reader.poll(batch, 10, 1000), RangeReader::Status::finished);
    EXPECT_TRUE(batch.empty());
  }
}

TEST_F(RangeReaderTest, GivesNoMoreThanWasAskedFor) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 500}});
  int64_t next = 0;
  while (next < 500) {
    MessageBatch batch;
    auto status = reader.poll(batch, 7, 1 << 20);
    ASSERT_LE(batch.size(), 7u);
    next += static_cast<int64_t>(batch.size());
    EXPECT_EQ(reader.positions().at(0).next_offset, next) << "what is carried over must not count";
    if (status == RangeReader::Status::waiting) wait_for_event(*client_);
  }
  MessageBatch batch;
  EXPECT_EQ(reader.poll(batch, 7, 1 << 20), RangeReader::Status::finished);
}

TEST_F(RangeReaderTest, KeepsToTheBytesButAlwaysGivesOneMessage) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 100, 200}});  // values of three bytes
  Read read;
  while (true) {
    MessageBatch batch;
    auto status = reader.poll(batch, 1000, 10);
    ASSERT_LE(batch.bytes(), 10u);
    for (const Message& message : batch.messages()) read.places.emplace_back(message.partition, message.offset);
    if (status == RangeReader::Status::finished) break;
    if (status == RangeReader::Status::waiting) wait_for_event(*client_);
  }
  EXPECT_EQ(read.places, places(0, 100, 200));

  RangeReader one_by_one(*client_, {"clicks"}, {{0, 0, 100, 110}});
  EXPECT_EQ(read_all(*client_, one_by_one, 1000, 1).places, places(0, 100, 110));
}

TEST_F(RangeReaderTest, AddsToABatchThatHoldsSomething) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 500}});
  MessageBatch batch;
  while (true) {
    auto status = reader.poll(batch, 60, 1 << 20);
    if (status == RangeReader::Status::finished) break;
    if (status == RangeReader::Status::waiting) wait_for_event(*client_);
  }
  ASSERT_EQ(batch.size(), 500u);
  for (size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(batch.messages()[i].offset, static_cast<int64_t>(i));
}

TEST_F(RangeReaderTest, FollowsTheLogAndTellsItsEnd) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 480, for_ever}, {0, 3, 0, for_ever}});
  auto both_at_end = [&](const Read&) {
    auto positions = reader.positions();
    return positions.at(0).at_end && positions.at(1).at_end;
  };
  EXPECT_EQ(read_all(*client_, reader, 1000, 1 << 20, both_at_end).places, places(0, 480, 500));
  EXPECT_EQ(reader.positions().at(0).next_offset, 500);
  EXPECT_EQ(reader.positions().at(1).next_offset, 0);

  uint64_t progress = reader.progress();
  cluster_.produce("clicks", 3, 5);
  auto five = [](const Read& read) { return read.places.size() == 5; };
  EXPECT_EQ(read_all(*client_, reader, 1000, 1 << 20, five).places, places(3, 0, 5));
  EXPECT_GT(reader.progress(), progress);
}

TEST_F(RangeReaderTest, AReaderAfterAReaderSeesNothingOfTheEarlierOne) {
  for (int round = 0; round < 10; ++round) {
    {
      // Goes while messages of all partitions are under way.
      RangeReader reader(*client_, {"clicks"}, {{0, 0, 250, for_ever}, {0, 1, 0, 500}, {0, 2, 0, 500}});
      read_all(*client_, reader, 10, 1 << 20, [](const Read& read) { return read.places.size() >= 20; });
    }
    RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 500}});
    ASSERT_EQ(read_all(*client_, reader).places, places(0, 0, 500)) << "round " << round;
  }
}

TEST_F(RangeReaderTest, ReportsAnOffsetThatIsNotInTheLog) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 10}, {0, 1, 9000, 9100}});
  Error error = failure(reader);
  EXPECT_EQ(error.error_class(), ErrorClass::out_of_range);
  EXPECT_STREQ(error.sqlstate(), "58P01");
  EXPECT_EQ(std::string(error.what()), "offset 9000 is not in partition 1 of topic \"clicks\"");
}

TEST_F(RangeReaderTest, ReportsATopicThatDoesNotExist) {
  rd_kafka_mock_topic_set_error(cluster_.get(), "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  RangeReader reader(*client_, {"gone"}, {{0, 0, 0, 10}});
  EXPECT_EQ(failure(reader).error_class(), ErrorClass::unknown_topic);
}

TEST_F(RangeReaderTest, ReportsAPartitionThatDoesNotExist) {
  RangeReader reader(*client_, {"clicks"}, {{0, 77, 0, 10}});
  Error error = failure(reader);
  EXPECT_EQ(error.error_class(), ErrorClass::unknown_topic);
  EXPECT_THAT(error.what(), HasSubstr("clicks [77]"));
}

TEST_F(RangeReaderTest, ReportsThatReadingIsNotAllowed) {
  cluster_.fail_next(MockCluster::fetch, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 10}});
  EXPECT_STREQ(failure(reader).sqlstate(), "42501");
}

TEST_F(RangeReaderTest, WaitsWhileALeaderMoves) {
  cluster_.fail_next(MockCluster::fetch,
                     {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                      RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE});
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, 500}});
  EXPECT_EQ(read_all(*client_, reader).places, places(0, 0, 500));
}

TEST_F(RangeReaderTest, GoesOnWhenTheBrokerIsBack) {
  RangeReader reader(*client_, {"clicks"}, {{0, 0, 0, for_ever}});
  auto caught_up = [&](const Read&) { return reader.positions().at(0).at_end; };
  EXPECT_EQ(read_all(*client_, reader, 1000, 1 << 20, caught_up).places.size(), 500u);

  rd_kafka_mock_broker_set_down(cluster_.get(), 1);
  while (client_->last_trouble().empty()) wait_for_event(*client_);
  MessageBatch batch;
  EXPECT_EQ(reader.poll(batch, 10, 1000), RangeReader::Status::waiting);

  rd_kafka_mock_broker_set_up(cluster_.get(), 1);
  cluster_.produce("clicks", 0, 10);
  auto ten = [](const Read& read) { return read.places.size() == 10; };
  EXPECT_EQ(read_all(*client_, reader, 1000, 1 << 20, ten).places, places(0, 500, 510));
  EXPECT_EQ(client_->last_trouble(), "");
}

TEST_F(RangeReaderTest, AQueueThatWasFullIsRefilledWhenThereIsRoom) {
  cluster_.produce("clicks", 3, 12000);
  Properties properties = cluster_.properties();
  properties["queued.min.messages"] = "20";
  Client client(properties);
  RangeReader reader(client, {"clicks"}, {{0, 3, 0, 12000}});
  auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(read_all(client, reader, 5).places, places(3, 0, 12000));
  // It takes less than a second, and with the pauses of librdkafka 2.0.2 about twenty.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(8));
}

TEST(RangeReaderMessages, KeysValuesHeadersAndTombstones) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  cluster.produce("clicks", 0, "k", "v", {{"trace", "abc"}, {"none", std::nullopt}, {"trace", "def"}}, 1700000000123);
  cluster.produce("clicks", 0, "k", nullptr, {});
  cluster.produce("clicks", 0, nullptr, "", {});
  cluster.flush();
  Client client(cluster.properties());
  RangeReader reader(client, {"clicks"}, {{0, 0, 0, 3}});
  MessageBatch batch;
  while (reader.poll(batch, 10, 1000) != RangeReader::Status::finished) {
    if (batch.size() < 3) wait_for_event(client);
  }
  ASSERT_EQ(batch.size(), 3u);
  auto messages = batch.messages();
  EXPECT_EQ(messages[0].key, "k");
  EXPECT_EQ(messages[0].value, "v");
  EXPECT_EQ(messages[0].timestamp_ms, 1700000000123);
  EXPECT_EQ(messages[1].value, std::nullopt);
  EXPECT_EQ(messages[2].key, std::nullopt);
  EXPECT_EQ(messages[2].value, "");
  EXPECT_EQ(batch.bytes(), 3u);
  auto list = headers(messages[0]);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].name, "trace");
  EXPECT_EQ(list[0].value, "abc");
  EXPECT_EQ(list[1].value, std::nullopt);
  EXPECT_EQ(list[2].value, "def");
  EXPECT_TRUE(headers(messages[1]).empty());
}

}  // namespace
}  // namespace kafka_fdw::kafka
