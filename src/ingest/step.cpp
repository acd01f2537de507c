#include "ingest/step.h"

#include "ingest/batch.h"
#include "ingest/fence.h"
#include "ingest/state.h"
#include "ingest/target.h"
#include "module.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace kafka_fdw::ingest {

namespace {

pg::Plan state_plan(std::string sql, std::initializer_list<Oid> types) {
  return pg::Plan(with_schema(std::move(sql)), types);
}

/// 9999-12-31: what a producer gives beyond it is nonsense, and some of it is no timestamptz.
constexpr int64_t latest_timestamp_ms = 253'402'300'799'999;

[[noreturn]] void raise_not_read(const std::string& topic) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the statement of the consumer did not read topic \"%s\"", topic.c_str()),
                    errdetail("Its offsets would move past messages that nothing looked at."),
                    errhint("Let the statement select from a foreign table of that topic.")));
  });
  pg_unreachable();
}

/// One column of the arrays that UPDATE and INSERT unnest.
struct Moves {
  std::vector<std::string> topics;
  std::vector<int32> partitions;
  std::vector<int64> old_offsets, next_offsets, messages, rows, tombstones, timestamps;
};

constexpr const char* moves_from = R"(unnest($2, $3, $4, $5, $6, $7, $8, $9)
    AS m(topic, partition, old_offset, next_offset, messages, rows, tombstones, last_timestamp_ms))";

}  // namespace

Offsets load_offsets(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows =
      run_as_owner(spi, "SELECT topic, partition, next_offset FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1",
                   {pg::Param::int8(consumer.id)});
  Offsets offsets;
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::string topic = rows.string(row, 1);
    for (size_t place = 0; place < consumer.topics.size(); ++place)
      if (consumer.topics[place] == topic)
        offsets[{static_cast<int32_t>(place), static_cast<int32_t>(*rows.integer(row, 2))}] = *rows.integer(row, 3);
  }
  return offsets;
}

bool Step::take(pg::Spi& spi, const Portion& portion, const Offsets& stored, bool fence_held) {
  Tallies tallies;
  if (!portion.messages.empty()) tallies = apply(spi, portion);
  pg::AsUser owner(extension().owner);
  return holds_fence(fence_held) && advance(portion, stored, tallies);
}

Step::Tallies Step::apply(pg::Spi& spi, const Portion& portion) {
  choose_way();
  return way_.fast ? apply_fast(portion) : apply_statement(spi, portion);
}

/// The catalog is as it was when this was made; a setting may have changed.
void Step::choose_way() {
  if (!way_known_) obstacle_ = obstacle_to_fast_insert(consumer_);
  way_known_ = true;
  if (!settings.fast_apply)
    way_ = {.fast = false, .reason = "kafka_fdw.fast_apply is off"};
  else
    way_ = {.fast = !obstacle_, .reason = obstacle_.value_or("")};
}

Step::Tallies Step::apply_fast(const Portion& portion) {
  if (!fast_) fast_.emplace(consumer_);
  const int64_t rows = fast_->run(portion.messages);
  return tallies_of(portion, rows, [this](int32_t) { return fast_->skips_tombstones(); });
}

Step::Tallies Step::apply_statement(pg::Spi& spi, const Portion& portion) {
  if (!statement_) statement_ = pg::Plan(ingest::apply_statement(consumer_), {});
  BatchBinding binding(consumer_, server_, portion.messages);
  const auto rows = static_cast<int64_t>(statement_.execute().processed());
  // Deferred constraints would fail at COMMIT, where the messages at fault cannot be told any more.
  spi.execute("SET CONSTRAINTS ALL IMMEDIATE");
  for (const kafka::Message& message : portion.messages)
    if (!binding.was_read(message.topic)) raise_not_read(consumer_.topics[static_cast<size_t>(message.topic)]);
  return tallies_of(portion, rows, [&](int32_t topic) { return binding.skips_tombstones(topic); });
}

