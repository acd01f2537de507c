#include "ingest/fast_apply.h"

#include <algorithm>

#include "ingest/attributes.h"
#include "ingest/batch.h"

extern "C" {
#include "access/table.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
}

namespace kafka_fdw::ingest {

namespace {

// Leaves: they may raise.

Node* null_of(const FormData_pg_attribute* attribute) {
  if (attribute->attisdropped) return reinterpret_cast<Node*>(makeNullConst(INT4OID, -1, InvalidOid));
  Node* null =
      reinterpret_cast<Node*>(makeNullConst(attribute->atttypid, attribute->atttypmod, attribute->attcollation));
  return coerce_to_domain(null, InvalidOid, -1, attribute->atttypid, COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1,
                          false);
}

Node* assigned(const FormData_pg_attribute* from, const FormData_pg_attribute* to) {
  Node* var = reinterpret_cast<Node*>(makeVar(1, from->attnum, from->atttypid, from->atttypmod, from->attcollation, 0));
  Node* expression = coerce_to_target_type(nullptr, var, from->atttypid, to->atttypid, to->atttypmod,
                                           COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
  if (expression == nullptr)
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("column \"%s\" of the source cannot be assigned to the stream", NameStr(from->attname))));
  return expression;
}

/// As the executor's INSERT checks them: of the relation, or of each column.
void check_columns(Oid relation, const int* attributes, int count, AclMode mode) {
  if (pg_class_aclcheck(relation, GetUserId(), mode) == ACLCHECK_OK) return;
  for (int i = 0; i < count; ++i) {
    const AclResult result = pg_attribute_aclcheck(relation, static_cast<AttrNumber>(attributes[i]), GetUserId(), mode);
    if (result != ACLCHECK_OK)
      aclcheck_error(result, get_relkind_objtype(get_rel_relkind(relation)), get_rel_name(relation));
  }
}

}  // namespace

FastApply::FastApply(const Consumer& consumer)
    : consumer_(consumer), context_(pg::call([] {
        return AllocSetContextCreate(TopMemoryContext, "kafka_fdw fast apply", ALLOCSET_DEFAULT_SIZES);
      })) {
  try {
    Relation source = pg::call([&] { return table_open(consumer.source, AccessShareLock); });
    source_ = fdw::load_table(source);
    skips_tombstones_ = !can_show_tombstones(source_);
    Relation stream = pg::call([&] {
      MemoryContext outer = MemoryContextSwitchTo(context_);
      descriptor_ = CreateTupleDescCopyConstr(RelationGetDescr(source));
      MemoryContextSwitchTo(outer);
      return table_open(consumer.stream, RowExclusiveLock);
    });
    choose_columns(stream);
    pg::RowShape shape = source_.shape;
    for (size_t i = 0; i < shape.columns.size(); ++i)
      shape.columns[i].needed = std::ranges::find(read_, static_cast<int>(i) + 1) != read_.end();
    builder_ = std::make_unique<pg::RowBuilder>(std::move(shape), descriptor_, context_);
    pg::call([&] {
      table_close(source, NoLock);
      table_close(stream, NoLock);
    });
  } catch (...) {
    MemoryContextDelete(context_);
    throw;
  }
}

FastApply::~FastApply() { MemoryContextDelete(context_); }

/// An expression for every column of the stream: what the source has under its name, its default, or NULL.
void FastApply::choose_columns(Relation stream) {
  TupleDesc target = RelationGetDescr(stream);
  std::vector<int> from(static_cast<size_t>(target->natts), 0);
  for (const Attribute& matched : matched_columns(consumer_, attributes_of(consumer_.source))) {
    const AttrNumber to = pg::call([&] { return get_attnum(consumer_.stream, matched.name.c_str()); });
    const AttrNumber read = pg::call([&] { return get_attnum(consumer_.source, matched.name.c_str()); });
    from[static_cast<size_t>(to - 1)] = read;
    given_.push_back(to);
    read_.push_back(read);
  }
  pg::call([&] {
    MemoryContext outer = MemoryContextSwitchTo(context_);
    for (int i = 0; i < target->natts; ++i) {
      const FormData_pg_attribute* attribute = TupleDescAttr(target, i);
      Node* expression = nullptr;
      if (from[static_cast<size_t>(i)] > 0)
        expression = assigned(TupleDescAttr(descriptor_, from[static_cast<size_t>(i)] - 1), attribute);
      else if (!attribute->attisdropped && attribute->attgenerated == '\0')
        expression = build_column_default(stream, i + 1);
      if (expression == nullptr) expression = null_of(attribute);
      Expr* planned = expression_planner(reinterpret_cast<Expr*>(expression));
      targets_ = lappend(targets_, makeTargetEntry(planned, static_cast<AttrNumber>(i + 1), nullptr, false));
    }
    MemoryContextSwitchTo(outer);
  });
}

