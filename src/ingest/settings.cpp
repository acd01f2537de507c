#include "ingest/settings.h"

#include <algorithm>

#include "fdw/options.h"
#include "ingest/fail.h"
#include "ingest/kafka_table.h"
#include "ingest/lookup.h"
#include "ingest/source_table.h"
#include "ingest/state.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/guc.h"
}

namespace kafka_fdw::ingest {

namespace {

/// A value that an argument gives must be the one that the tables already have.
void check_agrees(const char* argument, const std::optional<std::string>& given, const KafkaTable& table,
                  const std::string& has) {
  if (!given || *given == has) return;
  fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string("argument \"") + argument + "\" differs from the source's",
       "Leave the argument out, or change the options of the foreign table.",
       table.name + " has \"" + has + "\", the argument says \"" + *given + "\".");
}

/// The delimiter that COPY takes where none is set.
std::string default_delimiter(const std::string& format) { return format == "csv" ? "," : "\t"; }

void take_from(Consumer& consumer, const KafkaTable& table, const BeginArguments& given) {
  check_agrees("format", given.format, table, table.format);
  check_agrees("delimiter", given.delimiter, table, table.delimiter.value_or(default_delimiter(table.format)));
  check_agrees("server", given.server, table, table.server);
  check_agrees("key_format", given.key_format, table, table.key_format);
  consumer.format = table.format;
  consumer.delimiter = table.delimiter;
  consumer.server = table.server;
  consumer.key_format = table.key_format;
}

void check_one_server(const std::vector<KafkaTable>& tables) {
  for (const KafkaTable& table : tables) {
    if (table.server != tables.front().server)
      fail(ERRCODE_INVALID_PARAMETER_VALUE, "all Kafka tables of a consumer must be on one server", {},
           tables.front().name + " is on server \"" + tables.front().server + "\", " + table.name + " on \"" +
               table.server + "\".");
  }
}

void bind_tables(Consumer& consumer, const std::vector<KafkaTable>& tables, const BeginArguments& given) {
  check_one_server(tables);
  const auto first = std::ranges::find(tables, consumer.topic, &KafkaTable::topic);
  if (first == tables.end())
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "topic \"" + consumer.topic + "\" is not what the consumer reads",
         "Give the topic of the foreign table.",
         tables.front().name + " reads topic \"" + tables.front().topic + "\".");
  take_from(consumer, *first, given);
  for (const KafkaTable& table : tables) {
    if (std::ranges::find(consumer.topics, table.topic) == consumer.topics.end())
      consumer.topics.push_back(table.topic);
  }
}

void check_format(const Consumer& consumer) {
  fdw::OptionValues options{{"format", consumer.format}, {"envelope", name_of(consumer.envelope)}};
  if (consumer.delimiter) options.emplace("delimiter", *consumer.delimiter);
  (void)fdw::parse_format(options);
}

void check_document_format(const Consumer& consumer, const BeginArguments& given) {
  if (given.format || consumer.format == "json" || !takes_documents(consumer)) return;
  fail(ERRCODE_INVALID_PARAMETER_VALUE,
       "the stream has one column of a JSON type, and the format is " + consumer.format,
       "Say format => 'json' to store whole documents, or format => 'text' if that is what the messages are.");
}

/// A consumer whose source the extension makes.
void bind_own_source(Consumer& consumer, const BeginArguments& given) {
  if (given.format && !given.delimiter && *given.format != "text" && *given.format != "csv") consumer.delimiter.reset();
  check_format(consumer);
  if (consumer.id == 0) check_document_format(consumer, given);
  pg::call([&] { (void)GetForeignServerByName(consumer.server.c_str(), false); });
}

std::string current_search_path() {
  return pg::call([] { return GetConfigOption("search_path", false, false); });
}

/// What a NOTICE about changes shows.
std::vector<std::pair<const char*, std::string>> shown_settings(const Consumer& c) {
  const std::string none = "none";
  std::string columns;
  for (const std::string& column : c.columns) columns += (columns.empty() ? "" : ", ") + column;
  return {{"parallelism", std::to_string(c.parallelism)},
          {"format", c.format},
          {"delimiter", !c.delimiter           ? "default"
                        : *c.delimiter == "\t" ? "'\\t'"
                                               : pg::quoted_literal(*c.delimiter)},
          {"source", OidIsValid(c.source) && !c.owns_source ? pg::qualified_name(c.source) : none},
          {"statement", c.statement.value_or(none)},
          {"columns", columns.empty() ? "all" : columns},
          {"server", c.server},
          {"start", c.start},
          {"batch_size", std::to_string(c.batch_size)},
          {"batch_bytes", std::to_string(c.batch_bytes)},
          {"batch_delay", std::to_string(c.batch_delay.count()) + " ms"},
          {"until", c.until.value_or("never")},
          {"on_error", name_of(c.on_error)},
          {"reject_limit", c.reject_limit ? std::to_string(*c.reject_limit) : none},
          {"on_gap", name_of(c.on_gap)},
          {"envelope", name_of(c.envelope)},
          {"key_format", c.key_format},
          {"max_rate", c.max_rate ? std::to_string(*c.max_rate) : none},
          {"shard", c.shard.count == 1 ? none : text_of(c.shard)},
          {"group_id", c.group_id.value_or(none)}};
}

