#include "ingest/insert_target.h"

#include "ingest/target.h"
#include "pg/compat.h"

extern "C" {
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "utils/rel.h"
}

namespace kafka_fdw::ingest {

namespace {

/// As many as COPY collects.
constexpr int most_rows = 1000;
constexpr size_t most_bytes = 1 << 20;

Bitmapset* columns_of(const int* attributes, int count) {
  Bitmapset* columns = nullptr;
  for (int i = 0; i < count; ++i) columns = bms_add_member(columns, attributes[i] - FirstLowInvalidHeapAttributeNumber);
  return columns;
}

}  // namespace

void InsertTarget::open(Oid stream, const int* inserted, int inserted_count) {
  estate_ = CreateExecutorState();
  pg::init_range_table(estate_, stream, columns_of(inserted, inserted_count));
  root_ = makeNode(ResultRelInfo);
  ExecInitResultRelation(estate_, root_, 1);
  ExecOpenIndices(root_, false);
  state_ = makeNode(ModifyTableState);
  state_->ps.state = estate_;
  state_->operation = CMD_INSERT;
  state_->mt_nrels = 1;
  state_->resultRelInfo = root_;
  state_->rootResultRelInfo = root_;
  if (relation()->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
    routing_ = ExecSetupPartitionTupleRouting(estate_, relation());
  row_ = ExecInitExtraTupleSlot(estate_, RelationGetDescr(relation()), &TTSOpsVirtual);
  command_ = GetCurrentCommandId(true);
}

ResultRelInfo* InsertTarget::route() {
  if (routing_ == nullptr) return root_;
  return ExecFindPartition(state_, root_, routing_, row_, estate_);
}

InsertTarget::Buffer* InsertTarget::buffer_of(ResultRelInfo* target) {
  if (last_ != nullptr && last_->target == target) return last_;
  for (int i = 0; i < list_length(buffers_); ++i) {
    auto* buffer = static_cast<Buffer*>(list_nth(buffers_, i));
    if (buffer->target == target) return last_ = buffer;
  }
  // Looked at before, but locked only now. The next attempt sees what has changed.
  if (const char* obstacle = obstacle_of_relation(target->ri_RelationDesc); obstacle != nullptr)
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("partition \"%s\" has just been changed", RelationGetRelationName(target->ri_RelationDesc)),
                    errdetail("Rows cannot be inserted into it in batches: %s.", obstacle)));
  auto* buffer = static_cast<Buffer*>(palloc0(sizeof(Buffer)));
  buffer->target = target;
  buffer->bulk = GetBulkInsertState();
  buffer->slots = static_cast<TupleTableSlot**>(palloc0(most_rows * sizeof(TupleTableSlot*)));
  buffer->messages = static_cast<const kafka::Message**>(palloc(most_rows * sizeof(kafka::Message*)));
  buffers_ = lappend(buffers_, buffer);
  return last_ = buffer;
}

TupleTableSlot* InsertTarget::next_slot(Buffer* buffer) const {
  TupleTableSlot*& slot = buffer->slots[buffer->used];
  if (slot == nullptr) slot = table_slot_create(buffer->target->ri_RelationDesc, &estate_->es_tupleTable);
  return slot;
}

void InsertTarget::add(const kafka::Message* message, size_t bytes) {
  current_ = message;
  ResultRelInfo* target = route();
  MemoryContext outer = MemoryContextSwitchTo(estate_->es_query_cxt);
  Buffer* buffer = buffer_of(target);
  TupleTableSlot* slot = next_slot(buffer);
  MemoryContextSwitchTo(outer);
  // The values stay where they are until flush.
  TupleConversionMap* map = routing_ == nullptr ? nullptr : pg::root_to_child_map(target, estate_);
  if (map != nullptr) {
    execute_attr_map_slot(map->attrMap, row_, slot);
  } else {
    ExecClearTuple(slot);
    const auto count = static_cast<size_t>(row_->tts_tupleDescriptor->natts);
    memcpy(slot->tts_values, row_->tts_values, count * sizeof(Datum));
    memcpy(slot->tts_isnull, row_->tts_isnull, count * sizeof(bool));
    ExecStoreVirtualTuple(slot);
  }
  slot->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
  complete(target, slot);
  buffer->messages[buffer->used++] = message;
  ++used_;
  bytes_ += bytes;
}

void InsertTarget::complete(ResultRelInfo* target, TupleTableSlot* slot) const {
  const TupleConstr* constraints = RelationGetDescr(target->ri_RelationDesc)->constr;
  if (constraints != nullptr && constraints->has_generated_stored)
    ExecComputeStoredGenerated(target, estate_, slot, CMD_INSERT);
  if (constraints != nullptr) ExecConstraints(target, slot, estate_);
  // A row that was routed is where it belongs.
  if (routing_ == nullptr && target->ri_RelationDesc->rd_rel->relispartition)
    ExecPartitionCheck(target, slot, estate_, true);
}

bool InsertTarget::is_full() const noexcept { return used_ >= most_rows || bytes_ >= most_bytes; }

void InsertTarget::flush() {
  for (int i = 0; i < list_length(buffers_); ++i) flush(static_cast<Buffer*>(list_nth(buffers_, i)));
  used_ = 0;
  bytes_ = 0;
  current_ = nullptr;
  ResetPerTupleExprContext(estate_);
}

void InsertTarget::flush(Buffer* buffer) {
  if (buffer->used == 0) return;
  ResultRelInfo* target = buffer->target;
  current_ = buffer->messages[0];
  table_multi_insert(target->ri_RelationDesc, buffer->slots, buffer->used, command_, 0, buffer->bulk);
  for (int i = 0; i < buffer->used; ++i) {
    if (target->ri_NumIndices > 0) {
      current_ = buffer->messages[i];
      list_free(pg::insert_index_tuples(target, buffer->slots[i], estate_));
    }
    ExecClearTuple(buffer->slots[i]);
  }
  buffer->used = 0;
}

void InsertTarget::close() {
  for (int i = 0; i < list_length(buffers_); ++i) {
    auto* buffer = static_cast<Buffer*>(list_nth(buffers_, i));
    FreeBulkInsertState(buffer->bulk);
    table_finish_bulk_insert(buffer->target->ri_RelationDesc, 0);
  }
  if (routing_ != nullptr) ExecCleanupTupleRouting(state_, routing_);
  ExecResetTupleTable(estate_->es_tupleTable, false);
  ExecCloseResultRelations(estate_);
  ExecCloseRangeTableRelations(estate_);
  FreeExecutorState(estate_);
  // What follows in the transaction sees the rows.
  CommandCounterIncrement();
}

}  // namespace kafka_fdw::ingest
