#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/boundary.h"

/// The Kafka foreign tables that a consumer reads.
namespace kafka_fdw::ingest {

/// What a consumer needs to know of one.
struct KafkaTable {
  Oid relation = InvalidOid;
  std::string name;  ///< qualified and quoted
  std::string topic;
  std::string server;
  std::string format;
  std::optional<std::string> delimiter;
  std::string key_format;
};

/// Throws pg::Error 22023 where the relation is not a Kafka foreign table.
KafkaTable describe_kafka_table(Oid relation);

/// What begin finds out about a consumer's statement.
struct StatementTables {
  std::vector<KafkaTable> tables;  ///< those it reads, through views, in the order of their appearance
  bool hidden = false;             ///< CALL: what it reads is known only when it runs
};

/// Analyses the statement as the current user with the current search_path.
/// Throws pg::Error: PostgreSQL's own, or 22023 where it is not one SELECT, INSERT, UPDATE, DELETE, MERGE or CALL.
StatementTables analyse_statement(const std::string& statement);

/// Plans the statement and checks what the current user may do with what it names, as EXPLAIN does; runs and contacts
/// nothing. `rows`: how many the planner is to expect of each Kafka table.
void check_plan(const std::string& statement, int rows);

}  // namespace kafka_fdw::ingest