template <class T>
std::optional<T> none_if(const T& value, bool none) {
  return none ? std::nullopt : std::optional<T>(value);
}

void take_policies(Consumer& consumer, const BeginArguments& given) {
  if (given.until) consumer.until = none_if(*given.until, given.until->empty());
  consumer.on_error = given.on_error.value_or(consumer.on_error);
  if (given.reject_limit) consumer.reject_limit = none_if(*given.reject_limit, *given.reject_limit < 0);
  consumer.on_gap = given.on_gap.value_or(consumer.on_gap);
  consumer.envelope = given.envelope.value_or(consumer.envelope);
  consumer.key_format = given.key_format.value_or(consumer.key_format);
  if (given.max_rate) consumer.max_rate = none_if(*given.max_rate, *given.max_rate == 0);
  consumer.shard = given.shard.value_or(consumer.shard);
  if (given.group_id) consumer.group_id = none_if(*given.group_id, given.group_id->empty());
}

pg::Param oid_or_null(Oid oid) { return OidIsValid(oid) ? pg::Param::oid(oid) : pg::Param::null_of(OIDOID); }

pg::Param texts_or_null(const std::vector<std::string>& values) {
  return values.empty() ? pg::Param::null_of(TEXTARRAYOID) : pg::Param::texts(values);
}

pg::Param text(const std::string& value) { return pg::Param::text(std::string_view(value)); }

}  // namespace

Consumer new_consumer(Oid stream, const std::string& topic) {
  Consumer consumer;
  consumer.stream = stream;
  consumer.stream_name = pg::qualified_name(stream);
  consumer.topic = topic;
  consumer.server = "pipeline_kafka";
  consumer.parallelism = 1;
  consumer.format = "text";
  consumer.start = "earliest";
  consumer.batch_size = 50000;
  consumer.batch_bytes = 32 * 1024 * 1024;
  consumer.batch_delay = std::chrono::milliseconds(5);
  consumer.key_format = "raw";
  consumer.search_path = current_search_path();
  consumer.owner = pg::call([] { return static_cast<const char*>(GetUserNameFromId(GetUserId(), false)); });
  consumer.enabled = true;
  return consumer;
}

Consumer with_arguments(const Consumer& consumer, const BeginArguments& given) {
  Consumer changed = consumer;
  changed.parallelism = given.parallelism.value_or(consumer.parallelism);
  changed.format = given.format.value_or(consumer.format);
  if (given.delimiter) changed.delimiter = given.delimiter;
  if (given.statement && given.statement != consumer.statement) {
    changed.statement = given.statement;
    changed.search_path = current_search_path();
  }
  if (given.source) changed.source = *given.source;
  if (given.columns) changed.columns = *given.columns;
  changed.server = given.server.value_or(consumer.server);
  changed.start = given.start.value_or(consumer.start);
  changed.batch_size = given.batch_size.value_or(consumer.batch_size);
  changed.batch_bytes = given.batch_bytes.value_or(consumer.batch_bytes);
  changed.batch_delay = given.batch_delay.value_or(consumer.batch_delay);
  take_policies(changed, given);
  if (given.source || given.statement) changed.owns_source = false;
  if (given.statement && !given.source && consumer.owns_source) changed.source = InvalidOid;
  return changed;
}

void bind_topics(Consumer& consumer, const BeginArguments& given) {
  const pg::AsUser owner(owner_of(consumer), consumer.search_path.c_str());
  consumer.topics = {consumer.topic};
  std::vector<KafkaTable> tables;
  if (OidIsValid(consumer.source) && !consumer.owns_source) tables.push_back(describe_kafka_table(consumer.source));
  if (consumer.statement) {
    const StatementTables read = analyse_statement(*consumer.statement);
    tables.insert(tables.end(), read.tables.begin(), read.tables.end());
  }
  if (!tables.empty()) {
    if (consumer.envelope != Envelope::none)
      fail(ERRCODE_FEATURE_NOT_SUPPORTED, "an envelope is for consumers without a source or a statement of their own",
           "Leave them out, or let the statement itself deal with what the messages say.");
    bind_tables(consumer, tables, given);
  } else {
    bind_own_source(consumer, given);
  }
}

