#include "kafka/queries.h"

#include <algorithm>
#include <span>

#include "kafka/insist.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

constexpr int64_t timestamp_of_end = -1;  // these two are asked of the time index, too
constexpr int64_t timestamp_of_start = -2;

using Metadata = std::unique_ptr<const struct rd_kafka_metadata, Destroy<rd_kafka_metadata_destroy>>;

std::string describe(const std::string& topic, int32_t partition) {
  return "partition " + std::to_string(partition) + " of topic \"" + topic + "\"";
}

/// The topics that Kafka itself marks so; librdkafka's metadata leave the mark out.
bool is_internal(std::string_view topic) {
  constexpr std::string_view internal[] = {"__consumer_offsets", "__transaction_state", "__share_group_state",
                                           "__cluster_metadata"};
  return std::ranges::find(internal, topic) != std::end(internal);
}

TopicInfo topic_info(const rd_kafka_metadata_topic& topic) {
  TopicInfo info{topic.topic, 0, is_internal(topic.topic), {}};
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const auto& partition = topic.partitions[i];
    info.partitions.push_back({partition.id, partition.leader});
    info.replication_factor = std::max<int32_t>(info.replication_factor, partition.replica_cnt);
  }
  std::ranges::sort(info.partitions, {}, &PartitionInfo::id);
  return info;
}

/// Throws Error that names those of the list that have no leader, if there are any.
void throw_leaderless(rd_kafka_t* handle, const rd_kafka_topic_partition_list_t& list) {
  constexpr int patience_ms = 500;
  TopicHandle topic(rd_kafka_topic_new(handle, list.elems[0].topic, nullptr));
  const struct rd_kafka_metadata* answer = nullptr;
  if (rd_kafka_metadata(handle, 0, topic.get(), &answer, patience_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const Metadata metadata(answer);
  std::string names;
  int count = 0;
  for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; ++i) {
    const auto& partition = metadata->topics[0].partitions[i];
    const auto asked = std::span(list.elems, static_cast<size_t>(list.cnt));
    if (partition.leader >= 0 ||
        std::ranges::find(asked, partition.id, &rd_kafka_topic_partition_t::partition) == asked.end())
      continue;
    names.append(count++ == 0 ? "" : ", ").append(std::to_string(partition.id));
  }
  if (count == 0) return;
  throw Error(ErrorClass::no_leader,
              (count == 1 ? "partition " : "partitions ") + names + " of topic \"" + list.elems[0].topic + "\" " +
                  (count == 1 ? "has" : "have") + " no leader",
              "The brokers that hold " + std::string(count == 1 ? "it" : "them") + " are down or cannot be reached.",
              "A condition on the partition reads the others.");
}

/// Of one topic, or of all.
Metadata query_metadata(rd_kafka_t* handle, const std::optional<std::string>& name, Deadline deadline,
                        const std::stop_token& stop) {
  TopicHandle only;
  if (name) {
    only.reset(rd_kafka_topic_new(handle, name->c_str(), nullptr));
    if (!only) throw Error(ErrorClass::unknown_topic, "invalid topic name \"" + *name + "\"");
  }
  Metadata metadata;
  auto attempt = [&](int timeout_ms) -> rd_kafka_resp_err_t {
    const struct rd_kafka_metadata* answer = nullptr;
    auto error = rd_kafka_metadata(handle, only == nullptr, only.get(), &answer, timeout_ms);
    metadata.reset(answer);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || !name) return error;
    if (metadata->topic_cnt != 1) return RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    const auto& topic = metadata->topics[0];
    // A new topic: its partitions are known, their leaders are not yet.
    if (topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE && topic.partition_cnt > 0)
      return RD_KAFKA_RESP_ERR_NO_ERROR;
    return topic.err;
  };
  insist(deadline, stop, attempt, [&](ErrorClass error_class, rd_kafka_resp_err_t error) {
    throw_for_topic(error_class, name.value_or(""), error);
  });
  return metadata;
}

std::vector<TopicInfo> topics_of(const struct rd_kafka_metadata& metadata) {
  std::vector<TopicInfo> infos;
  infos.reserve(static_cast<size_t>(metadata.topic_cnt));
  for (int i = 0; i < metadata.topic_cnt; ++i) infos.push_back(topic_info(metadata.topics[i]));
  return infos;
}