void FastApply::check_privileges() const {
  pg::call([&] {
    PreventCommandIfReadOnly("INSERT");
    check_columns(consumer_.stream, given_.data(), static_cast<int>(given_.size()), ACL_INSERT);
    check_columns(consumer_.source, read_.data(), static_cast<int>(read_.size()), ACL_SELECT);
  });
}

/// One batch. What it holds of PostgreSQL's belongs to the transaction, which ends it after an error.
class FastApply::Run {
 public:
  Run(FastApply& apply, Rejections* rejections) : apply_(apply), rejections_(rejections) {
    apply.builder_->collect_errors(rejections != nullptr);
    pg::call([this] { open(); });
  }

  void take(const kafka::Message& message) {
    apply_.culprit_ = &message;
    MemoryContextSwitchTo(row_memory_);
    apply_.failed_to_decode_ = true;
    apply_.builder_->build(apply_.source_.topic, message, source_row_->tts_values, source_row_->tts_isnull);
    apply_.failed_to_decode_ = false;
    if (rejections_ != nullptr && !apply_.source_.shape.keeps_errors() && apply_.builder_->error()) {
      rejections_->emplace(&message, Rejection{failure_of_row(*apply_.builder_->error()), false});
      return;
    }
    const pg::ErrorContext context([this] { describe_place(); });
    pg::call([&] { project(message); });
    ++rows_;
    if (target_.is_full()) pg::call([this] { flush(); });
  }

  int64_t finish() {
    {
      const pg::ErrorContext context([this] { describe_place(); });
      pg::call([this] { flush(); });
    }
    MemoryContextSwitchTo(outer_);
    pg::call([this] {
      target_.close();
      MemoryContextDelete(context_);
    });
    apply_.culprit_ = nullptr;
    return rows_;
  }

  const kafka::Message* current() const noexcept { return target_.current(); }

 private:
  // Leaves: they may raise.

  void open() {
    outer_ = CurrentMemoryContext;
    // Of the subtransaction, if this is one: its abort frees it.
    context_ = AllocSetContextCreate(CurTransactionContext, "kafka_fdw insert", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(context_);
    target_.open(apply_.consumer_.stream, apply_.given_.data(), static_cast<int>(apply_.given_.size()));
    EState* estate = target_.estate();
    // Not the executor's own context, in which constraints put the row that they look at.
    expressions_ = CreateExprContext(estate);
    row_memory_ = expressions_->ecxt_per_tuple_memory;
    MemoryContextSwitchTo(estate->es_query_cxt);
    source_row_ = ExecInitExtraTupleSlot(estate, apply_.descriptor_, &TTSOpsVirtual);
    expressions_->ecxt_scantuple = source_row_;
    projection_ = ExecBuildProjectionInfo(apply_.targets_, expressions_, target_.slot(), nullptr, apply_.descriptor_);
    MemoryContextSwitchTo(outer_);
  }

  void project(const kafka::Message& message) {
    ExecClearTuple(source_row_);
    ExecStoreVirtualTuple(source_row_);
    (void)ExecProject(projection_);
    target_.add(&message, message.bytes());
  }

  void flush() {
    target_.flush();
    ResetExprContext(expressions_);
  }

  void describe_place() const {
    const kafka::Message* message = target_.current();
    if (message == nullptr) return;
    errcontext("topic \"%s\", partition %d, offset %lld", apply_.source_.topic.c_str(), message->partition,
               static_cast<long long>(message->offset));
  }

  FastApply& apply_;
  Rejections* rejections_;
  MemoryContext outer_ = nullptr;
  MemoryContext context_ = nullptr;
  MemoryContext row_memory_ = nullptr;  ///< of rows that are collected
  InsertTarget target_;
  ExprContext* expressions_ = nullptr;
  TupleTableSlot* source_row_ = nullptr;
  ProjectionInfo* projection_ = nullptr;
  int64_t rows_ = 0;
};

int64_t FastApply::run(std::span<const kafka::Message> messages, Rejections* rejections) {
  check_privileges();
  culprit_ = nullptr;
  failed_to_decode_ = false;
  Run run(*this, rejections);
  try {
    for (const kafka::Message& message : messages)
      if (message.value || !skips_tombstones_) run.take(message);
    return run.finish();
  } catch (const pg::Error&) {
    if (run.current() != nullptr && !failed_to_decode_) culprit_ = run.current();
    throw;
  }
}

}  // namespace kafka_fdw::ingest
