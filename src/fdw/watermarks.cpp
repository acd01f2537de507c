#include "fdw/watermarks.h"

#include <algorithm>
#include <optional>

#include "fdw/estimate.h"
#include "fdw/scoped_lease.h"
#include "fdw/table.h"
#include "pg/wait.h"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(kafka_get_watermarks);
}

namespace kafka_fdw::fdw {

namespace {

using kafka::ErrorClass;
using std::chrono::milliseconds;

constexpr milliseconds least_time{100};  ///< for the second of two questions, when the first took all the time
constexpr milliseconds name_time{500};

[[noreturn]] void throw_unreachable(const kafka::Error& error, kafka::Client& client, const Connection& connection) {
  std::string detail = error.what();
  for (const std::string& more : {error.detail(), client.last_trouble()})
    if (!more.empty() && detail.find(more) == std::string::npos) detail += "; " + more;
  throw kafka::Error(
      ErrorClass::unreachable,
      "could not reach Kafka server \"" + connection.server_name + "\" at " + connection.brokers, detail,
      error.hint().empty() ? "Check that the broker runs and that this machine can connect to it." : error.hint());
}

/// Of the topics that the broker shows the one that was perhaps meant. Empty where the broker does not answer: why it
/// was asked is what the user shall know.
std::string closest_topic(kafka::Client& client, const std::string& topic) {
  try {
    const auto infos = pg::await(client, client.topics(std::nullopt, name_time));
    std::vector<std::string_view> names;
    names.reserve(infos.size());
    for (const kafka::TopicInfo& info : infos) names.push_back(info.name);
    return std::string(kafka::closest_name(topic, names));
  } catch (const kafka::Error&) {
    return {};
  }
}

[[noreturn]] void throw_unknown(const kafka::Error& error, kafka::Client& client, const std::string& topic) {
  const std::string closest = closest_topic(client, topic);
  throw kafka::Error(ErrorClass::unknown_topic, error.what(), error.detail(),
                     closest.empty() ? "" : "Perhaps you meant the topic \"" + closest + "\".");
}

/// What `question` answers; its errors say more.
template <class Question>
auto explain_errors(kafka::Client& client, const Connection& connection, const std::string& topic, Question question) {
  try {
    return question();
  } catch (const kafka::Error& error) {
    throw_explained(error, client, connection, topic);
  }
}

std::vector<int32_t> ask_partitions(kafka::Client& client, const std::string& topic, milliseconds timeout) {
  return partitions_of(pg::await(client, client.topics(topic, timeout)));
}

std::vector<kafka::Watermarks> ask_watermarks(kafka::Client& client, const std::string& topic,
                                              std::vector<int32_t> partitions, milliseconds timeout) {
  std::vector<kafka::Watermarks> marks =
      pg::await(client, client.watermarks(topic, std::move(partitions), std::max(timeout, least_time)));
  std::ranges::sort(marks, {}, &kafka::Watermarks::partition);
  return marks;
}

/// The table, for a caller who may SELECT from it.
Table load_readable_table(Oid relation) {
  pg::call([&] {
    const AclResult access = pg_class_aclcheck(relation, GetUserId(), ACL_SELECT);
    if (access != ACLCHECK_OK)
      aclcheck_error(access, get_relkind_objtype(get_rel_relkind(relation)), get_rel_name(relation));
  });
  if (!is_kafka_table(relation))
    pg::call([&] {
      ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                      errmsg("\"%s\" is not a foreign table of kafka_fdw", get_rel_name(relation))));
    });
  Relation opened = pg::call([&] { return relation_open(relation, AccessShareLock); });
  Table table = load_table(opened);
  pg::call([&] { relation_close(opened, NoLock); });
  return table;
}

void return_watermarks(FunctionCallInfo fcinfo, const std::vector<kafka::Watermarks>& watermarks) {
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  pg::call([&] {
    InitMaterializedSRF(fcinfo, 0);
    for (const kafka::Watermarks& marks : watermarks) {
      Datum values[] = {Int32GetDatum(marks.partition), Int64GetDatum(marks.low), Int64GetDatum(marks.high)};
      bool nulls[] = {false, false, false};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  });
}

}  // namespace

std::vector<kafka::Watermarks> ask_watermarks(kafka::Client& client, const std::string& topic,
                                              std::chrono::milliseconds timeout) {
  const auto deadline = pg::Clock::now() + timeout;
  std::vector<int32_t> partitions = ask_partitions(client, topic, timeout);
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - pg::Clock::now());
  return ask_watermarks(client, topic, std::move(partitions), left);
}

std::vector<int32_t> partitions_of(const std::vector<kafka::TopicInfo>& topics) {
  std::vector<int32_t> partitions;
  for (const kafka::TopicInfo& topic : topics)
    for (const kafka::PartitionInfo& partition : topic.partitions) partitions.push_back(partition.id);
  std::ranges::sort(partitions);
  return partitions;
}

void throw_explained(const kafka::Error& error, kafka::Client& client, const Connection& connection,
                     const std::string& topic) {
  switch (error.error_class()) {
    case ErrorClass::unknown_topic:
      throw_unknown(error, client, topic);
    case ErrorClass::unreachable:
    case ErrorClass::timed_out:
      throw_unreachable(error, client, connection);
    default:
      throw error;
  }
}

std::vector<kafka::TopicInfo> fetch_topics(kafka::Client& client, const Connection& connection) {
  auto topics = explain_errors(client, connection, {},
                               [&] { return pg::await(client, client.topics(std::nullopt, connect_timeout())); });
  std::ranges::sort(topics, {}, &kafka::TopicInfo::name);
  return topics;
}

std::vector<int32_t> fetch_partitions(kafka::Client& client, const Connection& connection, const std::string& topic) {
  return explain_errors(client, connection, topic, [&] { return ask_partitions(client, topic, connect_timeout()); });
}

std::vector<kafka::Watermarks> fetch_watermarks(kafka::Client& client, const Connection& connection,
                                                const std::string& topic) {
  return explain_errors(client, connection, topic, [&] { return ask_watermarks(client, topic, connect_timeout()); });
}

std::vector<int64_t> fetch_offsets_at(kafka::Client& client, const Connection& connection, const std::string& topic,
                                      const std::vector<int32_t>& partitions, int64_t timestamp_ms) {
  std::vector<kafka::TimePoint> points;
  points.reserve(partitions.size());
  for (const int32_t partition : partitions) points.push_back({partition, timestamp_ms});
  return explain_errors(client, connection, topic, [&] {
    return pg::await(client, client.offsets_for_times(topic, std::move(points), connect_timeout()));
  });
}

}  // namespace kafka_fdw::fdw

Datum kafka_get_watermarks(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    const fdw::Table table = fdw::load_readable_table(PG_GETARG_OID(0));
    const Oid user = GetUserId();
    const fdw::Connection connection = fdw::load_connection(table.server, user, table.properties);
    fdw::ScopedLease lease(connection);
    const auto watermarks = fdw::fetch_watermarks(lease.client(), connection, table.topic);
    lease.give_back();
    fdw::remember_watermarks(table, user, watermarks);
    fdw::return_watermarks(fcinfo, watermarks);
    return static_cast<Datum>(0);
  });
}
