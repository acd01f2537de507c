#include "ingest/gaps.h"

#include "ingest/fence.h"
#include "ingest/state.h"

namespace kafka_fdw::ingest {

namespace {

pg::Param text(const std::string& value) { return pg::Param::text(std::string_view(value)); }

/// A row without key and value: of no message, but of a part of the log.
void record(pg::Spi& spi, const Consumer& consumer, const Gap& gap) {
  run_as_owner(spi, R"(
      INSERT INTO $S.pipeline_kafka_errors (consumer_id, topic, partition, message_offset, sqlstate, error, detail)
      VALUES ($1, $2, $3, $4, $5, $6, $7))",
               {pg::Param::int8(consumer.id), text(*gap.failure.topic), pg::Param::int4(gap.place.second),
                pg::Param::int8(gap.stored), text(gap.failure.sqlstate),
                text("went on at offset " + std::to_string(gap.goes_on) + " instead of " + std::to_string(gap.stored) +
                     ": " + gap.failure.message),
                text(gap.failure.detail)});
}

bool move(pg::Spi& spi, const Consumer& consumer, const Gap& gap) {
  return run_as_owner(spi, R"(
             UPDATE $S.pipeline_kafka_offsets
                SET next_offset = $5, identity_offset = NULL, identity_timestamp = NULL, identity_checksum = NULL, identity_topic_id = NULL,
                    updated_at = clock_timestamp()
              WHERE consumer_id = $1 AND topic = $2 AND partition = $3 AND next_offset = $4)",
                      {pg::Param::int8(consumer.id), text(*gap.failure.topic), pg::Param::int4(gap.place.second),
                       pg::Param::int8(gap.stored), pg::Param::int8(gap.goes_on)})
             .processed() == 1;
}

}  // namespace

bool jump_gaps(pg::Spi& spi, const Consumer& consumer, const std::vector<Gap>& gaps, bool fence_held) {
  for (const Gap& gap : gaps) record(spi, consumer, gap);
  if (!fence_held && !holds_fence(spi, consumer)) return false;
  for (const Gap& gap : gaps)
    if (!move(spi, consumer, gap)) return false;
  return true;
}

}  // namespace kafka_fdw::ingest
