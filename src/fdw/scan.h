#pragma once

#include <memory>
#include <optional>

#include "fdw/generated.h"
#include "fdw/message_source.h"
#include "fdw/parallel_source.h"
#include "fdw/selection.h"
#include "fdw/shared_ranges.h"
#include "fdw/table.h"
#include "fdw/topic_view.h"
#include "pg/ticking_event.h"

extern "C" {
#include "nodes/execnodes.h"
}

namespace kafka_fdw::fdw {

/// A scan of one foreign table in one plan. Owned by the query's memory context.
class Scan {
 public:
  explicit Scan(ForeignScanState* node);

  void next(TupleTableSlot* slot);  ///< the next row, or an empty slot at the end
  void rescan() noexcept;
  void close();

  // Without waiting, where the plan says that the scan runs beside others:
  bool is_waiting() const noexcept { return waiting_; }  ///< next() gave an empty slot for that reason
  int event_descriptor();  ///< readable when it is worth to call next() again, and ten times a second
  void drain_event() const noexcept { event_->drain(); }

  // As one process of a parallel scan:
  void share(SharedRanges& shared, int place);  ///< from now on; the shared memory must hold until leave()
  void deal();                                  ///< the leader, before every scan and rescan
  void join();                                  ///< a worker: reads what was dealt
  void leave();                                 ///< the shared memory goes
  /// What each process did, after the shared memory is gone; none where the scan was not shared.
  std::span<const SharedRanges::Work> shared_work() const noexcept { return shared_work_; }

  const Table& table() const noexcept { return table_; }
  const Condition& condition() const noexcept { return condition_; }
  const ScanOrder& order() const noexcept { return order_; }
  SharedRanges::Work work() const;  ///< of this process, or of all after leave()
  std::span<const kafka::Range> ranges() const { return source_->ranges(); }

 private:
  void open();
  void finish();
  bool ready();
  void build(const kafka::Message& message, TupleTableSlot* slot);
  std::unique_ptr<MessageSource> make_source();
  std::vector<Comparand> evaluate();
  const std::vector<TimeSlice>& selected();
  kafka::OffsetSet wanted();

  ForeignScanState* node_;
  Oid user_;  ///< of the moment when the scan begins: rows may be fetched as another
  Table table_;
  Condition condition_;
  ScanOrder order_;
  List* expressions_ = NIL;  ///< ExprStates
  std::vector<Oid> types_;   ///< theirs
  bool compares_keys_ = false;
  GeneratedColumns generated_;
  pg::RowBuilder builder_;
  std::optional<TopicView> topic_;         ///< none: a consumer's batch is read
  BoundBatch* bound_ = nullptr;            ///< the batch that is read
  bool rejects_ = false;                   ///< messages that do not decode are told to it
  std::unique_ptr<MessageSource> source_;  ///< may use topic_: goes first
  SharedRanges* shared_ = nullptr;         ///< none: not shared, or not any more
  ParallelSource* parallel_ = nullptr;     ///< source_, of a scan that is or was shared
  std::vector<SharedRanges::Work> shared_work_;
  std::optional<pg::TickingEvent> event_;  ///< of a scan that ran into waiting
  bool waiting_ = false;
  /// What the condition selects in this scan or rescan, when somebody has asked.
  std::optional<std::vector<TimeSlice>> selected_;
  std::vector<Comparand> comparands_;
  bool open_ = false;  ///< source_ stands at a row of this scan, or nothing is wanted
  bool nothing_wanted_ = false;
};

/// The executor's callbacks; see PostgreSQL's "Writing a Foreign Data Wrapper".
void kafkaBeginForeignScan(ForeignScanState* node, int eflags);
TupleTableSlot* kafkaIterateForeignScan(ForeignScanState* node);
void kafkaReScanForeignScan(ForeignScanState* node);
void kafkaEndForeignScan(ForeignScanState* node);

}  // namespace kafka_fdw::fdw
