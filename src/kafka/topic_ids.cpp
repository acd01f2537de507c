#include <string_view>

#include "kafka/queries.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

#if RD_KAFKA_VERSION >= 0x020400ff

namespace {

using TopicCollection = std::unique_ptr<rd_kafka_TopicCollection_t, Destroy<rd_kafka_TopicCollection_destroy>>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;

/// Of clusters that give topics no ids.
constexpr std::string_view no_id = "AAAAAAAAAAAAAAAAAAAAAA";

void ask(rd_kafka_t* handle, const std::vector<std::string>& topics, int timeout_ms, rd_kafka_queue_t* queue) {
  std::vector<const char*> names;
  for (const std::string& topic : topics) names.push_back(topic.c_str());
  const TopicCollection collection(rd_kafka_TopicCollection_of_topic_names(names.data(), names.size()));
  const AdminOptions options(rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS));
  (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0);
  rd_kafka_DescribeTopics(handle, collection.get(), options.get(), queue);
}

void read(rd_kafka_event_t* event, const std::vector<std::string>& topics, std::vector<std::string>& ids) {
  const rd_kafka_DescribeTopics_result_t* result = rd_kafka_event_DescribeTopics_result(event);
  if (result == nullptr || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  size_t count = 0;
  const rd_kafka_TopicDescription_t** found = rd_kafka_DescribeTopics_result_topics(result, &count);
  for (size_t i = 0; i < count; ++i) {
    if (rd_kafka_error_code(rd_kafka_TopicDescription_error(found[i])) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const std::string_view id = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(found[i]));
    for (size_t topic = 0; topic < topics.size(); ++topic)
      if (id != no_id && topics[topic] == rd_kafka_TopicDescription_name(found[i])) ids[topic] = id;
  }
}

}  // namespace

std::vector<std::string> query_topic_ids(rd_kafka_t* handle, const std::vector<std::string>& topics, Deadline deadline,
                                         const std::stop_token& stop) {
  constexpr int patience_ms = 100;
  std::vector<std::string> ids(topics.size());
  const QueueHandle queue(rd_kafka_queue_new(handle));
  ask(handle, topics, std::max(1, deadline.remaining_ms()), queue.get());
  while (!stop.stop_requested() && !deadline.over()) {
    if (EventHandle event{rd_kafka_queue_poll(queue.get(), patience_ms)}) {
      read(event.get(), topics, ids);
      break;
    }
  }
  return ids;
}

#else

std::vector<std::string> query_topic_ids(rd_kafka_t*, const std::vector<std::string>& topics, Deadline,
                                         const std::stop_token&) {
  return std::vector<std::string>(topics.size());
}

#endif

}  // namespace kafka_fdw::kafka
