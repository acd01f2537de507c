#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fdw/options.h"

namespace kafka_fdw::fdw {

/// How tables are made out of topics: the options of IMPORT FOREIGN SCHEMA, or the arguments of kafka_suggest_table.
struct ImportSettings {
  int64_t sample = 1000;
  bool flatten = false;
  OptionValues table_options;  ///< for each table, `format` among them, but `topic`
};

/// Those of the options, checked. Throws pg::Error.
ImportSettings read_import_settings(const OptionValues& options);

using OrderedOptions = std::vector<std::pair<std::string, std::string>>;

struct ColumnDefinition {
  std::string name;
  std::string type;
  OrderedOptions options = {};
};

/// A foreign table that could be made.
struct TableDefinition {
  std::string name;
  std::string server;
  std::vector<ColumnDefinition> columns;
  OrderedOptions options;
};

/// A table for a topic, by a sample of its messages. Tells by NOTICEs and WARNINGs what the user should know. Throws as
/// a scan does.
TableDefinition define_table(Oid server, const std::string& topic, const std::string& name,
                             const ImportSettings& settings);

/// CREATE FOREIGN TABLE, without a semicolon.
std::string create_statement(const TableDefinition& table);

/// The nearest name to a topic's that a table can have.
std::string table_name(const std::string& topic);

}  // namespace kafka_fdw::fdw
