#include "fdw/import.h"

#include <algorithm>
#include <vector>

#include "decode/unique_names.h"
#include "fdw/import_table.h"
#include "fdw/scoped_lease.h"
#include "fdw/server.h"
#include "fdw/watermarks.h"
#include "pg/arguments.h"
#include "pg/encoding.h"
#include "pg/fail.h"
#include "pg/spi.h"

extern "C" {
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kafka_suggest_table);
}

namespace kafka_fdw::fdw {

namespace {

/// The name of a remote schema that stands for all topics: no topic can have it, nor begin with it.
constexpr std::string_view all_topics = "*";

struct NamedTopic {
  std::string topic;
  std::string table;
};

/// What Kafka allows. Names come from a broker, and are nothing to trust.
bool is_topic_name(std::string_view name) {
  constexpr std::string_view others = "._-";
  return !name.empty() && name.size() < 250 && std::ranges::all_of(name, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || others.find(c) != others.npos;
  });
}

std::vector<std::string> topics_with_prefix(const Connection& connection, std::string_view prefix) {
  ScopedLease lease(connection);
  std::vector<std::string> names;
  for (const kafka::TopicInfo& topic : fetch_topics(lease.client(), connection))
    if (!topic.internal && is_topic_name(topic.name) && (prefix == all_topics || topic.name.starts_with(prefix)))
      names.push_back(topic.name);
  lease.give_back();
  if (names.empty() && prefix != all_topics)
    pg::fail(ERRCODE_FDW_SCHEMA_NOT_FOUND,
             "no topic of server \"" + connection.server_name + "\" begins with \"" + std::string(prefix) + '"',
             "The remote schema is the beginning of the names of topics; \"*\" stands for all of them.",
             "Topics that the cluster keeps for itself do not count.");
  return names;
}

/// A table has its topic's name. Those that are too long get what is left when the others have theirs.
std::vector<NamedTopic> name_tables(const std::vector<std::string>& topics) {
  decode::UniqueNames names(NAMEDATALEN - 1, pg::clip);
  std::vector<NamedTopic> tables;
  for (const bool fitting : {true, false})
    for (const std::string& topic : topics)
      if ((topic.size() < NAMEDATALEN) == fitting) tables.push_back({topic, names.take(topic)});
  std::ranges::sort(tables, {}, &NamedTopic::topic);
  return tables;
}

bool is_wanted(const std::string& table, ImportForeignSchemaStmt* statement) {
  return pg::call([&] { return IsImportableForeignTable(table.c_str(), statement); });
}

/// PostgreSQL passes over names in LIMIT TO that nothing was imported for. Whoever wrote one would like to know.
void warn_of_absent(const std::vector<NamedTopic>& tables, const ImportForeignSchemaStmt* statement) {
  if (statement->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO) return;
  std::vector<std::string_view> known;
  known.reserve(tables.size());
  for (const NamedTopic& named : tables) known.push_back(named.table);
  for (int i = 0; i < list_length(statement->table_list); ++i) {
    const std::string name = static_cast<const RangeVar*>(list_nth(statement->table_list, i))->relname;
    if (std::ranges::find(known, name) != known.end()) continue;
    const bool all = statement->remote_schema == all_topics;
    const std::string_view closest = kafka::closest_name(name, known);
    pg::tell(
        WARNING,
        "there is no topic \"" + name +
            (all ? "\" to import" : "\" among those that begin with \"" + std::string(statement->remote_schema) + '"'),
        closest.empty() ? "" : "Perhaps you meant the topic \"" + std::string(closest) + "\".");
  }
}

std::string import_topic(Oid server, const NamedTopic& named, const ImportSettings& settings) {
  if (named.table != named.topic)
    pg::tell(NOTICE, "the table for topic \"" + named.topic + "\" is called \"" + named.table + '"');
  try {
    return create_statement(define_table(server, named.topic, named.table, settings));
  } catch (const kafka::Error& error) {
    if (error.error_class() != kafka::ErrorClass::not_authorized) throw;
    throw kafka::Error(error.error_class(), error.what(), error.detail(),
                       "Leave it out with EXCEPT (" + pg::quoted(named.table) + "), or ask for permission to read it.");
  }
}

List* import_topics(ImportForeignSchemaStmt* statement, Oid server) {
  const ImportSettings settings = read_import_settings(read_options(statement->options));
  const Connection connection = load_connection(server, GetUserId(), {});
  const auto tables = name_tables(topics_with_prefix(connection, statement->remote_schema));
  warn_of_absent(tables, statement);
  List* commands = NIL;
  for (const NamedTopic& named : tables) {
    if (!is_wanted(named.table, statement)) continue;
    const std::string command = import_topic(server, named, settings);
    commands = pg::call([&] { return lappend(commands, pstrdup(command.c_str())); });
  }
  return commands;
}

/// kafka_suggest_table(topic, format, sample, server)
std::string suggest_table(FunctionCallInfo fcinfo) {
  const std::string topic = pg::required_text(fcinfo, 0, "topic");
  const std::string format = pg::required_text(fcinfo, 1, "format");
  for (const int place : {2, 3})
    if (fcinfo->args[place].isnull)
      pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED,
               std::string("argument \"") + (place == 2 ? "sample" : "server") + "\" must not be null");
  const Oid server = find_server(NameStr(*DatumGetName(fcinfo->args[3].value)));
  const ImportSettings settings =
      read_import_settings({{"format", format}, {"sample", std::to_string(*pg::optional_int(fcinfo, 2))}});
  return create_statement(define_table(server, topic, table_name(topic), settings)) + ';';
}

}  // namespace

}  // namespace kafka_fdw::fdw

List* kafkaImportForeignSchema(ImportForeignSchemaStmt* statement, Oid server) {
  return kafka_fdw::pg::entry([&] { return kafka_fdw::fdw::import_topics(statement, server); });
}

Datum kafka_suggest_table(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    const std::string statement = fdw::suggest_table(fcinfo);
    return pg::call([&] { return CStringGetTextDatum(statement.c_str()); });
  });
}
