#include "fdw/import_table.h"

#include <algorithm>

#include "fdw/import_columns.h"
#include "pg/encoding.h"
#include "pg/fail.h"
#include "pg/spi.h"

extern "C" {
#include "foreign/foreign.h"
}

namespace kafka_fdw::fdw {

namespace {

std::string options_clause(const OrderedOptions& options) {
  std::string clause;
  for (const auto& [name, value] : options)
    clause += (clause.empty() ? "" : ", ") + pg::quoted(name) + ' ' + pg::quoted_literal(value);
  return "OPTIONS (" + clause + ')';
}

std::string column_clause(const ColumnDefinition& column) {
  const std::string clause = pg::quoted(column.name) + ' ' + column.type;
  return column.options.empty() ? clause : clause + ' ' + options_clause(column.options);
}

}  // namespace

ImportSettings read_import_settings(const OptionValues& options) {
  check_options(options, OptionPlace::import);
  ImportSettings settings;
  settings.table_options = options;
  settings.table_options.emplace("format", "json");
  settings.flatten = is_set(options, "flatten");
  settings.table_options.erase("flatten");
  if (const auto sample = settings.table_options.find("sample"); sample != settings.table_options.end()) {
    settings.sample = std::stoi(sample->second);
    settings.table_options.erase(sample);
  }
  if (settings.flatten && settings.table_options["format"] != "json")
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "option \"flatten\" is for the format json");
  return settings;
}

TableDefinition define_table(Oid server, const std::string& topic, const std::string& name,
                             const ImportSettings& settings) {
  Table asked;
  asked.server = server;
  asked.topic = topic;
  asked.properties = properties_of(settings.table_options);
  const TopicSample sample(asked, settings.sample);
  const char* server_name = pg::call([&] { return static_cast<const char*>(GetForeignServer(server)->servername); });
  TableDefinition table{.name = name,
                        .server = server_name,
                        .columns = columns_of_sample(sample, topic, settings),
                        .options = {{"topic", topic}, *settings.table_options.find("format")}};
  for (const auto& option : settings.table_options)
    if (option.first != "format") table.options.emplace_back(option);
  return table;
}

std::string create_statement(const TableDefinition& table) {
  std::string statement = "CREATE FOREIGN TABLE " + pg::quoted(table.name) + " (";
  for (const ColumnDefinition& column : table.columns)
    statement += (&column == table.columns.data() ? "\n    " : ",\n    ") + column_clause(column);
  return statement + "\n) SERVER " + pg::quoted(table.server) + ' ' + options_clause(table.options);
}

std::string table_name(const std::string& topic) { return topic.substr(0, pg::clip(topic, NAMEDATALEN - 1)); }

}  // namespace kafka_fdw::fdw
