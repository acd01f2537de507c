#include "fdw/topic_view.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "fdw/estimate.h"
#include "fdw/position.h"
#include "fdw/stored_offsets.h"
#include "fdw/watermarks.h"
#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

std::vector<int32_t> partitions_in(const kafka::OffsetSet& wanted, const std::vector<int32_t>& partitions) {
  std::vector<int32_t> result;
  std::ranges::copy_if(partitions, std::back_inserter(result),
                       [&](int32_t partition) { return !wanted.of_partition(partition).empty(); });
  return result;
}

std::vector<kafka::Range> ranges_within(const kafka::OffsetSet& wanted, const std::vector<kafka::Watermarks>& marks) {
  std::vector<kafka::Range> ranges;
  for (const auto& [partition, low, high] : marks)
    for (const kafka::Interval& interval : wanted.of_partition(partition)) {
      const int64_t from = std::max(low, interval.from);
      const int64_t to = std::min(high, interval.to);
      if (from < to) ranges.push_back({.topic = 0, .partition = partition, .from = from, .to = to});
    }
  return ranges;
}

kafka::OffsetSet after(int64_t offset) { return kafka::OffsetSet::offsets(offset, kafka::OffsetSet::max_offset); }

kafka::OffsetSet before(int64_t offset) { return kafka::OffsetSet::offsets(0, offset); }

/// For each partition the set that `set` makes of its offset.
kafka::OffsetSet set_of_offsets(const std::map<int32_t, int64_t>& offsets, kafka::OffsetSet (*set)(int64_t)) {
  kafka::OffsetSet result = kafka::OffsetSet::none();
  for (const auto& [partition, offset] : offsets)
    result = result | (kafka::OffsetSet::partitions(partition, int64_t{partition} + 1) & set(offset));
  return result;
}

}  // namespace

TopicView::TopicView(const Table& table, Oid user, MemoryContext statement, Snapshot snapshot, kafka::Reading reading)
    : table_(table), user_(user), statement_(statement), database_snapshot_(snapshot), reading_(reading) {}

kafka::Client& TopicView::client() {
  if (!lease_) lease_.emplace(lease_client(connection()));
  return lease_->client();
}

const Connection& TopicView::connection() {
  if (!connection_) connection_ = load_connection(table_.server, user_, table_.properties, reading_);
  return *connection_;
}

bool TopicView::knows_partitions() {
  if (find_snapshot(statement_, table_.relation) != nullptr) return true;
  if (!partitions_) partitions_ = client().topics(table_.topic, connect_timeout());
  if (!partitions_->ready()) return false;
  auto answer = *std::exchange(partitions_, std::nullopt);
  keep_snapshot(statement_, table_.relation, partitions_of(answer.take()));
  return true;
}

bool TopicView::knows_ends(const kafka::OffsetSet& wanted) {
  TopicSnapshot& known = *find_snapshot(statement_, table_.relation);
  std::vector<int32_t> asked = partitions_in(wanted, known.partitions);
  std::erase_if(asked, [&](int32_t partition) { return known.watermarks.contains(partition); });
  if (asked.empty()) return true;
  if (!ends_) ends_ = client().watermarks(table_.topic, std::move(asked), connect_timeout());
  if (!ends_->ready()) return false;
  auto answer = *std::exchange(ends_, std::nullopt);
  std::vector<kafka::Watermarks> found = answer.take();
  for (const kafka::Watermarks& marks : found) known.watermarks.emplace(marks.partition, marks);
  if (found.size() == known.partitions.size()) remember_watermarks(table_, user_, found);
  return knows_ends(wanted);
}

bool TopicView::ready(const kafka::OffsetSet& wanted) {
  if (lease_) client().drain_events();
  try {
    if (lease_) client().serve_errors();
    return knows_partitions() && knows_ends(wanted);
  } catch (const kafka::Error& error) {
    throw_explained(error, client(), connection(), table_.topic);
  }
}

void TopicView::wait_until_ready(const kafka::OffsetSet& wanted) {
  while (!ready(wanted)) pg::wait_readable(client().event_descriptor(), std::chrono::seconds(1));
}

TopicSnapshot& TopicView::snapshot() {
  wait_until_ready(kafka::OffsetSet::none());
  return *find_snapshot(statement_, table_.relation);
}

