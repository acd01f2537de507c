#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <optional>

#include "kafka/error.h"

namespace kafka_fdw::kafka {

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const noexcept {
    destroy(object);
  }
};

using ConfHandle = std::unique_ptr<rd_kafka_conf_t, Destroy<rd_kafka_conf_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, Destroy<rd_kafka_topic_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, Destroy<rd_kafka_message_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, Destroy<rd_kafka_topic_partition_list_destroy>>;

/// The class of an error that waiting does not mend; empty for a transient one (a broker that is down, a leader that
/// moves).
std::optional<ErrorClass> permanent_class(rd_kafka_resp_err_t error) noexcept;

}  // namespace kafka_fdw::kafka
