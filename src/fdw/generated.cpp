#include "fdw/generated.h"

#include "pg/compat.h"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_attribute.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"
}

namespace kafka_fdw::fdw {

GeneratedColumns::GeneratedColumns(ForeignScanState* node, const List* columns) : node_(node) {
  const Relation relation = node->ss.ss_currentRelation;
  const TupleDesc descriptor = RelationGetDescr(relation);
  if (descriptor->constr == nullptr || !descriptor->constr->has_generated_stored) return;
  Bitmapset* inputs = nullptr;
  for (int i = 0; i < descriptor->natts; ++i) {
    if (TupleDescAttr(descriptor, i)->attgenerated != ATTRIBUTE_GENERATED_STORED || !list_member_int(columns, i + 1))
      continue;
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

}  // namespace kafka_fdw::fdw
