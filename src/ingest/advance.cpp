#include "ingest/advance.h"

#include <algorithm>
#include <utility>

#include "ingest/state.h"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "optimizer/cost.h"
#include "storage/bufmgr.h"
}

namespace kafka_fdw::ingest {

namespace {

/// What becomes of one partition's row, as the subquery `m`; without a row the old offset is NULL.
constexpr const char* new_values =
    R"((SELECT $4 AS next_offset, $5 AS messages, $6 AS rows, $7 AS tombstones, $8 AS rejected,
           CASE WHEN $9 >= 0 THEN to_timestamp($9 / 1000.0) END AS last_timestamp,
           $10 AS identity_offset, $11 AS identity_timestamp, $12 AS identity_checksum,
           nullif($14, '') AS topic_id) AS m)";

const std::string update_row = std::string(R"(UPDATE $S.pipeline_kafka_offsets o
    SET next_offset = m.next_offset, messages = o.messages + m.messages, rows = o.rows + m.rows,
        tombstones = o.tombstones + m.tombstones, rejected = o.rejected + m.rejected,
        rejected_since_begin = o.rejected_since_begin + m.rejected, updated_at = clock_timestamp(),
        last_timestamp = coalesce(m.last_timestamp, o.last_timestamp),
        identity_offset = coalesce(m.identity_offset, o.identity_offset),
        identity_timestamp = coalesce(m.identity_timestamp, o.identity_timestamp),
        identity_checksum = coalesce(m.identity_checksum, o.identity_checksum),
        identity_topic_id = CASE WHEN m.identity_offset IS NULL THEN o.identity_topic_id ELSE m.topic_id END
    FROM )") + new_values + R"(
    WHERE o.consumer_id = $1 AND o.topic = $2 AND o.partition = $3 AND o.next_offset = $13)";

const std::string insert_row = std::string(R"(INSERT INTO $S.pipeline_kafka_offsets
    (consumer_id, topic, partition, next_offset, messages, rows, tombstones, rejected, rejected_since_begin,
     last_timestamp, identity_offset, identity_timestamp, identity_checksum, identity_topic_id)
    SELECT $1, $2, $3, m.next_offset, m.messages, m.rows, m.tombstones, m.rejected, m.rejected, m.last_timestamp,
           m.identity_offset, m.identity_timestamp, m.identity_checksum,
           CASE WHEN m.identity_offset IS NOT NULL THEN m.topic_id END
    FROM )") + new_values + R"(
    WHERE $13 IS NULL ON CONFLICT DO NOTHING RETURNING ctid)";

pg::Plan state_plan(const std::string& sql) {
  return pg::Plan(with_schema(sql), {INT8OID, TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
                                     INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TIDOID});
}

/// Clears the page of what nobody needs any more, where it has little room left, as looking a row up by its key
/// would do, and as looking where it was left does not. A leaf: may raise.
void prune_page(Oid table, BlockNumber page) {
  Relation relation = table_open(table, RowExclusiveLock);  // nobody takes the page away meanwhile
  if (page < RelationGetNumberOfBlocks(relation)) {
    Buffer buffer = ReadBuffer(relation, page);
    heap_page_prune_opt(relation, buffer);
    ReleaseBuffer(buffer);
  }
  table_close(relation, NoLock);
}

/// Plans are made while the table is small, and kept: beside a snapshot that is held for long it grows, and
/// reading all of it is never right.
class NoSequentialScans {
 public:
  NoSequentialScans() : before_(std::exchange(enable_seqscan, false)) {}
  ~NoSequentialScans() { enable_seqscan = before_; }
  NoSequentialScans(const NoSequentialScans&) = delete;
  NoSequentialScans& operator=(const NoSequentialScans&) = delete;

 private:
  bool before_;
};

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
  if (!update_at_) {
    update_at_ = state_plan(update_row + " AND o.ctid = $15 RETURNING o.ctid");
    update_ = state_plan(update_row + " RETURNING o.ctid");
    insert_ = state_plan(insert_row);
  }
  const NoSequentialScans no_scans;
  return std::ranges::all_of(next, [&](const auto& entry) {
    const auto& [place, offset] = entry;
    const auto old = stored.find(place);
    const auto tally = tallies.find(place);
    return move(place, offset, old == stored.end() ? std::nullopt : std::optional(old->second.next_offset),
                tally == tallies.end() ? Tally{} : tally->second);
  });
}

/// Where the row was left, or, where it is not there any more, by its key.
bool Advancer::move(const Place& place, int64_t next, std::optional<int64_t> old, const Tally& tally) {
  if (const auto row = rows_.find(place); row != rows_.end()) {
    const ItemPointerData at = row->second;
    const Oid offsets = extension().offsets;
    pg::call([&] { prune_page(offsets, ItemPointerGetBlockNumber(&at)); });
    if (old && execute(update_at_, place, next, old, tally, at)) return true;
    rows_.erase(row);
  }
  return execute(old ? update_ : insert_, place, next, old, tally, ItemPointerData{});
}

/// Whether there was such a row.
bool Advancer::execute(const pg::Plan& plan, const Place& place, int64_t next, std::optional<int64_t> old,
                       const Tally& tally, ItemPointerData at) {
  using pg::Param;
  const auto topic = static_cast<size_t>(place.first);
  const auto& identity = tally.identity;
  const auto of_identity = [&](int64_t Identity::*member) {
    return Param::int8(identity ? std::optional<int64>((*identity).*member) : std::nullopt);
  };
  const pg::Rows rows = plan.execute({Param::int8(consumer_.id),
                                      Param::text(std::string_view(consumer_.topics[topic])),
                                      Param::int4(place.second),
                                      Param::int8(next),
                                      Param::int8(tally.messages),
                                      Param::int8(tally.rows),
                                      Param::int8(tally.tombstones),
                                      Param::int8(tally.rejected),
                                      Param::int8(tally.last_timestamp_ms),
                                      of_identity(&Identity::offset),
                                      of_identity(&Identity::timestamp_ms),
                                      of_identity(&Identity::checksum),
                                      Param::int8(old),
                                      Param::text(std::string_view(topic_ids_[topic])),
                                      {TIDOID, PointerGetDatum(&at)}});
  if (rows.processed() != 1) return false;
  bool null = false;
  rows_[place] = *reinterpret_cast<ItemPointer>(DatumGetPointer(rows.datum(0, 1, &null)));
  return true;
}

}  // namespace kafka_fdw::ingest
