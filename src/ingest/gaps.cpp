#include "ingest/gaps.h"

#include "ingest/dead_letters.h"
#include "ingest/fence.h"
#include "ingest/state.h"

namespace kafka_fdw::ingest {

namespace {

void record(pg::Spi& spi, const Consumer& consumer, const Gap& gap) {
  Failure failure = gap.failure;
  failure.message = "went on at offset " + std::to_string(gap.goes_on) + " instead of " + std::to_string(gap.stored) +
                    ": " + gap.failure.message;
  store_loss(spi, consumer, failure);
}

bool move(pg::Spi& spi, const Consumer& consumer, const Gap& gap) {
  return run_as_owner(spi, R"(
             UPDATE $S.pipeline_kafka_offsets
                SET next_offset = $5, identity_offset = NULL, identity_timestamp = NULL, identity_checksum = NULL,
                    identity_topic_id = NULL,
                    updated_at = clock_timestamp()
              WHERE consumer_id = $1 AND topic = $2 AND partition = $3 AND next_offset = $4)",
                      {pg::Param::int8(consumer.id), pg::Param::text(gap.failure.topic),
                       pg::Param::int4(gap.place.second), pg::Param::int8(gap.stored), pg::Param::int8(gap.goes_on)})
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
