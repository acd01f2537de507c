#include "fdw/scan.h"

#include "fdw/kafka_source.h"
#include "fdw/ordered_source.h"
#include "fdw/plan.h"
#include "pg/compat.h"

extern "C" {
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/rel.h"
}

namespace kafka_fdw::fdw {

namespace {

const ForeignScan* plan_of(const ForeignScanState* node) {
  return reinterpret_cast<const ForeignScan*>(node->ss.ps.plan);
}

const List* plan_item(const ForeignScanState* node, PlanItem item) {
  return static_cast<const List*>(list_nth(plan_of(node)->fdw_private, item));
}

/// Only the columns that the plan looks at are needed. Who reads some columns, or a view, must not see whole messages
/// in errors.
pg::RowShape needed_shape(const ForeignScanState* node, const Table& table, const GeneratedColumns& generated) {
  pg::RowShape shape = table.shape;
  const List* columns = plan_item(node, plan_columns);
  for (size_t i = 0; i < shape.columns.size(); ++i)
    shape.columns[i].needed = list_member_int(columns, static_cast<int>(i) + 1);
  generated.require_inputs(shape);
  shape.shows_messages =
      pg::call([&] { return pg_class_aclcheck(table.relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK; });
  return shape;
}

/// Rows that are looked at again after a lock belong to the statement that met them.
const EState* statement_of(const ForeignScanState* node) {
  const EState* state = node->ss.ps.state;
  return state->es_epq_active != nullptr ? state->es_epq_active->parentestate : state;
}

/// PostgreSQL itself looks for a cancel only between the events that it waits for, and not for our timeouts.
constexpr std::chrono::milliseconds tick{100};

/// Gather nodes of the statement then run in this process alone.
void stay_out_of_parallel_mode(const EState* estate) {
  if (estate->es_plannedstmt != nullptr) estate->es_plannedstmt->parallelModeNeeded = false;
}

Scan& scan_of(ForeignScanState* node) { return *static_cast<Scan*>(node->fdw_state); }

}  // namespace

Scan::Scan(ForeignScanState* node)
    : node_(node),
      user_(pg::scan_user(node)),
      table_(load_table(node->ss.ss_currentRelation)),
      condition_(condition_from_list(plan_item(node, plan_condition))),
      order_(order_from_list(plan_item(node, plan_order))),
      generated_(node, plan_item(node, plan_columns)),
      builder_(needed_shape(node, table_, generated_), RelationGetDescr(node->ss.ss_currentRelation),
               node->ss.ps.state->es_query_cxt) {
  List* expressions = plan_of(node)->fdw_exprs;
  for (int i = 0; i < list_length(expressions); ++i)
    types_.push_back(exprType(static_cast<const Node*>(list_nth(expressions, i))));
  expressions_ = pg::call([&] { return ExecInitExprList(expressions, &node_->ss.ps); });
  for_each_comparison(condition_, [this](const Condition& comparison) {
    compares_keys_ = compares_keys_ || comparison.column == Condition::Column::key;
  });
  // Now, not at the first fetch: the executor may find that it need not fetch at all, and that has looked at the batch
  // too.
  if (BoundBatch* batch = bound_batch()) source_ = batch->source_for(table_, order_);
  if (source_ == nullptr) {
    source_ = make_source();
  } else {
    bound_ = bound_batch();
    rejects_ = bound_->collects_rejects() && !table_.shape.keeps_errors();
    builder_.collect_errors(rejects_);
  }
  if (!topic_ || (table_.shape.keeps_errors() && !pg::can_subtransact_in_parallel_mode))
    stay_out_of_parallel_mode(node->ss.ps.state);
}

std::unique_ptr<MessageSource> Scan::make_source() {
  const EState* statement = statement_of(node_);
  const List* reading = plan_item(node_, plan_reading);
  const int limit = list_nth_int(reading, 0);
  TopicView& topic = topic_.emplace(table_, user_, statement->es_query_cxt, statement->es_snapshot,
                                    static_cast<kafka::Reading>(list_nth_int(reading, 1)));
  if (order_.kind == ScanOrder::Kind::none) return std::make_unique<KafkaSource>(topic, limit);
  return std::make_unique<OrderedSource>(topic, order_, limit);
}

void Scan::next(TupleTableSlot* slot) {
  ExecClearTuple(slot);
  waiting_ = node_->ss.ps.async_capable && !ready();
  if (waiting_) return;
  if (!open_) open();
  if (nothing_wanted_) return;
  while (const kafka::Message* message = source_->next()) {
    build(*message, slot);
    if (rejects_ && builder_.error()) {
      bound_->reject(*message, *builder_.error());
      continue;
    }
    ExecStoreVirtualTuple(slot);
    generated_.compute(table_.topic, *message, slot);
    return;
  }
  finish();
}

/// All has been read: of the log that was there at first, or of none.
void Scan::finish() {
  if (topic_) check_same_log(*topic_);
}

void Scan::build(const kafka::Message& message, TupleTableSlot* slot) {
  try {
    builder_.build(table_.topic, message, slot->tts_values, slot->tts_isnull);
  } catch (const pg::Error&) {
    if (bound_ != nullptr) bound_->note_undecodable(message);
    throw;
  }
}

/// Whether next() would not wait for the topic's ends or for messages. What else a scan may ask the brokers for is
/// waited for when it opens.
bool Scan::ready() {
  if (!open_) {
    const bool asks = topic_ && !selected().empty();
    if (asks && !topic_->ready(without_times(selected()).all())) return false;
    open();
    event_.reset();  // the topic may be read with another client than it was asked with
  }
  return nothing_wanted_ || source_->ready();
}

int Scan::event_descriptor() {
  if (!event_) event_.emplace(topic_->client().event_descriptor(), tick);
  return event_->descriptor();
}

void Scan::open() {
  open_ = true;
  if (shared_ != nullptr) return;
  nothing_wanted_ = selected().empty();
  if (!nothing_wanted_) source_->open(wanted());
}

void Scan::rescan() noexcept {
  open_ = false;
  selected_.reset();
}

const std::vector<TimeSlice>& Scan::selected() {
  if (!selected_) {
    comparands_ = evaluate();
    selected_ = select(condition_, comparands_);
  }
  return *selected_;
}

/// The expressions of the condition as they are now: parameters change between rescans.
std::vector<Comparand> Scan::evaluate() {
  ExprContext* context = node_->ss.ps.ps_ExprContext;
  std::vector<Comparand> comparands(types_.size());
  for_each_comparison(condition_, [&](const Condition& comparison) {
    const auto place = static_cast<size_t>(comparison.expression);
    auto* expression = static_cast<ExprState*>(list_nth(expressions_, comparison.expression));
    bool null = false;
    const Datum value = pg::call([&] { return ExecEvalExpr(expression, context, &null); });
    comparands[place] = make_comparand(comparison, table_.shape.encoding, types_[place], value, null);
  });
  return comparands;
}

/// A consumer's batch begins where the consumer stands, whatever the table's start, and is in memory.
kafka::OffsetSet Scan::wanted() {
  if (!topic_) return without_times(selected()).all();
  if (!compares_keys_) return topic_->offsets_of(selected());
  return topic_->offsets_of(select(condition_, comparands_, partition_of_keys(table_, topic_->partition_count())));
}

void Scan::share(SharedRanges& shared, int place) {
  if (!topic_) throw kafka::Error(kafka::ErrorClass::other, "a consumer's batch cannot be scanned in parallel");
  auto source = std::make_unique<ParallelSource>(*topic_, shared, place, builder_.counters());
  parallel_ = source.get();
  source_ = std::move(source);
  shared_ = &shared;
}

void Scan::deal() {
  selected_.reset();
  std::vector<kafka::Range> ranges;
  if (!selected().empty()) ranges = parallel_->find(wanted());
  dsa_area* area = node_->ss.ps.state->es_query_dsa;
  pg::call([&] { shared_->deal(area, ranges.data(), static_cast<int>(ranges.size())); });
  parallel_->begin(std::move(ranges));
}

void Scan::join() { parallel_->begin(shared_->ranges(node_->ss.ps.state->es_query_dsa)); }

void Scan::leave() {
  if (shared_ == nullptr) return;
  shared_work_ = parallel_->leave();
  shared_ = nullptr;
}

SharedRanges::Work Scan::work() const {
  if (shared_work_.empty()) return {.messages = source_->counters(), .rows = builder_.counters()};
  SharedRanges::Work total{};
  for (const SharedRanges::Work& work : shared_work_) total += work;
  return total;
}

void Scan::close() {
  source_->close();
  if (topic_) topic_->close();
}

void kafkaBeginForeignScan(ForeignScanState* node, int) {
  pg::entry([&] { node->fdw_state = &pg::make_owned<Scan>(node->ss.ps.state->es_query_cxt, node); });
}

TupleTableSlot* kafkaIterateForeignScan(ForeignScanState* node) {
  return pg::entry([&] {
    TupleTableSlot* slot = node->ss.ss_ScanTupleSlot;
    scan_of(node).next(slot);
    return slot;
  });
}

void kafkaReScanForeignScan(ForeignScanState* node) {
  pg::entry([&] { scan_of(node).rescan(); });
}

void kafkaEndForeignScan(ForeignScanState* node) {
  if (node->fdw_state != nullptr) pg::entry([&] { scan_of(node).close(); });
}

}  // namespace kafka_fdw::fdw
