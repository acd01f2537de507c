#include "ingest/advance.h"

#include <algorithm>

#include "ingest/state.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace kafka_fdw::ingest {

namespace {

/// One column of the arrays that UPDATE and INSERT unnest.
struct Moves {
  std::vector<std::string> topics;
  std::vector<int32> partitions;
  std::vector<int64> old_offsets, next_offsets, messages, rows, tombstones, rejected, timestamps;
  std::vector<int64> identity_offsets, identity_timestamps, identity_checksums;
  std::vector<std::string> topic_ids;

  void add(const std::string& topic, int32_t partition, int64_t old_offset, int64_t next_offset, const Tally& tally,
           const std::string& topic_id) {
    const Identity identity = tally.identity.value_or(Identity{.offset = -1});
    topics.push_back(topic);
    partitions.push_back(partition);
    old_offsets.push_back(old_offset);
    next_offsets.push_back(next_offset);
    messages.push_back(tally.messages);
    rows.push_back(tally.rows);
    tombstones.push_back(tally.tombstones);
    rejected.push_back(tally.rejected);
    timestamps.push_back(tally.last_timestamp_ms);
    identity_offsets.push_back(identity.offset);
    identity_timestamps.push_back(identity.timestamp_ms);
    identity_checksums.push_back(identity.checksum);
    topic_ids.push_back(topic_id);
  }

  uint64 run(const pg::Plan& plan, ConsumerId consumer) const {
    using pg::Param;
    return plan
        .execute({Param::int8(consumer), Param::texts(topics), Param::int4s(partitions), Param::int8s(old_offsets),
                  Param::int8s(next_offsets), Param::int8s(messages), Param::int8s(rows), Param::int8s(tombstones),
                  Param::int8s(rejected), Param::int8s(timestamps), Param::int8s(identity_offsets),
                  Param::int8s(identity_timestamps), Param::int8s(identity_checksums), Param::texts(topic_ids)})
        .processed();
  }
};

constexpr const char* moves_from = R"(unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    AS m(topic, partition, old_offset, next_offset, messages, rows, tombstones, rejected, last_timestamp_ms,
         identity_offset, identity_timestamp, identity_checksum, topic_id))";

const std::string update_offsets = std::string(R"(UPDATE $S.pipeline_kafka_offsets o
    SET next_offset = m.next_offset, messages = o.messages + m.messages, rows = o.rows + m.rows,
        tombstones = o.tombstones + m.tombstones, rejected = o.rejected + m.rejected,
        rejected_since_begin = o.rejected_since_begin + m.rejected, updated_at = clock_timestamp(),
        last_timestamp = CASE WHEN m.last_timestamp_ms < 0 THEN o.last_timestamp
                              ELSE to_timestamp(m.last_timestamp_ms / 1000.0) END,
        identity_offset = CASE WHEN m.identity_offset < 0 THEN o.identity_offset ELSE m.identity_offset END,
        identity_timestamp = CASE WHEN m.identity_offset < 0 THEN o.identity_timestamp ELSE m.identity_timestamp END,
        identity_checksum = CASE WHEN m.identity_offset < 0 THEN o.identity_checksum ELSE m.identity_checksum END,
        identity_topic_id = CASE WHEN m.identity_offset < 0 THEN o.identity_topic_id ELSE nullif(m.topic_id, '') END
    FROM )") + moves_from + R"(
    WHERE o.consumer_id = $1 AND o.topic = m.topic AND o.partition = m.partition
      AND o.next_offset = m.old_offset AND m.old_offset >= 0)";

