#include "ingest/arguments.h"
#include "ingest/lookup.h"
#include "ingest/positions.h"
#include "ingest/state.h"

extern "C" {
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(kafka_consume_position);
}

namespace kafka_fdw::ingest {

namespace {

const char* const positions_of_topic = R"(
  SELECT coalesce(jsonb_object_agg(partition::text, next_offset), '{}')::text
    FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1)";

const char* const positions_of_topics = R"(
  SELECT coalesce(jsonb_object_agg(topic, next_offsets), '{}')::text
    FROM (SELECT topic, jsonb_object_agg(partition::text, next_offset) AS next_offsets
            FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1 GROUP BY topic) AS by_topic)";

std::string position(const std::string& stream, const std::string& topic) {
  pg::Spi spi;
  const Consumer consumer = require_consumer(spi, stream, topic);
  check_may_see(consumer);
  return positions(spi, consumer, true);
}

}  // namespace

std::string positions(pg::Spi& spi, const Consumer& consumer, bool in_active_snapshot) {
  const char* query = consumer.topics.size() > 1 ? positions_of_topics : positions_of_topic;
  return run_as_owner(spi, query, {pg::Param::int8(consumer.id)}, in_active_snapshot).string(0, 1);
}

Datum jsonb_of(const std::string& json) {
  return pg::call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
}

}  // namespace kafka_fdw::ingest

Datum kafka_consume_position(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry(
      [&] { return jsonb_of(position(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"))); });
}
