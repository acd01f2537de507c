#include "fdw/kafka_source.h"

#include <algorithm>
#include <iterator>

#include "fdw/estimate.h"
#include "fdw/position.h"
#include "fdw/watermarks.h"
#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

constexpr size_t first_batch = 100;
constexpr size_t largest_batch = 4096;

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

}  // namespace

KafkaSource::KafkaSource(const Table& table, Oid user, MemoryContext statement)
    : table_(table), user_(user), statement_(statement) {}

kafka::Client& KafkaSource::client() {
  if (!connection_) connection_ = load_connection(table_.server, user_, table_.properties);
  if (!lease_) lease_.emplace(lease_client(*connection_));
  return lease_->client();
}

TopicSnapshot& KafkaSource::snapshot() {
  if (TopicSnapshot* known = find_snapshot(statement_, table_.relation)) return *known;
  kafka::Client& asked = client();
  return keep_snapshot(statement_, table_.relation, fetch_partitions(asked, *connection_, table_.topic));
}

/// Those of the statement, of the partitions that `wanted` has anything of.
std::vector<kafka::Watermarks> KafkaSource::watermarks(const kafka::OffsetSet& wanted) {
  TopicSnapshot& known = snapshot();
  std::vector<int32_t> asked = partitions_in(wanted, known.partitions);
  std::erase_if(asked, [&](int32_t partition) { return known.watermarks.contains(partition); });
  if (!asked.empty()) {
    kafka::Client& broker = client();
    const auto answer = fetch_watermarks(broker, *connection_, table_.topic, std::move(asked));
    for (const kafka::Watermarks& marks : answer) known.watermarks.emplace(marks.partition, marks);
    if (answer.size() == known.partitions.size()) remember_watermarks(table_, user_, answer);
  }
  std::vector<kafka::Watermarks> marks;
  for (const int32_t partition : partitions_in(wanted, known.partitions))
    if (const auto found = known.watermarks.find(partition); found != known.watermarks.end())
      marks.push_back(found->second);
  return marks;
}

kafka::OffsetSet KafkaSource::default_range(const kafka::OffsetSet& wanted) {
  if (table_.start.empty() || table_.start == "earliest") return kafka::OffsetSet::all();
  const std::vector<kafka::Watermarks> all_marks = watermarks(wanted);
  std::map<int32_t, int64_t>& starts = snapshot().starts;
  std::vector<kafka::Watermarks> unresolved = all_marks;
  std::erase_if(unresolved, [&](const auto& marks) { return starts.contains(marks.partition); });
  const auto found = resolve_position(parse_position(table_.start), client(), table_.topic, unresolved);
  for (size_t i = 0; i < found.size(); ++i) starts.emplace(unresolved[i].partition, found[i]);
  kafka::OffsetSet range = kafka::OffsetSet::none();
  for (const int64_t partition : partitions_in(wanted, snapshot().partitions))
    if (const auto start = starts.find(static_cast<int32_t>(partition)); start != starts.end())
      range = range | (kafka::OffsetSet::partitions(partition, partition + 1) &
                       kafka::OffsetSet::offsets(start->second, kafka::OffsetSet::max_offset));
  return range;
}

void KafkaSource::open(const kafka::OffsetSet& wanted) {
  reader_.reset();
  batch_.clear();
  next_ = 0;
  batch_limit_ = first_batch;
  ranges_.clear();
  if (wanted.empty()) return;
  ranges_ = ranges_within(wanted, watermarks(wanted));
  if (ranges_.empty()) return;
  counters_.ranges += static_cast<int64_t>(ranges_.size());
  reader_ = std::make_unique<kafka::RangeReader>(client(), std::vector{table_.topic}, ranges_);
}

const kafka::Message* KafkaSource::next() {
  if (next_ == batch_.size() && !fetch()) return nullptr;
  return &batch_.messages()[next_++];
}

/// False at the end.
bool KafkaSource::fetch() {
  if (reader_ == nullptr) return false;
  batch_.clear();
  next_ = 0;
  kafka::Client& polled = lease_->client();
  // The reader that asks for more has had its time to look at what came before.
  progress_at_ = pg::Clock::now();
  for (;;) {
    polled.drain_events();
    polled.serve_errors();
    const auto status = reader_->poll(batch_, batch_limit_, fetch_buffer_bytes() / 4);
    if (!batch_.empty()) break;
    if (status == kafka::RangeReader::Status::finished) return false;
    check_progress();
  }
  batch_limit_ = std::min(batch_limit_ * 2, largest_batch);
  counters_.messages += static_cast<int64_t>(batch_.size());
  counters_.bytes += static_cast<int64_t>(batch_.bytes());
  return true;
}

/// Waits for the broker, but no longer than read_timeout without a sign of life.
void KafkaSource::check_progress() {
  const auto now = pg::Clock::now();
  if (reader_->progress() != progress_) {
    progress_ = reader_->progress();
    progress_at_ = now;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(progress_at_ + read_timeout() - now);
  if (left.count() <= 0) throw_stalled();
  pg::wait_readable(lease_->client().event_descriptor(), left);
}

void KafkaSource::throw_stalled() const {
  std::string partitions;
  int count = 0;
  for (const auto& position : reader_->positions()) {
    const auto unfinished = [&](const kafka::Range& range) {
      return range.partition == position.partition && position.next_offset < range.to;
    };
    if (std::ranges::none_of(ranges_, unfinished)) continue;
    partitions += (count++ == 0 ? "" : ", ") + std::to_string(position.partition);
  }
  const std::string& trouble = lease_->client().last_trouble();
  throw kafka::Error(trouble.empty() ? kafka::ErrorClass::timed_out : kafka::ErrorClass::unreachable,
                     "no message from topic \"" + table_.topic + "\", partition" + (count == 1 ? " " : "s ") +
                         partitions + ", for " + std::to_string(read_timeout().count()) + " ms",
                     "Server \"" + connection_->server_name + "\" at " + connection_->brokers +
                         (trouble.empty() ? "." : ": " + trouble),
                     "The setting kafka_fdw.read_timeout says how long a scan waits without progress.");
}

void KafkaSource::close() {
  reader_.reset();
  batch_.clear();
  next_ = 0;
  if (lease_) lease_->give_back();
  lease_.reset();
}

}  // namespace kafka_fdw::fdw