const std::string insert_offsets = std::string(R"(INSERT INTO $S.pipeline_kafka_offsets
    (consumer_id, topic, partition, next_offset, messages, rows, tombstones, rejected, rejected_since_begin,
     last_timestamp, identity_offset, identity_timestamp, identity_checksum, identity_topic_id)
    SELECT $1, m.topic, m.partition, m.next_offset, m.messages, m.rows, m.tombstones, m.rejected, m.rejected,
           CASE WHEN m.last_timestamp_ms >= 0 THEN to_timestamp(m.last_timestamp_ms / 1000.0) END,
           nullif(m.identity_offset, -1), CASE WHEN m.identity_offset >= 0 THEN m.identity_timestamp END,
           CASE WHEN m.identity_offset >= 0 THEN m.identity_checksum END,
           CASE WHEN m.identity_offset >= 0 THEN nullif(m.topic_id, '') END
    FROM )") + moves_from + R"(
    WHERE m.old_offset < 0
    ON CONFLICT DO NOTHING)";

pg::Plan state_plan(const std::string& sql) {
  return pg::Plan(with_schema(sql),
                  {INT8OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
                   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID});
}

}  // namespace

PartitionStates load_partitions(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT topic, partition, next_offset, until_offset, identity_offset, identity_timestamp, identity_checksum,
             coalesce(identity_topic_id, '')
        FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1)",
                                     {pg::Param::int8(consumer.id)});
  PartitionStates states;
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto topic = std::ranges::find(consumer.topics, rows.string(row, 1));
    if (topic == consumer.topics.end()) continue;
    PartitionState& state =
        states[{static_cast<int32_t>(topic - consumer.topics.begin()), static_cast<int32_t>(*rows.integer(row, 2))}];
    state.next_offset = *rows.integer(row, 3);
    state.until = rows.integer(row, 4);
    if (const auto offset = rows.integer(row, 5))
      state.identity = {.offset = *offset,
                        .timestamp_ms = rows.integer(row, 6).value_or(0),
                        .checksum = rows.integer(row, 7).value_or(0)};
    state.topic_id = rows.string(row, 8);
  }
  return states;
}

void forget_rejections(pg::Spi& spi, ConsumerId id) {
  run_as_owner(spi, R"(UPDATE $S.pipeline_kafka_offsets SET rejected_since_begin = 0
                        WHERE consumer_id = $1 AND rejected_since_begin > 0)",
               {pg::Param::int8(id)});
}

void store_identities(pg::Spi& spi, const Consumer& consumer, const std::map<Place, Identity>& identities,
                      const PartitionStates& stored) {
  for (const auto& [place, identity] : identities)
    run_as_owner(
        spi, R"(
        UPDATE $S.pipeline_kafka_offsets SET identity_offset = $5, identity_timestamp = $6, identity_checksum = $7
         WHERE consumer_id = $1 AND topic = $2 AND partition = $3 AND next_offset = $4)",
        {pg::Param::int8(consumer.id),
         pg::Param::text(std::string_view(consumer.topics[static_cast<size_t>(place.first)])),
         pg::Param::int4(place.second), pg::Param::int8(stored.at(place).next_offset), pg::Param::int8(identity.offset),
         pg::Param::int8(identity.timestamp_ms), pg::Param::int8(identity.checksum)});
}

bool Advancer::run(const Offsets& next, const PartitionStates& stored, const Tallies& tallies) {
  Moves moves;
  size_t updates = 0;
  for (const auto& [place, offset] : next) {
    const auto old = stored.find(place);
    const auto found = tallies.find(place);
    updates += old == stored.end() ? 0 : 1;
    const auto topic = static_cast<size_t>(place.first);
    moves.add(consumer_.topics[topic], place.second, old == stored.end() ? -1 : old->second.next_offset, offset,
              found == tallies.end() ? Tally{} : found->second, topic_ids_[topic]);
  }
  if (updates > 0) {
    if (!update_) update_ = state_plan(update_offsets);
    if (moves.run(update_, consumer_.id) != updates) return false;
  }
  if (updates < next.size()) {
    if (!insert_) insert_ = state_plan(insert_offsets);
    if (moves.run(insert_, consumer_.id) != next.size() - updates) return false;
  }
  return true;
}

}  // namespace kafka_fdw::ingest
