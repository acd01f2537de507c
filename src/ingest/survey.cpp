#include "ingest/survey.h"

#include <algorithm>

#include "fdw/table.h"
#include "pg/compat.h"
#include "pg/wait.h"

extern "C" {
#include "access/table.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/rel.h"
}

namespace kafka_fdw::ingest {

namespace {

/// A fetch that waits longer spares the broker while nothing comes; messages end the wait at once.
constexpr const char* fetch_wait_ms = "500";

void check_gap(const std::string& topic, int64_t stored, const kafka::Watermarks& watermarks) {
  if (watermarks.low <= stored && stored <= watermarks.high) return;
  Failure failure;
  failure.failure_class = FailureClass::bad_log;
  failure.sqlstate = "58P01";
  failure.message = "offset " + std::to_string(stored) + " of topic \"" + topic + "\", partition " +
                    std::to_string(watermarks.partition) + " is not in the log any more";
  failure.detail = "The log now holds offsets " + std::to_string(watermarks.low) + " to " +
                   std::to_string(watermarks.high) + ", end excluded.";
  failure.hint = "Use kafka_consume_seek to say where to go on.";
  failure.topic = topic;
  failure.partition = watermarks.partition;
  failure.offset = stored;
  throw Stop{failure};
}

std::vector<int32_t> partitions_of(kafka::Client& client, const std::string& topic,
                                   const std::function<bool(int32_t)>& is_own) {
  std::vector<int32_t> partitions;
  for (const kafka::TopicInfo& info : pg::await(client, client.topics(topic, fdw::connect_timeout())))
    for (const kafka::PartitionInfo& partition : info.partitions)
      if (is_own(partition.id)) partitions.push_back(partition.id);
  return partitions;
}

}  // namespace

Oid server_of(const Consumer& consumer) {
  return pg::call([&] {
    const Oid server = get_foreign_server_oid(consumer.server.c_str(), false);
    pg::check_server_usage(server, GetUserId());
    return server;
  });
}

fdw::Connection load_connection(const Consumer& consumer, Oid user) {
  kafka::Properties properties;
  if (consumer.source != InvalidOid) {
    Relation relation = pg::call([&] { return table_open(consumer.source, AccessShareLock); });
    properties = fdw::load_table(relation).properties;
    pg::call([&] { table_close(relation, AccessShareLock); });
  }
  properties.emplace("fetch.wait.max.ms", fetch_wait_ms);
  const Oid server = pg::call([&] { return get_foreign_server_oid(consumer.server.c_str(), false); });
  return fdw::load_connection(server, user, properties);
}

Survey survey_log(kafka::Client& client, const Consumer& consumer, const Offsets& stored,
                  const std::function<bool(int32_t)>& is_own) {
  Survey survey;
  for (size_t i = 0; i < consumer.topics.size(); ++i) {
    const std::string& topic = consumer.topics[i];
    const auto place = static_cast<int32_t>(i);
    const std::vector<int32_t> partitions = partitions_of(client, topic, is_own);
    if (partitions.empty()) continue;
    for (const kafka::Watermarks& marks :
         pg::await(client, client.watermarks(topic, partitions, fdw::connect_timeout()))) {
      const auto found = stored.find({place, marks.partition});
      if (found == stored.end())
        survey.first[{place, marks.partition}] = marks.low;
      else
        check_gap(topic, found->second, marks);
      survey.ranges.push_back({place, marks.partition, found == stored.end() ? marks.low : found->second, marks.high});
    }
  }
  std::ranges::sort(survey.ranges, {},
                    [](const kafka::Range& range) { return std::pair(range.topic, range.partition); });
  return survey;
}

}  // namespace kafka_fdw::ingest
