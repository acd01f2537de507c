#include "ingest/kafka_table.h"

#include <algorithm>

#include "fdw/message_source.h"
#include "fdw/options.h"
#include "fdw/table.h"
#include "ingest/fail.h"
#include "pg/compat.h"
#include "pg/spi.h"

extern "C" {
#include "catalog/pg_inherits.h"
#include "foreign/foreign.h"
#include "nodes/nodeFuncs.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::ingest {

namespace {

/// Foreign tables of any wrapper that a query reads. What the walker calls may raise, nothing in it has a destructor.
struct ForeignTables {
  List* oids;
};

void note_relation(ForeignTables* found, Oid relation, bool inherited) {
  if (get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE) found->oids = list_append_unique_oid(found->oids, relation);
  if (!inherited) return;
  ListCell* cell = nullptr;
  foreach (cell, find_all_inheritors(relation, AccessShareLock, nullptr)) {
    if (lfirst_oid(cell) != relation) note_relation(found, lfirst_oid(cell), false);
  }
}

bool find_foreign_tables(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return pg::walk_expression(node, find_foreign_tables, context);
  auto* query = reinterpret_cast<Query*>(node);
  int index = 0;
  ListCell* cell = nullptr;
  foreach (cell, query->rtable) {
    const RangeTblEntry* entry = lfirst_node(RangeTblEntry, cell);
    const bool only_written = ++index == query->resultRelation && query->commandType == CMD_INSERT;
    if (entry->rtekind == RTE_RELATION && !only_written)
      note_relation(static_cast<ForeignTables*>(context), entry->relid, entry->inh);
  }
  return pg::walk_query(query, find_foreign_tables, context);
}

RawStmt* parse_one(const char* statement) {
  List* parsed = pg_parse_query(statement);
  if (list_length(parsed) != 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the statement of a consumer must be one SQL statement, not %d", list_length(parsed))));
  RawStmt* raw = linitial_node(RawStmt, parsed);
  switch (nodeTag(raw->stmt)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
    case T_CallStmt:
      return raw;
    default:
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("the statement of a consumer must be INSERT, UPDATE, DELETE, MERGE, SELECT or CALL")));
  }
}

/// An error's position is one in the consumer's statement, not in the query that called us.
void point_into(const char* statement) {
  const int position = geterrposition();
  if (position <= 0) return;
  errposition(0);
  internalerrposition(position);
  internalerrquery(statement);
}

/// A leaf: may raise. The foreign tables read; *is_call where they are not known.
List* analyse(const char* statement, bool* is_call) {
  RawStmt* raw = parse_one(statement);
  *is_call = IsA(raw->stmt, CallStmt);
  ForeignTables found{NIL};
  ListCell* cell = nullptr;
  foreach (cell, pg_analyze_and_rewrite_fixedparams(raw, statement, nullptr, 0, nullptr)) {
    if (!*is_call && lfirst_node(Query, cell)->commandType == CMD_UTILITY)
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("the statement of a consumer must not create a table")));
    find_foreign_tables(lfirst_node(Node, cell), &found);
  }
  return found.oids;
}

/// Lets a statement be planned with an estimate of our own, so that planning asks no broker.
class PlannedBatch final : public fdw::BoundBatch {
 public:
  explicit PlannedBatch(int rows) : rows_(rows), outer_(fdw::bound_batch()) { fdw::set_bound_batch(this); }
  ~PlannedBatch() override { fdw::set_bound_batch(outer_); }
  std::unique_ptr<fdw::MessageSource> source_for(const fdw::Table&, const fdw::ScanOrder&) override { return nullptr; }
  bool collects_rejects() const override { return false; }
  void reject(const kafka::Message&, const pg::RowError&) override {}
  void note_undecodable(const kafka::Message&) noexcept override {}
  double expected_rows(const fdw::Table&) const override { return rows_; }

 private:
  int rows_;
  fdw::BoundBatch* outer_;
};

}  // namespace

KafkaTable describe_kafka_table(Oid relation) {
  if (!fdw::is_kafka_table(relation)) {
    const char* name = pg::call([&] { return get_rel_name(relation); });
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + (name != nullptr ? std::string(name) : std::to_string(relation)) +
                                              "\" is not a foreign table of a Kafka topic");
  }
  ForeignServer* server = nullptr;
  List* options = pg::call([&] {
    ForeignTable* table = GetForeignTable(relation);
    server = GetForeignServer(table->serverid);
    return table->options;
  });
  const fdw::OptionValues values = fdw::read_options(options);
  const auto option = [&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  return {.relation = relation,
          .name = pg::qualified_name(relation),
          .topic = option("topic").value_or(""),
          .server = server->servername,
          .format = option("format").value_or("json"),
          .delimiter = option("delimiter"),
          .key_format = option("key_format").value_or("raw")};
}

StatementTables analyse_statement(const std::string& statement) {
  bool is_call = false;
  const char* text = statement.c_str();
  const pg::ErrorContext position([text] { point_into(text); });
  List* oids = pg::call([&] { return analyse(statement.c_str(), &is_call); });
  StatementTables result{.tables = {}, .hidden = is_call};
  for (int i = 0; i < list_length(oids); ++i) {
    if (fdw::is_kafka_table(list_nth_oid(oids, i)))
      result.tables.push_back(describe_kafka_table(list_nth_oid(oids, i)));
  }
  if (result.tables.empty() && !is_call)
    fail(ERRCODE_INVALID_PARAMETER_VALUE, "the statement reads no foreign table of a Kafka topic",
         "Make a foreign table of the topic, and select from it in the statement.");
  return result;
}

void check_plan(const std::string& statement, int rows) {
  const PlannedBatch batch(rows);
  pg::Spi spi;
  spi.execute("EXPLAIN (COSTS OFF) " + statement);
}

}  // namespace kafka_fdw::ingest
