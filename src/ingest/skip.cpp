#include <algorithm>

#include "fdw/scoped_lease.h"
#include "ingest/advance.h"
#include "ingest/arguments.h"
#include "ingest/control.h"
#include "ingest/dead_letters.h"
#include "ingest/fail.h"
#include "ingest/lookup.h"
#include "ingest/read_batch.h"
#include "ingest/state.h"
#include "ingest/survey.h"

extern "C" {
#include "fmgr.h"

PG_FUNCTION_INFO_V1(kafka_consume_skip);
}

namespace kafka_fdw::ingest {

namespace {

[[noreturn]] void fail_not_stopped(const Consumer& consumer) {
  fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, describe(consumer) + " was not stopped by a message",
       "kafka_stat_consumers says what it does; kafka_consume_seek lets it go on from another position.");
}

/// Why it stopped, with the coordinates of the message. Of several workers that stopped, the last one's.
Failure require_stop(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows = run_as_owner(
      spi, R"(
      SELECT error_topic, error_partition, error_offset, error_sqlstate, last_error, error_detail, error_column
        FROM $S.pipeline_kafka_workers
       WHERE consumer_id = $1 AND state = 'error' AND error_topic = ANY ($2) AND error_offset IS NOT NULL
         AND error_sqlstate <> $3
       ORDER BY last_error_at DESC LIMIT 1)",
      {pg::Param::int8(consumer.id), pg::Param::texts(consumer.topics), pg::Param::text(std::string_view(not_in_log))});
  if (rows.empty()) fail_not_stopped(consumer);
  Failure failure;
  failure.topic = rows.string(0, 1);
  failure.partition = static_cast<int32_t>(*rows.integer(0, 2));
  failure.offset = rows.integer(0, 3);
  failure.sqlstate = rows.string(0, 4);
  failure.message = rows.string(0, 5);
  failure.detail = rows.string(0, 6);
  failure.column = rows.string(0, 7);
  return failure;
}

Place place_of(const Consumer& consumer, const Failure& failure) {
  const auto topic = std::ranges::find(consumer.topics, *failure.topic);
  return {static_cast<int32_t>(topic - consumer.topics.begin()), *failure.partition};
}

/// What is to be read of the log to find the next message, which should be the one at the offset. Absent: the log is
/// not the one any more that it was in.
std::optional<kafka::Range> range_to_read(const Consumer& consumer, const Survey& survey, const Place& place,
                                          int64_t offset) {
  if (std::ranges::find(survey.gaps, place, &Gap::place) != survey.gaps.end()) return std::nullopt;
  for (kafka::Range range : survey.ranges) {
    if (Place(range.topic, range.partition) != place) continue;
    if (range.from > offset) fail_not_stopped(consumer);
    range.to = std::min(range.to, offset + 1);
    return range;
  }
  return std::nullopt;
}

/// What was kept in pipeline_kafka_errors, and what it counts for.
struct Kept {
  int64_t id;
  Tally tally;
  std::vector<std::string> topic_ids;  ///< as Survey has them
};

Kept keep_message(const Consumer& consumer, const kafka::Message& message, const Failure& failure) {
  const Rejections rejections{{&message, Rejection{.failure = failure, .by_statement = false}}};
  return {
      store_dead_letters(consumer, rejections), {.messages = 1, .rejected = 1, .identity = identity_of(message)}, {}};
}

/// Retention or compaction were faster.
Kept keep_loss(pg::Spi& spi, const Consumer& consumer, Failure failure) {
  failure.detail = "It failed with SQLSTATE " + failure.sqlstate +
                   ", and was not in the log any more when it was skipped." +
                   (failure.detail.empty() ? "" : "\n" + failure.detail);
  return {store_loss(spi, consumer, failure), {.messages = 1, .rejected = 1, .identity = {}}, {}};
}

/// With the rights of the consumer's owner.
Kept fetch_and_keep(pg::Spi& spi, const Consumer& consumer, const Failure& failure, const PartitionStates& stored) {
  const Oid owner = owner_of(consumer);
  const pg::AsUser as_owner(owner, consumer.search_path.c_str());
  (void)server_of(consumer);
  const fdw::Connection few = load_connection(consumer, owner, kafka::Reading::few);
  fdw::ScopedLease lease(few);
  const Place place = place_of(consumer, failure);
  const Survey survey =
      survey_log(lease.client(), few, consumer, stored, [&](int32_t partition) { return partition == place.second; });
  // What holds on to the client has the same owner.
  auto& batch = pg::make_owned<kafka::MessageBatch>(lease.context());
  auto& reader = pg::make_owned<std::optional<kafka::RangeReader>>(lease.context());
  if (const auto range = range_to_read(consumer, survey, place, *failure.offset)) {
    reader.emplace(lease.client(), consumer.topics, std::vector{*range});
    batch = read_batch(lease.client(), *reader, {.messages = 1, .bytes = 1});
    reader.reset();
  }
  if (!batch.empty() && batch.messages().front().offset < *failure.offset) fail_not_stopped(consumer);
  Kept kept =
      batch.empty() ? keep_loss(spi, consumer, failure) : keep_message(consumer, batch.messages().front(), failure);
  kept.topic_ids = survey.topic_ids;
  batch.clear();
  lease.give_back();
  return kept;
}

int64_t skip(const std::string& stream, const std::string& topic) {
  pg::Spi spi;
  const Consumer consumer = require_locked(spi, stream, topic);
  const Failure failure = require_stop(spi, consumer);
  const PartitionStates stored = load_partitions(spi, consumer);
  const Kept kept = fetch_and_keep(spi, consumer, failure, stored);
  const Place place = place_of(consumer, failure);
  const pg::AsUser owner(extension().owner);
  if (!Advancer(consumer, kept.topic_ids).run({{place, *failure.offset + 1}}, stored, {{place, kept.tally}}))
    fail_not_stopped(consumer);
  go_on(spi, consumer);
  return kept.id;
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_consume_skip(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry(
      [&] { return Int64GetDatum(skip(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"))); });
}
