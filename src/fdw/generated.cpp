#include "fdw/generated.h"

#include "pg/compat.h"

extern "C" {
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"
}

namespace kafka_fdw::fdw {

namespace {

bool has_generated(const TupleDesc descriptor) {
  return descriptor->constr != nullptr && descriptor->constr->has_generated_stored;
}

bool is_generated(const TupleDesc descriptor, int attribute) {
  return TupleDescAttr(descriptor, attribute)->attgenerated == ATTRIBUTE_GENERATED_STORED;
}

}  // namespace

GeneratedColumns::GeneratedColumns(ForeignScanState* node, const List* columns) : node_(node) {
  const Relation relation = node->ss.ss_currentRelation;
  const TupleDesc descriptor = RelationGetDescr(relation);
  if (!has_generated(descriptor)) return;
  Bitmapset* inputs = nullptr;
  for (int i = 0; i < descriptor->natts; ++i) {
    if (!is_generated(descriptor, i) || !list_member_int(columns, i + 1)) continue;
    columns_.push_back({i, pg::call([&] {
                          Node* expression = build_column_default(relation, i + 1);
                          pull_varattnos(expression, 1, &inputs);
                          return ExecPrepareExpr(reinterpret_cast<Expr*>(expression), node_->ss.ps.state);
                        })});
  }
  for (int i = 0; i < descriptor->natts; ++i)
    if (bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, inputs)) inputs_.push_back(i);
}

void GeneratedColumns::require_inputs(pg::RowShape& shape) const {
  for (const int attribute : inputs_) shape.columns[static_cast<size_t>(attribute)].needed = true;
}

void GeneratedColumns::compute(const std::string& topic, const kafka::Message& message, TupleTableSlot* slot) {
  if (columns_.empty()) return;
  ExprContext* context = node_->ss.ps.ps_ExprContext;
  context->ecxt_scantuple = slot;
  slot->tts_tableOid = RelationGetRelid(node_->ss.ss_currentRelation);
  pg::ErrorContext place([&] {
    errcontext("topic \"%s\", partition %d, offset %lld", topic.c_str(), message.partition,
               static_cast<long long>(message.offset));
  });
  pg::call([&] {
    for (const Generated& column : columns_)
      slot->tts_values[column.attribute] =
          ExecEvalExpr(column.expression, context, &slot->tts_isnull[column.attribute]);
  });
}

bool is_generated_in_parallel(Oid table) {
  return pg::call([&] {
    const Relation relation = table_open(table, NoLock);
    const TupleDesc descriptor = RelationGetDescr(relation);
    // The planner's own look at an expression trusts that of the query as a whole, which has not seen these.
    auto* query = makeNode(Query);
    query->commandType = CMD_SELECT;
    for (int i = 0; has_generated(descriptor) && i < descriptor->natts; ++i) {
      if (!is_generated(descriptor, i)) continue;
      auto* expression = reinterpret_cast<Expr*>(build_column_default(relation, i + 1));
      query->targetList =
          lappend(query->targetList, makeTargetEntry(expression, static_cast<AttrNumber>(i + 1), nullptr, false));
    }
    table_close(relation, NoLock);
    return query->targetList == NIL || max_parallel_hazard(query) == PROPARALLEL_SAFE;
  });
}

}  // namespace kafka_fdw::fdw
