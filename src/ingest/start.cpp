#include "ingest/start.h"

#include <algorithm>

#include "fdw/connection.h"
#include "fdw/scoped_lease.h"
#include "ingest/fail.h"
#include "ingest/lookup.h"
#include "ingest/state.h"
#include "pg/compat.h"
#include "pg/wait.h"

extern "C" {
#include "foreign/foreign.h"
}

namespace kafka_fdw::ingest {

namespace {

/// How long begin looks for a topic whose absence would not stop it.
constexpr std::chrono::milliseconds patience{2000};

bool is_earliest(const fdw::Position& position) {
  const auto earliest = [](const fdw::Point& point) { return point.kind == fdw::Point::Kind::earliest; };
  return earliest(position.all) &&
         std::ranges::all_of(position.partitions, [&](const auto& named) { return earliest(named.second); });
}

/// The topic as the server knows it, or absent.
std::optional<kafka::TopicInfo> find_topic(kafka::Client& client, const std::string& topic,
                                           std::chrono::milliseconds timeout) {
  try {
    std::vector<kafka::TopicInfo> found = pg::await(client, client.topics(topic, timeout));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  } catch (const kafka::Error& error) {
    if (error.error_class() != kafka::ErrorClass::unknown_topic) throw;
    return std::nullopt;
  }
}

void warn_of_missing_topic(kafka::Client& client, const std::string& topic, std::chrono::milliseconds timeout) {
  const std::vector<kafka::TopicInfo> topics = pg::await(client, client.topics(std::nullopt, timeout));
  std::vector<std::string_view> names;
  names.reserve(topics.size());
  for (const kafka::TopicInfo& info : topics) names.push_back(info.name);
  const std::string_view closest = kafka::closest_name(topic, names);
  tell(WARNING, "topic \"" + topic + "\" does not exist",
       closest.empty() ? "The consumer waits until it is made."
                       : "The consumer waits until it is made. Did you mean \"" + std::string(closest) + "\"?");
}

std::vector<int32_t> partition_ids(const kafka::TopicInfo& topic) {
  std::vector<int32_t> ids;
  for (const kafka::PartitionInfo& partition : topic.partitions) ids.push_back(partition.id);
  return ids;
}

void check_named_partitions(const fdw::Position& position, const std::vector<kafka::Watermarks>& marks,
                            const std::string& topic) {
  for (const auto& [partition, point] : position.partitions) {
    if (std::ranges::find(marks, partition, &kafka::Watermarks::partition) == marks.end())
      fail(ERRCODE_INVALID_PARAMETER_VALUE, "topic \"" + topic + "\" has no partition " + std::to_string(partition));
  }
}

/// First offset and end of each partition.
std::vector<kafka::Watermarks> watermarks_of(kafka::Client& client, const std::string& topic) {
  const auto timeout = fdw::connect_timeout();
  const std::vector<kafka::TopicInfo> found = pg::await(client, client.topics(topic, timeout));
  if (found.empty()) throw kafka::Error(kafka::ErrorClass::unknown_topic, "topic \"" + topic + "\" does not exist");
  return pg::await(client, client.watermarks(topic, partition_ids(found.front()), timeout));
}

std::vector<TopicOffset> offsets_at(const fdw::Position& position, kafka::Client& client, const Consumer& consumer,
                                    const std::string& topic) {
  std::vector<kafka::Watermarks> logs = watermarks_of(client, topic);
  if (position.per_partition) check_named_partitions(position, logs, topic);
  std::erase_if(logs, [&](const kafka::Watermarks& log) {
    const bool named = !position.per_partition || position.partitions.contains(log.partition);
    return !named || !consumer.takes(log.partition);
  });
  const std::vector<int64_t> found = fdw::resolve_position(position, client, topic, logs);
  std::vector<TopicOffset> offsets;
  offsets.reserve(logs.size());
  for (size_t i = 0; i < logs.size(); ++i) offsets.push_back({topic, found[i], logs[i]});
  return offsets;
}

constexpr const char* insert_offset = R"(
    INSERT INTO $S.pipeline_kafka_offsets AS o (consumer_id, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
        ON CONFLICT (consumer_id, topic, partition) )";

void store(pg::Spi& spi, ConsumerId id, const TopicOffset& offset, const char* on_conflict) {
  run_as_owner(spi, std::string(insert_offset) + on_conflict,
               {pg::Param::int8(id), pg::Param::text(std::string_view(offset.topic)),
                pg::Param::int4(offset.log.partition), pg::Param::int8(offset.offset)});
}

void store_start_of_topic(pg::Spi& spi, const Consumer& consumer, const fdw::Position& position, kafka::Client& client,
                          const std::string& topic, std::chrono::milliseconds timeout) {
  if (!find_topic(client, topic, timeout)) {
    warn_of_missing_topic(client, topic, timeout);
  } else if (!is_earliest(position)) {
    const std::vector<TopicOffset> offsets = offsets_at(position, client, consumer, topic);
    check_within_log(offsets);
    for (const TopicOffset& offset : offsets) store(spi, consumer.id, offset, "DO NOTHING");
  }
}

}  // namespace

fdw::Connection connection_of(const Consumer& consumer) {
  const Oid owner = owner_of(consumer);
  const Oid server = pg::call([&] {
    const Oid oid = GetForeignServerByName(consumer.server.c_str(), false)->serverid;
    pg::check_server_usage(oid, owner);
    return oid;
  });
  return fdw::load_connection(server, owner, {});
}

std::vector<TopicOffset> resolve_position(const Consumer& consumer, const fdw::Position& position) {
  std::vector<TopicOffset> result;
  fdw::ScopedLease lease(connection_of(consumer));
  for (const std::string& topic : consumer.topics)
    for (TopicOffset& offset : offsets_at(position, lease.client(), consumer, topic))
      result.push_back(std::move(offset));
  lease.give_back();
  return result;
}

void check_within_log(const std::vector<TopicOffset>& offsets) {
  for (const auto& [topic, offset, log] : offsets) {
    if (offset > log.high)
      fail(ERRCODE_INVALID_PARAMETER_VALUE,
           "offset " + std::to_string(offset) + " is past the end of partition " + std::to_string(log.partition) +
               " of topic \"" + topic + "\"",
           R"(Offsets can be given by partition: {"0": 17, "1": 4}.)",
           "The partition ends at offset " + std::to_string(log.high) + ".");
  }
}

void store_offsets(pg::Spi& spi, ConsumerId id, const std::vector<TopicOffset>& offsets) {
  for (const TopicOffset& offset : offsets)
    store(spi, id, offset, R"(
        DO UPDATE SET next_offset = excluded.next_offset, updated_at = clock_timestamp(), identity_offset = NULL,
                      identity_timestamp = NULL, identity_checksum = NULL, identity_topic_id = NULL)");
}

void store_start(pg::Spi& spi, const Consumer& consumer) {
  const fdw::Position position = fdw::parse_position(consumer.start);
  const bool earliest = is_earliest(position);
  const auto timeout = earliest ? std::min(fdw::connect_timeout(), patience) : fdw::connect_timeout();
  try {
    fdw::ScopedLease lease(connection_of(consumer));
    for (const std::string& topic : consumer.topics)
      store_start_of_topic(spi, consumer, position, lease.client(), topic, timeout);
    lease.give_back();
  } catch (const kafka::Error& error) {
    if (!earliest) throw;
    tell(WARNING, std::string("could not look for the topic: ") + error.what(),
         "The consumer goes on trying until its broker answers.");
  }
}

}  // namespace kafka_fdw::ingest