/// Fills in the offsets of the list, whose offsets are timestamps before.
void look_up(rd_kafka_t* handle, rd_kafka_topic_partition_list_t* list, Deadline deadline,
             const std::stop_token& stop) {
  PartitionList asked(rd_kafka_topic_partition_list_copy(list));
  rd_kafka_topic_partition_t* failed = nullptr;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  auto ask = [&](int timeout_ms) -> rd_kafka_resp_err_t {
    failed = nullptr;
    for (int i = 0; i < list->cnt; ++i) {
      list->elems[i].offset = asked->elems[i].offset;
      list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t answer = rd_kafka_offsets_for_times(handle, list, timeout_ms);
    if (answer != RD_KAFKA_RESP_ERR_NO_ERROR) return answer;
    for (int i = 0; i < list->cnt; ++i) {
      if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      failed = &list->elems[i];
      return failed->err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  };
  auto give_up = [&](ErrorClass error_class, rd_kafka_resp_err_t permanent) {
    const auto& about = failed != nullptr ? *failed : list->elems[0];
    if (error_class == ErrorClass::unknown_topic) {
      throw Error(error_class, describe(about.topic, about.partition) + " does not exist");
    }
    throw_for_topic(error_class, about.topic, permanent);
  };
  try {
    insist(
        deadline, stop, [&](int timeout_ms) { return error = ask(timeout_ms); }, give_up);
  } catch (const Unanswered&) {
    if (error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) throw_leaderless(handle, *list);
    throw;
  }
}

/// One offset per point, with Kafka's own meaning of -1 (the end) and -2 (the start) as timestamps.
std::vector<int64_t> look_up(rd_kafka_t* handle, const std::string& topic, const std::vector<TimePoint>& points,
                             Deadline deadline, const std::stop_token& stop) {
  if (points.empty()) return {};
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(points.size())));
  for (const TimePoint& point : points) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), point.partition)->offset = point.timestamp_ms;
  }
  look_up(handle, list.get(), deadline, stop);
  std::vector<int64_t> offsets;
  offsets.reserve(points.size());
  for (int i = 0; i < list->cnt; ++i) offsets.push_back(list->elems[i].offset);
  return offsets;
}

std::vector<TimePoint> at_time(const std::vector<int32_t>& partitions, int64_t timestamp) {
  std::vector<TimePoint> points;
  points.reserve(partitions.size());
  for (int32_t partition : partitions) points.push_back({partition, timestamp});
  return points;
}

}  // namespace

void throw_for_topic(ErrorClass error_class, const std::string& topic, rd_kafka_resp_err_t error) {
  if (error_class == ErrorClass::unknown_topic)
    throw Error(error_class, "Kafka topic \"" + topic + "\" does not exist");
  if (error_class == ErrorClass::not_authorized)
    throw Error(error_class, "permission denied for Kafka topic \"" + topic + "\"");
  throw Error(error_class, "could not read the metadata of topic \"" + topic + "\": " + rd_kafka_err2str(error));
}

std::vector<TopicInfo> query_topics(rd_kafka_t* handle, const std::optional<std::string>& name, Deadline deadline,
                                    const std::stop_token& stop) {
  return topics_of(*query_metadata(handle, name, deadline, stop));
}

ClusterInfo query_cluster(rd_kafka_t* handle, Deadline deadline, const std::stop_token& stop) {
  const Metadata metadata = query_metadata(handle, std::nullopt, deadline, stop);
  ClusterInfo cluster{.brokers = {}, .topics = topics_of(*metadata)};
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    const auto& broker = metadata->brokers[i];
    cluster.brokers.push_back({broker.id, broker.host, broker.port});
  }
  std::ranges::sort(cluster.brokers, {}, &BrokerInfo::id);
  return cluster;
}

std::vector<Watermarks> query_watermarks(rd_kafka_t* handle, const std::string& topic,
                                         const std::vector<int32_t>& partitions, Deadline deadline,
                                         const std::stop_token& stop) {
  std::vector<int64_t> lows = look_up(handle, topic, at_time(partitions, timestamp_of_start), deadline, stop);
  std::vector<int64_t> highs = look_up(handle, topic, at_time(partitions, timestamp_of_end), deadline, stop);
  std::vector<Watermarks> watermarks;
  watermarks.reserve(partitions.size());
  for (size_t i = 0; i < partitions.size(); ++i)
    watermarks.push_back({partitions[i], lows[i], std::max(lows[i], highs[i])});
  return watermarks;
}

std::vector<int64_t> query_offsets_for_times(rd_kafka_t* handle, const std::string& topic,
                                             const std::vector<TimePoint>& points, Deadline deadline,
                                             const std::stop_token& stop) {
  std::vector<TimePoint> asked = points;
  for (TimePoint& point : asked) point.timestamp_ms = std::max<int64_t>(0, point.timestamp_ms);
  std::vector<int64_t> offsets = look_up(handle, topic, asked, deadline, stop);
  std::vector<TimePoint> behind_the_end;
  for (size_t i = 0; i < points.size(); ++i) {
    if (offsets[i] < 0) behind_the_end.push_back({points[i].partition, timestamp_of_end});
  }
  std::vector<int64_t> ends = look_up(handle, topic, behind_the_end, deadline, stop);
  auto end = ends.begin();
  for (int64_t& offset : offsets) {
    if (offset < 0) offset = *end++;
  }
  return offsets;
}

}  // namespace kafka_fdw::kafka
