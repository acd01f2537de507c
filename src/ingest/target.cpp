#include "ingest/target.h"

#include <algorithm>
#include <string_view>

#include "pg/compat.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
}

namespace kafka_fdw::ingest {

namespace {

// Leaves: they may raise.

bool has_insert_trigger(const TriggerDesc* triggers) {
  return triggers != nullptr && (triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
                                 triggers->trig_insert_instead_row || triggers->trig_insert_before_statement ||
                                 triggers->trig_insert_after_statement || triggers->trig_insert_new_table);
}

bool has_deferrable_index(Relation relation) {
  List* indexes = RelationGetIndexList(relation);
  bool found = false;
  for (int i = 0; i < list_length(indexes) && !found; ++i) {
    Relation index = index_open(list_nth_oid(indexes, i), AccessShareLock);
    found = !index->rd_index->indimmediate;
    index_close(index, AccessShareLock);
  }
  return found;
}

/// Of the volatile functions, those that do not care which rows have been inserted before.
bool is_harmless(Oid function) {
  static constexpr std::string_view names[] = {"nextval",         "random", "clock_timestamp", "timeofday",
                                               "gen_random_uuid", "uuidv4", "uuidv7"};
  if (function >= FirstGenbkiObjectId) return false;
  const char* name = get_func_name(function);
  return name != nullptr && std::ranges::find(names, std::string_view(name)) != std::end(names);
}

bool is_volatile(Oid function, void*) {
  return func_volatile(function) == PROVOLATILE_VOLATILE && !is_harmless(function);
}

bool looks_at_rows(Node* node, void* context) {
  if (node == nullptr) return false;
  if (check_functions_in_node(node, is_volatile, context)) return true;
  return pg::walk_expression(node, looks_at_rows, context);
}

/// A default that runs a function which may look at rows inserted before it.
bool has_volatile_default(Relation relation) {
  TupleDesc descriptor = RelationGetDescr(relation);
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (attribute->attisdropped || attribute->attgenerated != '\0') continue;
    if (looks_at_rows(build_column_default(relation, i + 1), nullptr)) return true;
  }
  return false;
}

const char* obstacle_of_tree(Oid stream) {
  List* relations = find_all_inheritors(stream, RowExclusiveLock, nullptr);
  const bool partitioned = get_rel_relkind(stream) == RELKIND_PARTITIONED_TABLE;
  for (int i = 0; i < (partitioned ? list_length(relations) : 1); ++i) {
    Relation relation = table_open(list_nth_oid(relations, i), NoLock);
    const char* obstacle = obstacle_of_relation(relation);
    if (obstacle == nullptr && RelationGetRelid(relation) == stream && has_volatile_default(relation))
      obstacle = "it has a default that calls a volatile function";
    if (obstacle != nullptr) obstacle = psprintf("%s: %s", RelationGetRelationName(relation), obstacle);
    table_close(relation, NoLock);
    if (obstacle != nullptr) return obstacle;
  }
  return nullptr;
}

/// Its rows are computed by a scan.
bool has_generated_columns(Oid source) {
  Relation relation = table_open(source, AccessShareLock);
  const TupleConstr* constraints = RelationGetDescr(relation)->constr;
  const bool generated = constraints != nullptr && constraints->has_generated_stored;
  table_close(relation, NoLock);
  return generated;
}

}  // namespace

const char* obstacle_of_relation(Relation relation) {
  const char kind = relation->rd_rel->relkind;
  if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) return "it is no table";
  if (kind == RELKIND_RELATION && relation->rd_tableam != GetHeapamTableAmRoutine()) return "it is no heap";
  if (has_insert_trigger(relation->trigdesc)) return "it has triggers or foreign keys";
  if (relation->rd_rel->relhasrules && relation->rd_rules != nullptr) return "it has rules";
  if (check_enable_rls(RelationGetRelid(relation), InvalidOid, true) == RLS_ENABLED) return "it has row-level security";
  if (has_deferrable_index(relation)) return "it has a deferrable constraint";
  return nullptr;
}

std::optional<std::string> obstacle_to_fast_insert(const Consumer& consumer) {
  if (consumer.statement) return "the consumer has a statement";
  if (consumer.envelope != Envelope::none) return "the consumer has an envelope";
  if (pg::call([&] { return has_generated_columns(consumer.source); })) return "the source has generated columns";
  const char* obstacle = pg::call([&] { return obstacle_of_tree(consumer.stream); });
  return obstacle == nullptr ? std::nullopt : std::optional<std::string>(obstacle);
}

}  // namespace kafka_fdw::ingest
