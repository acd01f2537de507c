#include "kafka/client.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "kafka/rdkafka_types.h"
#include "mock_cluster.h"

namespace kafka_fdw::kafka {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

/// The Error that the call ends with.
template <class T>
Error failure(Client& client, Pending<T> pending) {
  try {
    await(client, std::move(pending));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorClass::other, ""};
}

/// A port of the loopback interface. Nobody listens to it: connecting is refused.
class Port {
 public:
  Port() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    name_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~Port() { close(socket_); }
  int socket_descriptor() const { return socket_; }
  const std::string& name() const { return name_; }

 private:
  int socket_;
  std::string name_;
};

/// Takes connections, waits for the first bytes and closes.
class HangingUpServer {
 public:
  HangingUpServer() {
    EXPECT_EQ(listen(port_.socket_descriptor(), 10), 0);
    thread_ = std::thread([socket = port_.socket_descriptor()] {
      char bytes[100];
      for (int peer; (peer = accept(socket, nullptr, nullptr)) >= 0; close(peer)) {
        [[maybe_unused]] auto count = read(peer, bytes, sizeof(bytes));
      }
    });
  }
  ~HangingUpServer() {
    shutdown(port_.socket_descriptor(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& name() const { return port_.name(); }

 private:
  Port port_;
  std::thread thread_;
};

TEST(Client, ListsOneTopicWithItsPartitions) {
  MockCluster cluster;
  cluster.create_topic("clicks", 3);
  Client client(cluster.properties());
  auto topics = await(client, client.topics("clicks", patience));
  ASSERT_EQ(topics.size(), 1u);
  EXPECT_EQ(topics[0].name, "clicks");
  EXPECT_EQ(topics[0].replication_factor, 1);
  ASSERT_EQ(topics[0].partitions.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(topics[0].partitions[i].id, i);
    EXPECT_EQ(topics[0].partitions[i].leader, 1);
  }
}

TEST(Client, TellsWhereTheBrokersSayThatTheyAre) {
  MockCluster cluster(2);
  cluster.create_topic("clicks", 3);
  Client client(cluster.properties());
  const ClusterInfo info = await(client, client.cluster(patience));
  std::string addresses;
  for (const BrokerInfo& broker : info.brokers)
    addresses += (addresses.empty() ? "" : ",") + broker.host + ':' + std::to_string(broker.port);
  EXPECT_EQ(addresses, cluster.bootstrap());
  EXPECT_EQ(info.topics.size(), 1u);
}

TEST(Client, ListsAllTopics) {
  MockCluster cluster;
  cluster.create_topic("a", 1);
  cluster.create_topic("b", 2);
  Client client(cluster.properties());
  std::vector<std::string> names;
  for (const TopicInfo& topic : await(client, client.topics(std::nullopt, patience))) names.push_back(topic.name);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("a", "b"));
}

TEST(Client, APartitionWithoutLeaderIsToldAsSuch) {
  MockCluster cluster;
  cluster.create_topic("clicks", 2);
  rd_kafka_mock_partition_set_leader(cluster.get(), "clicks", 1, -1);
  Client client(cluster.properties());
  auto topics = await(client, client.topics("clicks", patience));
  EXPECT_EQ(topics.at(0).partitions.at(0).leader, 1);
  EXPECT_EQ(topics.at(0).partitions.at(1).leader, -1);
}

TEST(Client, AnUnknownTopicIsAnErrorThatNamesIt) {
  MockCluster cluster;
  rd_kafka_mock_topic_set_error(cluster.get(), "nope", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Client client(cluster.properties());
  Error error = failure(client, client.topics("nope", patience));
  EXPECT_EQ(error.error_class(), ErrorClass::unknown_topic);
  EXPECT_STREQ(error.sqlstate(), "42704");
  EXPECT_THAT(error.what(), HasSubstr("\"nope\""));
}

TEST(Client, ATopicThatMayNotBeSeenIsNotAuthorized) {
  // With a real broker it is tested for all versions; see test_outages.py.
  if (rd_kafka_version() >= 0x02030000) GTEST_SKIP() << "later clients crash on what the mock cluster answers here";
  MockCluster cluster;
  rd_kafka_mock_topic_set_error(cluster.get(), "secret", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  Client client(cluster.properties());
  Error error = failure(client, client.topics("secret", patience));
  EXPECT_STREQ(error.sqlstate(), "42501");
}

TEST(Client, WatermarksOfAllPartitions) {
  MockCluster cluster;
  cluster.create_topic("clicks", 3);
  cluster.produce("clicks", 0, 7);
  cluster.produce("clicks", 2, 3);
  Client client(cluster.properties());
  auto marks = await(client, client.watermarks("clicks", {0, 1, 2}, patience));
  std::vector<std::pair<int64_t, int64_t>> bounds;
  bounds.reserve(marks.size());
  for (const Watermarks& mark : marks) bounds.emplace_back(mark.low, mark.high);
  EXPECT_THAT(bounds, ElementsAre(std::pair(0, 7), std::pair(0, 0), std::pair(0, 3)));
  EXPECT_TRUE(await(client, client.watermarks("clicks", {}, patience)).empty());
}

TEST(Client, WatermarksWaitForALeader) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  cluster.produce("clicks", 0, 7);
  cluster.fail_next(MockCluster::list_offsets,
                    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                     RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE});
  Client client(cluster.properties());
  EXPECT_EQ(await(client, client.watermarks("clicks", {0}, patience)).at(0).high, 7);
}

TEST(Client, WatermarksOfPartitionsWithoutLeaderNameThem) {
  MockCluster cluster;
  cluster.create_topic("clicks", 4);
  rd_kafka_mock_partition_set_leader(cluster.get(), "clicks", 1, -1);
  rd_kafka_mock_partition_set_leader(cluster.get(), "clicks", 3, -1);
  Client client(cluster.properties());
  EXPECT_EQ(await(client, client.watermarks("clicks", {0, 2}, patience)).size(), 2U);
  Error one = failure(client, client.watermarks("clicks", {0, 1}, 500ms));
  EXPECT_EQ(one.error_class(), ErrorClass::no_leader);
  EXPECT_STREQ(one.what(), "partition 1 of topic \"clicks\" has no leader");
  Error two = failure(client, client.watermarks("clicks", {0, 1, 2, 3}, 500ms));
  EXPECT_STREQ(two.what(), "partitions 1, 3 of topic \"clicks\" have no leader");
}

TEST(Client, WatermarksOfAPartitionThatDoesNotExist) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  Client client(cluster.properties());
  Error error = failure(client, client.watermarks("clicks", {0, 5}, 5s));
  EXPECT_EQ(error.error_class(), ErrorClass::unknown_topic) << error.what();
}

TEST(Client, ADeadBrokerIsNamedWithTheReasonWhenTheTimeIsOver) {
  Port port;
  Client client({{"bootstrap.servers", port.name()}});
  auto before = std::chrono::steady_clock::now();
  Error error = failure(client, client.topics("clicks", 300ms));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 200ms);
  EXPECT_STREQ(error.sqlstate(), "08006");
  EXPECT_EQ(std::string(error.what()),
            "could not reach any Kafka broker at " + port.name() + ": Connect failed: Connection refused");
  EXPECT_THAT(error.detail(), HasSubstr("\"clicks\""));
}

TEST(Client, ABrokerThatComesUpWithinTheTimeoutAnswers) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  Client client(cluster.properties());
  auto pending = client.topics("clicks", patience);
  while (client.last_trouble().empty()) wait_for_event(client);
  EXPECT_FALSE(pending.ready());
  rd_kafka_mock_broker_set_up(cluster.get(), 1);
  EXPECT_EQ(await(client, std::move(pending)).at(0).name, "clicks");
  EXPECT_EQ(client.last_trouble(), "");
}

