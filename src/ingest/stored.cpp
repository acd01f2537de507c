#include "ingest/stored.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "fdw/stored_offsets.h"
#include "ingest/consumer.h"
#include "ingest/fail.h"
#include "ingest/state.h"

extern "C" {
#include "foreign/foreign.h"
}

namespace kafka_fdw::ingest {

namespace {

/// By id, those that read the table's topic from its server; only those whose source it is, if there are any.
std::vector<ConsumerId> consumers_of(pg::Spi& spi, const fdw::Table& table) {
  const std::string server =
      pg::call([&] { return static_cast<const char*>(GetForeignServer(table.server)->servername); });
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT id, source IS NOT NULL AND source = $1 FROM $S.pipeline_kafka_consumers
       WHERE $2 = ANY (topics) AND server::text = $3 ORDER BY id)",
                                     {pg::Param::oid(table.relation), pg::Param::text(std::string_view(table.topic)),
                                      pg::Param::text(std::string_view(server))},
                                     true);
  std::vector<ConsumerId> all;
  std::vector<ConsumerId> by_source;
  for (size_t row = 0; row < rows.size(); ++row) {
    all.push_back(*rows.integer(row, 1));
    if (rows.boolean(row, 2)) by_source.push_back(all.back());
  }
  return by_source.empty() ? all : by_source;
}

ConsumerId only_one(const std::vector<ConsumerId>& consumers, const fdw::Table& table) {
  if (consumers.empty())
    fail(ERRCODE_UNDEFINED_OBJECT, "no consumer reads topic \"" + table.topic + "\"",
         "Begin one with kafka_consume_begin, or give another position.",
         R"(The position "stored" is where a consumer of this database stands.)");
  if (consumers.size() == 1) return consumers.front();
  std::string ids;
  for (const ConsumerId id : consumers) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  fail(ERRCODE_INVALID_PARAMETER_VALUE, "several consumers read topic \"" + table.topic + "\": " + ids,
       "Say which one is meant: stored:" + std::to_string(consumers.front()) + ".");
}

ConsumerId with_id(pg::Spi& spi, const std::string& id, const std::string& topic) {
  ConsumerId number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  const pg::Rows rows = run_as_owner(spi, "SELECT $2 = ANY (topics) FROM $S.pipeline_kafka_consumers WHERE id = $1",
                                     {pg::Param::int8(number), pg::Param::text(std::string_view(topic))}, true);
  if (rows.empty()) fail(ERRCODE_UNDEFINED_OBJECT, "there is no consumer " + id);
  if (!rows.boolean(0, 1))
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "consumer " + id + " does not read topic \"" + topic + "\"");
  return number;
}

std::map<int32_t, int64_t> offsets_of(pg::Spi& spi, ConsumerId consumer, const std::string& topic) {
  const pg::Rows rows = run_as_owner(
      spi, "SELECT partition, next_offset FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1 AND topic = $2",
      {pg::Param::int8(consumer), pg::Param::text(std::string_view(topic))}, true);
  std::map<int32_t, int64_t> offsets;
  for (size_t row = 0; row < rows.size(); ++row)
    offsets.emplace(static_cast<int32_t>(*rows.integer(row, 1)), *rows.integer(row, 2));
  return offsets;
}

/// Whoever may read the table may read what its consumer has not taken yet.
std::map<int32_t, int64_t> stored_offsets(const fdw::Table& table, const std::string& id, Snapshot snapshot) {
  const pg::ActiveSnapshot active(snapshot);
  pg::Spi spi;
  const ConsumerId consumer = id.empty() ? only_one(consumers_of(spi, table), table) : with_id(spi, id, table.topic);
  return offsets_of(spi, consumer, table.topic);
}

}  // namespace

void provide_stored_offsets() noexcept { fdw::set_stored_offsets(stored_offsets); }

}  // namespace kafka_fdw::ingest
