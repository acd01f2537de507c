#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kafka/client.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::kafka {

constexpr auto patience = std::chrono::seconds(30);  ///< bound of every wait: it is long, and only a failure uses it

/// librdkafka's mock cluster, with a producer to fill it.
class MockCluster {
 public:
  explicit MockCluster(int brokers = 1);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  rd_kafka_mock_cluster_t* get() const { return cluster_; }
  std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  Properties properties() const { return {{"bootstrap.servers", bootstrap()}}; }
  void create_topic(const std::string& topic, int partitions);
  /// Messages with the values "0", "1", … of the offsets that a new partition gives them, in batches of at most 100.
  void produce(const std::string& topic, int32_t partition, int count);
  void produce(const std::string& topic, int32_t partition, const char* key, const char* value,
               const std::vector<Header>& headers, int64_t timestamp_ms = 0);
  void flush();
  void fail_next(int16_t api_key, std::vector<rd_kafka_resp_err_t> errors);

  static constexpr int16_t fetch = 1, list_offsets = 2, metadata = 3, offset_fetch = 9;

 private:
  rd_kafka_t* producer_;
  rd_kafka_mock_cluster_t* cluster_;
  std::map<std::pair<std::string, int32_t>, int> produced_;
};

/// Waits by the event descriptor until the client may have something; fails the test when patience is over.
void wait_for_event(Client& client);

template <class T>
T await(Client& client, Pending<T> pending) {
  while (!pending.ready()) wait_for_event(client);
  return pending.take();
}

struct Read {
  std::vector<std::pair<int32_t, int64_t>> places;  ///< (partition, offset)
  std::vector<std::string> values;
};

/// Reads until the reader is finished, or `until` holds.
Read read_all(
    Client& client, RangeReader& reader, size_t max_messages = 1000, size_t max_bytes = 1 << 20,
    const std::function<bool(const Read&)>& until = [](const Read&) { return false; });

/// Offsets [from, to) of one partition as read_all() gives them.
std::vector<std::pair<int32_t, int64_t>> places(int32_t partition, int64_t from, int64_t to);

}  // namespace kafka_fdw::kafka
