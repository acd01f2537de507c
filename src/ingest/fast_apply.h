#pragma once

#include <memory>
#include <span>
#include <vector>

#include "fdw/table.h"
#include "ingest/consumer.h"
#include "ingest/insert_target.h"
#include "ingest/reject.h"
#include "pg/row_builder.h"

namespace kafka_fdw::ingest {

/// The default statement, INSERT INTO stream (…) SELECT … FROM source, without the executor: messages become rows of
/// the source, these become rows of the stream, and many are inserted at a time. Belongs to the catalog as it was when
/// it was made.
class FastApply {
 public:
  /// In a transaction. Throws pg::Error.
  explicit FastApply(const Consumer& consumer);
  ~FastApply();
  FastApply(const FastApply&) = delete;
  FastApply& operator=(const FastApply&) = delete;

  /// Inserts what the messages hold, as the current user. How many rows. Throws pg::Error with the coordinates of the
  /// message at fault; with rejections, a message that does not decode is added to them instead.
  int64_t run(std::span<const kafka::Message> messages, Rejections* rejections = nullptr);

  bool skips_tombstones() const noexcept { return skips_tombstones_; }
  /// At fault, after an error; null: no message in particular.
  const kafka::Message* culprit() const noexcept { return culprit_; }
  /// Whether that did not decode.
  bool failed_to_decode() const noexcept { return failed_to_decode_; }

 private:
  class Run;

  void choose_columns(Relation stream);
  void check_privileges() const;

  const Consumer& consumer_;
  MemoryContext context_;
  fdw::Table source_;
  TupleDesc descriptor_ = nullptr;  ///< of the source
  std::unique_ptr<pg::RowBuilder> builder_;
  List* targets_ = NIL;     ///< TargetEntry for every column of the stream, dropped ones too
  std::vector<int> given_;  ///< attribute numbers of the stream that the source fills
  std::vector<int> read_;   ///< those of the source
  bool skips_tombstones_ = true;
  const kafka::Message* culprit_ = nullptr;
  bool failed_to_decode_ = false;
};

}  // namespace kafka_fdw::ingest