std::vector<std::string> differences(const Consumer& before, const Consumer& after) {
  const auto old = shown_settings(before);
  const auto now = shown_settings(after);
  std::vector<std::string> result;
  for (size_t i = 0; i < old.size(); ++i) {
    if (old[i].second != now[i].second)
      result.push_back(std::string(old[i].first) + " of " + describe(before) + " changes from " + old[i].second +
                       " to " + now[i].second);
  }
  return result;
}

std::optional<ConsumerId> insert_consumer(pg::Spi& spi, const Consumer& c) {
  const pg::Rows rows = run_as_owner(spi, R"(
      INSERT INTO $S.pipeline_kafka_consumers (
          stream, stream_name, topic, topics, source, owns_source, statement, columns, server, parallelism, format,
          delimiter, start, batch_size, batch_bytes, batch_delay, until, on_error, reject_limit, on_gap, envelope,
          key_format, max_rate, shard, group_id, search_path, owner, enabled, system_identifier, database_oid)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 * interval '1 millisecond',
              $17, $18, $19, $20, $21, $22, $23, nullif($24, ''), $25, $26, $27, true, $28, $29)
      ON CONFLICT (stream, topic) DO NOTHING RETURNING id)",
                                     {pg::Param::oid(c.stream),
                                      text(c.stream_name),
                                      text(c.topic),
                                      pg::Param::texts(c.topics),
                                      oid_or_null(c.source),
                                      pg::Param::boolean(c.owns_source),
                                      pg::Param::text(c.statement),
                                      texts_or_null(c.columns),
                                      text(c.server),
                                      pg::Param::int4(c.parallelism),
                                      text(c.format),
                                      pg::Param::text(c.delimiter),
                                      text(c.start),
                                      pg::Param::int4(c.batch_size),
                                      pg::Param::int8(c.batch_bytes),
                                      pg::Param::int8(c.batch_delay.count()),
                                      pg::Param::text(c.until),
                                      text(name_of(c.on_error)),
                                      pg::Param::int8(c.reject_limit),
                                      text(name_of(c.on_gap)),
                                      text(name_of(c.envelope)),
                                      text(c.key_format),
                                      pg::Param::int4(c.max_rate),
                                      text(text_of(c.shard)),
                                      pg::Param::text(c.group_id),
                                      text(c.search_path),
                                      text(c.owner),
                                      pg::Param::int8(static_cast<int64>(GetSystemIdentifier())),
                                      pg::Param::oid(MyDatabaseId)});
  if (rows.empty()) return std::nullopt;
  return rows.integer(0, 1);
}

void update_consumer(pg::Spi& spi, const Consumer& c) {
  run_as_owner(spi, R"(
      UPDATE $S.pipeline_kafka_consumers
         SET stream = $2, stream_name = $3, topics = $4, source = $5, owns_source = $6, statement = $7, columns = $8,
             server = $9, parallelism = $10, format = $11, delimiter = $12, start = $13, batch_size = $14,
             batch_bytes = $15, batch_delay = $16 * interval '1 millisecond', until = $17, on_error = $18,
             reject_limit = $19, on_gap = $20, envelope = $21, key_format = $22, max_rate = $23,
             shard = nullif($24, ''), group_id = $25, search_path = $26, enabled = true, epoch = epoch + 1,
             system_identifier = $27, database_oid = $28
       WHERE id = $1)",
               {pg::Param::int8(c.id),
                pg::Param::oid(c.stream),
                text(c.stream_name),
                pg::Param::texts(c.topics),
                oid_or_null(c.source),
                pg::Param::boolean(c.owns_source),
                pg::Param::text(c.statement),
                texts_or_null(c.columns),
                text(c.server),
                pg::Param::int4(c.parallelism),
                text(c.format),
                pg::Param::text(c.delimiter),
                text(c.start),
                pg::Param::int4(c.batch_size),
                pg::Param::int8(c.batch_bytes),
                pg::Param::int8(c.batch_delay.count()),
                pg::Param::text(c.until),
                text(name_of(c.on_error)),
                pg::Param::int8(c.reject_limit),
                text(name_of(c.on_gap)),
                text(name_of(c.envelope)),
                text(c.key_format),
                pg::Param::int4(c.max_rate),
                text(text_of(c.shard)),
                pg::Param::text(c.group_id),
                text(c.search_path),
                pg::Param::int8(static_cast<int64>(GetSystemIdentifier())),
                pg::Param::oid(MyDatabaseId)});
}

}  // namespace kafka_fdw::ingest
