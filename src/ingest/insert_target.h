#pragma once

#include <vector>

#include "kafka/message.h"
#include "pg/boundary.h"

extern "C" {
#include "access/heapam.h"
#include "executor/execPartition.h"
#include "nodes/execnodes.h"
}

namespace kafka_fdw::ingest {

/// Rows on their way into a table or its partitions, as COPY keeps them: collected, and inserted many at a time.
/// All that it holds belongs to the memory context and the resource owner that are current when it is made.
///
/// The functions are leaves: they may raise, and belong inside pg::call.
class InsertTarget {
 public:
  /// `inserted` are the attribute numbers of the columns that are given.
  void open(Oid stream, const int* inserted, int inserted_count);
  /// For one more row of the table that was opened, empty.
  TupleTableSlot* slot() const noexcept { return row_; }
  EState* estate() const noexcept { return estate_; }
  Relation relation() const noexcept { return root_->ri_RelationDesc; }

  /// Takes the row in slot(), whose values hold until flush(), and computes and checks what the table wants. Raises
  /// 40001 where its partition has become none for batches.
  void add(const kafka::Message* message, size_t bytes);
  bool is_full() const noexcept;
  void flush();
  void close();

  /// The message whose row was being taken or inserted.
  const kafka::Message* current() const noexcept { return current_; }

 private:
  struct Buffer {
    ResultRelInfo* target;
    BulkInsertState bulk;
    int used;
    TupleTableSlot** slots;
    const kafka::Message** messages;
  };
  ResultRelInfo* route();
  Buffer* buffer_of(ResultRelInfo* target);
  TupleTableSlot* next_slot(Buffer* buffer) const;
  void complete(ResultRelInfo* target, TupleTableSlot* slot) const;
  void flush(Buffer* buffer);

  EState* estate_ = nullptr;
  ModifyTableState* state_ = nullptr;
  ResultRelInfo* root_ = nullptr;
  PartitionTupleRouting* routing_ = nullptr;
  TupleTableSlot* row_ = nullptr;
  List* buffers_ = NIL;
  Buffer* last_ = nullptr;
  CommandId command_ = 0;
  int used_ = 0;  ///< rows in all buffers
  size_t bytes_ = 0;
  const kafka::Message* current_ = nullptr;
};

}  // namespace kafka_fdw::ingest
