#include "mock_cluster.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>
#include <stdexcept>

namespace kafka_fdw::kafka {

MockCluster::MockCluster(int brokers) {
  char reason[512];
  // The handle that carries the cluster is its producer, too.
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "linger.ms", "5", reason, sizeof(reason));
  rd_kafka_conf_set(conf, "batch.num.messages", "100", reason, sizeof(reason));
  rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof(reason));
  std::string count = std::to_string(brokers);
  rd_kafka_conf_set(conf, "test.mock.num.brokers", count.c_str(), reason, sizeof(reason));
  producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
  if (producer_ == nullptr) throw std::runtime_error(reason);
  cluster_ = rd_kafka_handle_mock_cluster(producer_);
}

MockCluster::~MockCluster() { rd_kafka_destroy(producer_); }

void MockCluster::create_topic(const std::string& topic, int partitions) {
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

void MockCluster::produce(const std::string& topic, int32_t partition, int count) {
  int& next = produced_[{topic, partition}];
  for (int i = 0; i < count; ++i) produce(topic, partition, nullptr, std::to_string(next++).c_str(), {});
  flush();
}

void MockCluster::produce(const std::string& topic, int32_t partition, const char* key, const char* value,
                          const std::vector<Header>& headers, int64_t timestamp_ms) {
  rd_kafka_headers_t* list = rd_kafka_headers_new(headers.size());
  for (const Header& header : headers) {
    rd_kafka_header_add(list, header.name.data(), static_cast<ssize_t>(header.name.size()),
                        header.value ? header.value->data() : nullptr,
                        header.value ? static_cast<ssize_t>(header.value->size()) : 0);
  }
  auto text = [](const char* s) { return std::pair(const_cast<char*>(s), s == nullptr ? 0 : std::strlen(s)); };
  auto [key_data, key_size] = text(key);
  auto [value_data, value_size] = text(value);
  ASSERT_EQ(rd_kafka_producev(producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_KEY(key_data, key_size), RD_KAFKA_V_VALUE(value_data, value_size),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(list),
                              RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_END),
            RD_KAFKA_RESP_ERR_NO_ERROR);
}

void MockCluster::flush() { ASSERT_EQ(rd_kafka_flush(producer_, 30000), RD_KAFKA_RESP_ERR_NO_ERROR); }

void MockCluster::fail_next(int16_t api_key, std::vector<rd_kafka_resp_err_t> errors) {
  rd_kafka_mock_push_request_errors_array(cluster_, api_key, errors.size(), errors.data());
}

void wait_for_event(Client& client) {
  pollfd waited{client.event_descriptor(), POLLIN, 0};
  int timeout = static_cast<int>(std::chrono::milliseconds(patience).count());
  if (poll(&waited, 1, timeout) != 1) throw std::runtime_error("no event came; trouble: " + client.last_trouble());
  client.drain_events();
  client.serve_errors();
}

Read read_all(Client& client, RangeReader& reader, size_t max_messages, size_t max_bytes,
              const std::function<bool(const Read&)>& until) {
  Read read;
  while (true) {
    MessageBatch batch;
    auto status = reader.poll(batch, max_messages, max_bytes);
    for (const Message& message : batch.messages()) {
      read.places.emplace_back(message.partition, message.offset);
      read.values.emplace_back(message.value.value_or("(null)"));
    }
    if (status == RangeReader::Status::finished || until(read)) return read;
    if (status == RangeReader::Status::waiting) wait_for_event(client);
  }
}

std::vector<std::pair<int32_t, int64_t>> places(int32_t partition, int64_t from, int64_t to) {
  std::vector<std::pair<int32_t, int64_t>> result;
  for (int64_t offset = from; offset < to; ++offset) result.emplace_back(partition, offset);
  return result;
}

}  // namespace kafka_fdw::kafka
