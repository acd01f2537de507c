#include "ingest/until.h"

#include <algorithm>
#include <chrono>

#include "fdw/scoped_lease.h"
#include "ingest/fail.h"
#include "ingest/start.h"
#include "ingest/state.h"

namespace kafka_fdw::ingest {

namespace {

bool is_to_come(const fdw::Point& point) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return point.kind == fdw::Point::Kind::timestamp && point.value > now;
}

void check_is_past(const fdw::Position& position) {
  if (is_to_come(position.all) ||
      std::ranges::any_of(position.partitions, [](const auto& named) { return is_to_come(named.second); }))
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"until\" must not be a time to come",
         "Where a consumer ends is looked up when it is begun. Begin it without an end, and call kafka_consume_end "
         "then.");
}

void store(pg::Spi& spi, const Consumer& consumer, const fdw::Position& position) {
  for (const TopicOffset& end : resolve_position(consumer, position))
    run_as_owner(spi, R"(
        INSERT INTO $S.pipeline_kafka_offsets AS o (consumer_id, topic, partition, next_offset, until_offset)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (consumer_id, topic, partition) DO UPDATE SET until_offset = excluded.until_offset)",
                 {pg::Param::int8(consumer.id), pg::Param::text(std::string_view(end.topic)),
                  pg::Param::int4(end.log.partition), pg::Param::int8(end.log.low), pg::Param::int8(end.offset)});
}

}  // namespace

void store_until(pg::Spi& spi, const Consumer& consumer) {
  run_as_owner(spi, "UPDATE $S.pipeline_kafka_offsets SET until_offset = NULL WHERE consumer_id = $1",
               {pg::Param::int8(consumer.id)});
  if (!consumer.until) return;
  const fdw::Position position = fdw::parse_position(*consumer.until);
  check_is_past(position);
  if (position.per_partition) store(spi, consumer, {.all = {.kind = fdw::Point::Kind::latest}, .partitions = {}});
  store(spi, consumer, position);
}

bool has_reached_end(pg::Spi& spi, const Consumer& consumer) {
  return consumer.until && run_as_owner(spi,
                                        "SELECT FROM $S.pipeline_kafka_offsets "
                                        "WHERE consumer_id = $1 AND next_offset < until_offset",
                                        {pg::Param::int8(consumer.id)})
                               .empty();
}

}  // namespace kafka_fdw::ingest