KnownLog& TopicView::log() {
  TopicSnapshot* known = find_snapshot(statement_, table_.relation);
  return known != nullptr ? known->log : own_log_;
}

/// Those of the statement, of the partitions that `wanted` has anything of.
std::vector<kafka::Watermarks> TopicView::watermarks(const kafka::OffsetSet& wanted) {
  wait_until_ready(wanted);
  const TopicSnapshot& known = snapshot();
  std::vector<kafka::Watermarks> marks;
  for (const int32_t partition : partitions_in(wanted, known.partitions))
    if (const auto found = known.watermarks.find(partition); found != known.watermarks.end())
      marks.push_back(found->second);
  return marks;
}

kafka::OffsetSet TopicView::default_range(const kafka::OffsetSet& wanted) {
  if (table_.start.empty() || table_.start == "earliest") return kafka::OffsetSet::all();
  const std::vector<kafka::Watermarks> all_marks = watermarks(wanted);
  std::map<int32_t, int64_t>& starts = snapshot().starts;
  std::vector<kafka::Watermarks> unresolved = all_marks;
  std::erase_if(unresolved, [&](const auto& marks) { return starts.contains(marks.partition); });
  const auto stored = [this](const std::string& id) { return stored_offsets()(table_, id, database_snapshot_); };
  const auto found = resolve_position(parse_position(table_.start), client(), table_.topic, unresolved, stored);
  for (size_t i = 0; i < found.size(); ++i) starts.emplace(unresolved[i].partition, found[i]);
  return set_of_offsets(starts, &after);
}

kafka::OffsetSet TopicView::offsets_of(std::span<const TimeSlice> slices) {
  kafka::OffsetSet offsets = kafka::OffsetSet::none();
  for (const auto& [times, selection] : slices) {
    kafka::OffsetSet selected = selection.bounded;
    if (!selection.unbounded.empty()) selected = selected | (selection.unbounded & default_range(selection.unbounded));
    if (times && !selected.empty()) selected = selected & offsets_within(*times, selected);
    offsets = offsets | selected;
  }
  return offsets;
}

/// Where messages of these times may be. The first message that is not older than a moment bounds them from below,
/// whatever the order of times. From above they are bounded only where the table's owner says how far times are out of
/// order.
kafka::OffsetSet TopicView::offsets_within(const kafka::Interval& times, const kafka::OffsetSet& wanted) {
  kafka::OffsetSet result = kafka::OffsetSet::all();
  if (times.from > 0) result = set_of_offsets(offsets_at(times.from, wanted), &after);
  const auto disorder = table_.max_timestamp_disorder;
  if (!disorder || times.to >= kafka::OffsetSet::max_offset - disorder->count()) return result;
  return result & set_of_offsets(offsets_at(times.to + disorder->count(), wanted), &before);
}

/// By partition, for those that `wanted` has anything of: the first message of that time or a later one.
const std::map<int32_t, int64_t>& TopicView::offsets_at(int64_t moment_ms, const kafka::OffsetSet& wanted) {
  TopicSnapshot& known = snapshot();
  std::map<int32_t, int64_t>& offsets = known.moments[moment_ms];
  std::vector<int32_t> asked = partitions_in(wanted, known.partitions);
  std::erase_if(asked, [&](int32_t partition) { return offsets.contains(partition); });
  if (asked.empty()) return offsets;
  const auto found = fetch_offsets_at(client(), connection(), table_.topic, asked, moment_ms);
  for (size_t i = 0; i < asked.size(); ++i) offsets.emplace(asked[i], found[i]);
  return offsets;
}

std::vector<kafka::Range> TopicView::ranges(const kafka::OffsetSet& wanted) {
  return wanted.empty() ? std::vector<kafka::Range>{} : ranges_within(wanted, watermarks(wanted));
}

void TopicView::expect(int64_t messages) {
  // The planner may have been somewhat wrong: a second client is not worth that.
  constexpr int64_t too_many = 10 * few;
  if (reading_ == kafka::Reading::many || messages <= too_many) return;
  close();
  connection_.reset();
  reading_ = kafka::Reading::many;
}

void TopicView::close() {
  // A question that is still open would hold up the next user's.
  if (lease_ && !partitions_ && !ends_) lease_->give_back();
  lease_.reset();
}

}  // namespace kafka_fdw::fdw
