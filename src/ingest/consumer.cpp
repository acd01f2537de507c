#include "ingest/consumer.h"

#include "ingest/attributes.h"
#include "ingest/envelope.h"
#include "ingest/fail.h"
#include "ingest/state.h"

extern "C" {
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::ingest {

namespace {

const std::string select_consumer = R"(
  SELECT id, stream, stream_name, topic, topics, source, owns_source, statement, columns,
         -- As it is called now: that of a table is known by its identity.
         coalesce((SELECT s.srvname
                     FROM pg_catalog.pg_foreign_table t JOIN pg_catalog.pg_foreign_server s ON s.oid = t.ftserver
                    WHERE t.ftrelid = source), server), parallelism, format,
         delimiter, start, batch_size, batch_bytes, (extract(epoch FROM batch_delay) * 1000)::bigint, until, on_error,
         reject_limit, on_gap, envelope, key_format, max_rate, shard, group_id, search_path, owner, enabled, epoch,
         system_identifier, database_oid
    FROM $S.pipeline_kafka_consumers )";

std::vector<std::string> string_list(const pg::Rows& rows, int column) {
  bool null = false;
  const Datum value = rows.datum(0, column, &null);
  return null ? std::vector<std::string>() : strings_of(value);
}

std::optional<Consumer> read_consumer(const pg::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  int column = 0;
  const auto next = [&] { return ++column; };
  Consumer c;
  c.id = rows.integer(0, next()).value_or(0);
  c.stream = static_cast<Oid>(rows.integer(0, next()).value_or(0));
  c.stream_name = rows.string(0, next());
  c.topic = rows.string(0, next());
  c.topics = string_list(rows, next());
  c.source = static_cast<Oid>(rows.integer(0, next()).value_or(0));
  c.owns_source = rows.boolean(0, next());
  c.statement = rows.text(0, next());
  c.columns = string_list(rows, next());
  c.server = rows.string(0, next());
  c.parallelism = static_cast<int>(rows.integer(0, next()).value_or(0));
  c.format = rows.string(0, next());
  c.delimiter = rows.text(0, next());
  c.start = rows.string(0, next());
  c.batch_size = static_cast<int>(rows.integer(0, next()).value_or(0));
  c.batch_bytes = rows.integer(0, next()).value_or(0);
  c.batch_delay = std::chrono::milliseconds(rows.integer(0, next()).value_or(0));
  c.until = rows.text(0, next());
  c.on_error = parse_on_error(rows.string(0, next())).value_or(OnError::stop);
  c.reject_limit = rows.integer(0, next());
  c.on_gap = parse_on_gap(rows.string(0, next())).value_or(OnGap::stop);
  c.envelope = parse_envelope(rows.string(0, next())).value_or(Envelope::none);
  c.key_format = rows.string(0, next());
  if (const auto rate = rows.integer(0, next())) c.max_rate = static_cast<int>(*rate);
  c.shard = parse_shard(rows.string(0, next())).value_or(Shard{});
  c.group_id = rows.text(0, next());
  c.search_path = rows.string(0, next());
  c.owner = rows.string(0, next());
  c.enabled = rows.boolean(0, next());
  c.epoch = rows.integer(0, next()).value_or(0);
  const bool same_cluster = rows.integer(0, next()) == static_cast<int64>(GetSystemIdentifier());
  const bool same_database = rows.integer(0, next()) == static_cast<int64>(MyDatabaseId);
  c.at_home = same_cluster && same_database;
  return c;
}

}  // namespace

std::optional<Consumer> load_consumer(pg::Spi& spi, ConsumerId id, bool in_active_snapshot) {
  return read_consumer(run_as_owner(spi, select_consumer + "WHERE id = $1", {pg::Param::int8(id)}, in_active_snapshot));
}

std::optional<Consumer> find_consumer(pg::Spi& spi, Oid stream, const std::string& topic) {
  return read_consumer(run_as_owner(spi, select_consumer + "WHERE stream = $1 AND topic = $2",
                                    {pg::Param::oid(stream), pg::Param::text(std::string_view(topic))}));
}

std::vector<Attribute> matched_columns(const Consumer& consumer, const std::vector<Attribute>& source) {
  std::vector<Attribute> result;
  for (const Attribute& attribute : filled_columns(attributes_of(consumer.stream), consumer.columns)) {
    if (find_attribute(source, attribute.name) != nullptr) {
      result.push_back(attribute);
    } else if (!consumer.columns.empty() && !is_metadata_name(attribute.name)) {
      fail(ERRCODE_UNDEFINED_COLUMN, "the source has no column \"" + attribute.name + "\"");
    }
  }
  if (result.empty())
    fail(ERRCODE_UNDEFINED_COLUMN, "the source and the stream " + consumer.stream_name + " have no column in common");
  return result;
}

std::string apply_statement(const Consumer& consumer) {
  if (consumer.statement) return *consumer.statement;
  if (pg::call([&] { return get_rel_name(consumer.source); }) == nullptr)
    fail(ERRCODE_UNDEFINED_TABLE, "the source of the consumer does not exist any more",
         "Call kafka_consume_begin for this stream and topic to have it made again.");
  if (consumer.envelope != Envelope::none) return envelope_statement(consumer);
  std::string columns;
  bool overrides = false;
  for (const Attribute& attribute : matched_columns(consumer, attributes_of(consumer.source))) {
    columns += (columns.empty() ? "" : ", ") + pg::quoted(attribute.name);
    overrides = overrides || attribute.identity_always;
  }
  return "INSERT INTO " + pg::qualified_name(consumer.stream) + " (" + columns + ")" +
         (overrides ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + columns + " FROM " +
         pg::qualified_name(consumer.source);
}

}  // namespace kafka_fdw::ingest