TEST(Client, ASlowBrokerIsATimeout) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  Client client(cluster.properties());
  await(client, client.topics("clicks", patience));
  rd_kafka_mock_broker_set_rtt(cluster.get(), 1, 5000);
  Error error = failure(client, client.topics("clicks", 100ms));
  EXPECT_STREQ(error.sqlstate(), "57014");
  EXPECT_THAT(error.what(), HasSubstr("within 100 ms"));
}

TEST(Client, AFailedAuthenticationIsToldAtOnce) {
  HangingUpServer server;
  Client client({{"bootstrap.servers", server.name()},
                 {"security.protocol", "sasl_plaintext"},
                 {"sasl.mechanism", "PLAIN"},
                 {"sasl.username", "app"},
                 {"sasl.password", "hunter2"},
                 // The protocol of 0.9: the first that is sent is the password.
                 {"api.version.request", "false"},
                 {"broker.version.fallback", "0.9.0"}});
  auto before = std::chrono::steady_clock::now();
  Error error = failure(client, client.topics("clicks", patience));
  EXPECT_STREQ(error.sqlstate(), "28000") << error.what();
  EXPECT_LT(std::chrono::steady_clock::now() - before, patience / 2);
  EXPECT_THAT(error.hint(), HasSubstr("sasl.password"));
  EXPECT_THAT(std::string(error.what()) + error.detail() + error.hint(), Not(HasSubstr("hunter2")));
}

