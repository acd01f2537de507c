#include <algorithm>

#include "fdw/scoped_lease.h"
#include "ingest/applying.h"
#include "ingest/arguments.h"
#include "ingest/fail.h"
#include "ingest/feed.h"
#include "ingest/fence.h"
#include "ingest/gaps.h"
#include "ingest/lookup.h"
#include "ingest/read_batch.h"
#include "ingest/source_table.h"
#include "ingest/state.h"
#include "ingest/step.h"
#include "ingest/survey.h"

extern "C" {
#include "fmgr.h"

PG_FUNCTION_INFO_V1(kafka_consume_once);
}

namespace kafka_fdw::ingest {

namespace {

[[noreturn]] void throw_moved() {
  throw kafka::Error(kafka::ErrorClass::other, "the offsets of the consumer changed while it was locked");
}

/// The offsets behind the batch, of the partitions that advance.
Offsets next_offsets(const kafka::RangeReader& reader, const Survey& survey, const PartitionStates& stored) {
  Offsets next = survey.first;
  for (const auto& [place, offset] : advanced(reader, stored)) next[place] = offset;
  return next;
}

/// What of the survey is to be read: no further than the consumer's end.
std::vector<kafka::Range> ranges_to_read(const Consumer& consumer, const Survey& survey,
                                         const PartitionStates& stored) {
  std::vector<kafka::Range> ranges;
  for (kafka::Range range : survey.ranges) {
    if (const auto state = stored.find({range.topic, range.partition}); state != stored.end()) {
      range.from = state->second.next_offset;
      if (consumer.until) range.to = std::max(range.from, std::min(range.to, state->second.until.value_or(range.from)));
    } else if (consumer.until) {
      continue;
    }
    ranges.push_back(range);
  }
  return ranges;
}

/// Where the log does not go on, as the consumer's on_gap says.
void settle_gaps(pg::Spi& spi, const Consumer& consumer, const Survey& survey, PartitionStates& stored) {
  if (const Failure* failure = stopping_gap(consumer, survey))
    throw kafka::Error(kafka::ErrorClass::out_of_range, failure->message, failure->detail, failure->hint);
  if (!jump_gaps(spi, consumer, survey.gaps, true)) throw_moved();
  for (const Gap& gap : survey.gaps)
    stored[gap.place] = {.next_offset = gap.goes_on, .until = stored[gap.place].until, .identity = {}, .topic_id = {}};
}

/// Errors of messages come out where the consumer stops at them, for the caller's transaction is at stake.
void take(pg::Spi& spi, const Consumer& consumer, Step step, const Portion& portion, const PartitionStates& stored) {
  std::optional<Taken> taken;
  if (consumer.on_error == OnError::stop) {
    taken = step.take(spi, portion, stored, true);
  } else {
    Streak streak;
    taken = step.sift(spi, portion, stored, true, streak, nullptr);
  }
  if (!taken) throw_moved();
  if (taken->stop)
    fail(ERRCODE_DATA_EXCEPTION, taken->stop->message, taken->stop->hint,
         "Topic \"" + *taken->stop->topic + "\", partition " + std::to_string(*taken->stop->partition) + ", offset " +
             std::to_string(*taken->stop->offset) + ". " + taken->stop->detail);
}

/// As the consumer's owner.
int64_t take_once(Consumer consumer, Oid owner, BatchLimits limits) {
  const pg::AsUser as_owner(owner, consumer.search_path.c_str());
  const Oid server = server_of(consumer);
  pg::Spi spi;
  if (consumer.owns_source && sync_source(spi, consumer)) consumer = *load_consumer(spi, consumer.id);
  PartitionStates stored = load_partitions(spi, consumer);
  fdw::ScopedLease lease(load_connection(consumer, owner));
  const Survey survey = survey_log(lease.client(), load_connection(consumer, owner, kafka::Reading::few), consumer,
                                   stored, [&](int32_t partition) { return consumer.takes(partition); });
  settle_gaps(spi, consumer, survey, stored);
  // What holds on to the client has the same owner.
  auto& batch = pg::make_owned<kafka::MessageBatch>(lease.context());
  auto& reader = pg::make_owned<std::optional<kafka::RangeReader>>(lease.context());
  reader.emplace(lease.client(), consumer.topics, ranges_to_read(consumer, survey, stored));
  batch = read_batch(lease.client(), *reader, limits);
  const Portion portion{batch.messages(), next_offsets(*reader, survey, stored)};
  reader.reset();
  if (!portion.next.empty())
    take(spi, consumer, Step(consumer, server, Applier::Transaction::of_caller, survey.topic_ids), portion, stored);
  const auto taken = static_cast<int64_t>(batch.size());
  batch.clear();
  lease.give_back();
  return taken;
}

int64_t consume_once(const Consumer& consumer, std::optional<int64_t> max_messages) {
  BatchLimits limits{static_cast<size_t>(consumer.batch_size), static_cast<size_t>(consumer.batch_bytes)};
  if (max_messages) limits.messages = static_cast<size_t>(*max_messages);
  return take_once(consumer, owner_of(consumer), limits);
}

/// The caller's rights are checked, and nobody else takes from the consumer until the caller's transaction ends.
Consumer lock_consumer(const std::string& stream, const std::string& topic) {
  pg::Spi spi;
  for (;;) {
    const Consumer found = require_consumer(spi, stream, topic);
    check_may_change(found);
    refuse_within_batch(found);
    lock_stream(found.stream);
    lock_consumer_exclusively(found.id);
    // Whoever held the lock before may have changed it, or its name; the lock is on this one.
    if (auto locked = load_consumer(spi, found.id)) {
      check_may_change(*locked);
      return *locked;
    }
  }
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_consume_once(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([fcinfo] {
    const std::string stream = ingest::required_text(fcinfo, 0, "stream");
    const std::string topic = ingest::required_text(fcinfo, 1, "topic");
    std::optional<int64_t> max_messages;
    if (!PG_ARGISNULL(2)) max_messages = PG_GETARG_INT64(2);
    if (max_messages && *max_messages < 1)
      ingest::fail(ERRCODE_INVALID_PARAMETER_VALUE, "max_messages must be positive");
    return Int64GetDatum(ingest::consume_once(ingest::lock_consumer(stream, topic), max_messages));
  });
}