template <class SkipsTombstones>
Step::Tallies Step::tallies_of(const Portion& portion, int64_t rows, SkipsTombstones skips_tombstones) {
  Tallies tallies;
  int64_t skipped = 0;
  for (const kafka::Message& message : portion.messages) {
    Tally& tally = tallies[{message.topic, message.partition}];
    const bool tombstone = !message.value && skips_tombstones(message.topic);
    ++tally.messages;
    tally.tombstones += tombstone ? 1 : 0;
    skipped += tombstone ? 1 : 0;
    if (message.timestamp_ms <= latest_timestamp_ms) tally.last_timestamp_ms = message.timestamp_ms;
  }
  const bool one_row_each = rows + skipped == static_cast<int64_t>(portion.messages.size());
  if (one_row_each)
    for (auto& [partition, tally] : tallies) tally.rows = tally.messages - tally.tombstones;
  else
    tallies.begin()->second.rows = rows;
  return tallies;
}

bool Step::holds_fence(bool fence_held) {
  if (!fence_held && !try_lock_consumer_shared(consumer_.id)) return false;
  if (!fence_)
    fence_ = state_plan(
        "SELECT FROM $S.pipeline_kafka_consumers WHERE id = $1 AND epoch = $2 "
        "AND (enabled AND owner = session_user OR $3)",
        {INT8OID, INT8OID, BOOLOID});
  return fence_
             .execute({pg::Param::int8(consumer_.id), pg::Param::int8(consumer_.epoch), pg::Param::boolean(fence_held)})
             .processed() == 1;
}

bool Step::advance(const Portion& portion, const Offsets& stored, const Tallies& tallies) {
  Moves moves;
  size_t updates = 0;
  for (const auto& [place, next] : portion.next) {
    const auto old = stored.find(place);
    const auto found = tallies.find(place);
    const Tally tally = found == tallies.end() ? Tally{} : found->second;
    updates += old == stored.end() ? 0 : 1;
    moves.topics.push_back(consumer_.topics[static_cast<size_t>(place.first)]);
    moves.partitions.push_back(place.second);
    moves.old_offsets.push_back(old == stored.end() ? -1 : old->second);
    moves.next_offsets.push_back(next);
    moves.messages.push_back(tally.messages);
    moves.rows.push_back(tally.rows);
    moves.tombstones.push_back(tally.tombstones);
    moves.timestamps.push_back(tally.last_timestamp_ms);
  }
  const auto run = [&](const pg::Plan& plan) {
    return plan
        .execute({pg::Param::int8(consumer_.id), pg::Param::texts(moves.topics), pg::Param::int4s(moves.partitions),
                  pg::Param::int8s(moves.old_offsets), pg::Param::int8s(moves.next_offsets),
                  pg::Param::int8s(moves.messages), pg::Param::int8s(moves.rows), pg::Param::int8s(moves.tombstones),
                  pg::Param::int8s(moves.timestamps)})
        .processed();
  };
  const std::initializer_list<Oid> types = {INT8OID,      TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
                                            INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID};
  if (updates > 0) {
    if (!update_)
      update_ = state_plan(std::string(R"(UPDATE $S.pipeline_kafka_offsets o
          SET next_offset = m.next_offset, messages = o.messages + m.messages, rows = o.rows + m.rows,
              tombstones = o.tombstones + m.tombstones, updated_at = clock_timestamp(),
              last_timestamp = CASE WHEN m.last_timestamp_ms < 0 THEN o.last_timestamp
                                    ELSE to_timestamp(m.last_timestamp_ms / 1000.0) END
          FROM )") + moves_from +
                               R"(
          WHERE o.consumer_id = $1 AND o.topic = m.topic AND o.partition = m.partition
            AND o.next_offset = m.old_offset AND m.old_offset >= 0)",
                           types);
    if (run(update_) != updates) return false;
  }
  if (updates < portion.next.size()) {
    if (!insert_)
      insert_ = state_plan(std::string(R"(INSERT INTO $S.pipeline_kafka_offsets
          (consumer_id, topic, partition, next_offset, messages, rows, tombstones, last_timestamp)
          SELECT $1, m.topic, m.partition, m.next_offset, m.messages, m.rows, m.tombstones,
                 CASE WHEN m.last_timestamp_ms >= 0 THEN to_timestamp(m.last_timestamp_ms / 1000.0) END
          FROM )") + moves_from +
                               R"(
          WHERE m.old_offset < 0
          ON CONFLICT DO NOTHING)",
                           types);
    if (run(insert_) != portion.next.size() - updates) return false;
  }
  return true;
}

}  // namespace kafka_fdw::ingest