TEST(Client, GoesAwayThoughACallIsUnderWay) {
  Port port;
  auto client = std::make_unique<Client>(Properties{{"bootstrap.servers", port.name()}});
  auto pending = client->topics("clicks", 500ms);
  auto queued = client->topics("clicks", 500ms);
  client.reset();
  EXPECT_FALSE(queued.ready());
}

TEST(Client, FindsOffsetsByTime) {
  MockCluster cluster;
  cluster.create_topic("clicks", 2);
  cluster.produce("clicks", 0, 5);
  Client client(cluster.properties());
  // The mock has no time index: it answers every time with "no such message", so that this is about the end.
  auto offsets = await(client, client.offsets_for_times("clicks", {{0, 1000}, {1, 2000}}, patience));
  EXPECT_THAT(offsets, ElementsAre(5, 0));
}

/// Commits these offsets as a consumer of that group.
void commit(const MockCluster& cluster, const char* group, const char* topic,
            const std::map<int32_t, int64_t>& offsets) {
  char reason[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", cluster.bootstrap().c_str(), reason, sizeof(reason));
  rd_kafka_conf_set(conf, "group.id", group, reason, sizeof(reason));
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
  ASSERT_NE(consumer, nullptr) << reason;
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  for (const auto& [partition, offset] : offsets)
    rd_kafka_topic_partition_list_add(list.get(), topic, partition)->offset = offset;
  EXPECT_EQ(rd_kafka_commit(consumer, list.get(), 0), RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_destroy(consumer);
}

TEST(Client, ReadsWhatAGroupHasCommitted) {
  MockCluster cluster;
  cluster.create_topic("clicks", 3);
  commit(cluster, "movers", "clicks", {{0, 7}, {2, 0}});
  Client client(cluster.properties());
  EXPECT_THAT(await(client, client.committed_offsets("movers", "clicks", {2, 0, 1}, patience)),
              ElementsAre(Optional(0), Optional(7), std::nullopt));
  EXPECT_THAT(await(client, client.committed_offsets("others", "clicks", {0}, patience)), ElementsAre(std::nullopt));
}

TEST(Client, ACoordinatorThatMovesIsAskedAgain) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  commit(cluster, "movers", "clicks", {{0, 7}});
  cluster.fail_next(MockCluster::offset_fetch,
                    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
  Client client(cluster.properties());
  EXPECT_THAT(await(client, client.committed_offsets("movers", "clicks", {0}, patience)), ElementsAre(Optional(7)));
}

TEST(Client, AGroupThatMayNotBeSeenIsNotAuthorized) {
  MockCluster cluster;
  cluster.create_topic("clicks", 1);
  cluster.fail_next(MockCluster::offset_fetch, std::vector(20, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED));
  Client client(cluster.properties());
  Error error = failure(client, client.committed_offsets("movers", "clicks", {0}, patience));
  EXPECT_EQ(error.error_class(), ErrorClass::not_authorized);
  EXPECT_THAT(error.what(), HasSubstr("\"movers\""));
}

TEST(Client, CommittedOffsetsOfADeadBrokerEndWithTheTime) {
  Port port;
  Client client({{"bootstrap.servers", port.name()}});
  EXPECT_EQ(failure(client, client.committed_offsets("movers", "clicks", {0}, 500ms)).error_class(),
            ErrorClass::unreachable);
}

}  // namespace
}  // namespace kafka_fdw::kafka
