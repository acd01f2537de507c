#include "kafka/pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "mock_cluster.h"

namespace kafka_fdw::kafka {
namespace {

using namespace std::chrono_literals;

class PoolTest : public ::testing::Test {
 protected:
  void TearDown() override {
    Pool::instance().set_idle_limit(1min);
    Pool::instance().drop_all();
    EXPECT_TRUE(Reaper::drain(patience));
    EXPECT_EQ(live_clients(), 0u);
  }
  Lease lease(const std::string& key) { return Pool::instance().lease(key, cluster_.properties()); }

  MockCluster cluster_;
};

TEST_F(PoolTest, AClientThatWasGivenBackIsLeasedAgain) {
  Lease first = lease("a");
  Client* client = &first.client();
  first.give_back();
  EXPECT_EQ(Pool::instance().idle_clients(), 1u);
  Lease second = lease("a");
  EXPECT_EQ(&second.client(), client);
  EXPECT_EQ(Pool::instance().idle_clients(), 0u);
}

TEST_F(PoolTest, AClientHasOneUserAndOneKey) {
  Lease first = lease("a");
  Lease second = lease("a");
  EXPECT_NE(&first.client(), &second.client());
  Client* client = &first.client();
  first.give_back();
  Lease other = lease("b");
  EXPECT_NE(&other.client(), client);
}

TEST_F(PoolTest, ALeaseThatIsDroppedDestroysItsClient) {
  {
    Lease dropped = lease("a");
    EXPECT_EQ(live_clients(), 1u);
  }
  EXPECT_TRUE(Reaper::drain(patience));
  EXPECT_EQ(live_clients(), 0u);
  EXPECT_EQ(Pool::instance().idle_clients(), 0u);
}

TEST_F(PoolTest, ALeaseMovesWithItsClient) {
  Lease first = lease("a");
  Client* client = &first.client();
  Lease second = std::move(first);
  EXPECT_EQ(&second.client(), client);
  Lease third = lease("b");
  third = std::move(second);
  EXPECT_EQ(&third.client(), client);
  EXPECT_TRUE(Reaper::drain(patience));
  EXPECT_EQ(live_clients(), 1u);
}

TEST_F(PoolTest, IdleClientsGoByThemselves) {
  lease("a").give_back();
  EXPECT_EQ(Pool::instance().idle_clients(), 1u);
  Pool::instance().set_idle_limit(20ms);
  const auto start = std::chrono::steady_clock::now();
  while (live_clients() > 0 && std::chrono::steady_clock::now() - start < patience) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(live_clients(), 0u);
  EXPECT_EQ(Pool::instance().idle_clients(), 0u);
}

TEST_F(PoolTest, AClientLeasedBeforeADropIsNotKept) {
  Lease leased = lease("a");
  Pool::instance().drop_all();
  leased.give_back();
  EXPECT_EQ(Pool::instance().idle_clients(), 0u);
}

TEST_F(PoolTest, TheReaderOfAPooledClientLeavesItUsable) {
  cluster_.create_topic("clicks", 1);
  cluster_.produce("clicks", 0, 100);
  for (int round = 0; round < 3; ++round) {
    Lease client = lease("a");
    {
      RangeReader reader(client.client(), {"clicks"}, {{0, 0, 0, 100}});
      EXPECT_EQ(read_all(client.client(), reader).places, places(0, 0, 100));
    }
    client.give_back();
  }
  EXPECT_EQ(live_clients(), 1u);
}

TEST_F(PoolTest, AClientMayGoWhileItsMessagesAreHeld) {
  cluster_.create_topic("clicks", 1);
  cluster_.produce("clicks", 0, 100);
  MessageBatch batch;
  {
    Lease client = lease("a");
    RangeReader reader(client.client(), {"clicks"}, {{0, 0, 0, 100}});
    while (reader.poll(batch, 100, 1 << 20) != RangeReader::Status::finished) {
      if (batch.size() < 100) wait_for_event(client.client());
    }
  }
  ASSERT_EQ(batch.size(), 100u);
  EXPECT_EQ(batch.messages().back().value, "99");
  batch.clear();
  EXPECT_TRUE(Reaper::drain(patience));
}

}  // namespace
}  // namespace kafka_fdw::kafka
