#include "fdw/ordered_source.h"

#include <algorithm>

#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

constexpr int64_t first_block = 100;
constexpr int64_t longest_first_block = 1000;
/// So that what is kept of a block that is too large comes close to what may be kept.
constexpr size_t batches_per_block = 4;

std::deque<std::vector<kafka::Range>> by_partition(std::span<const kafka::Range> ranges) {
  std::deque<std::vector<kafka::Range>> groups;
  for (const kafka::Range& range : ranges) {
    if (groups.empty() || groups.back().front().partition != range.partition) groups.emplace_back();
    groups.back().push_back(range);
  }
  return groups;
}

/// One more partition than needed may hold what comes first, and the last offset is often a transaction's end.
int64_t first_length(int64_t limit, size_t partitions) {
  if (limit <= 0) return first_block;
  const auto share = limit * (partitions > 1 ? 2 : 1) / static_cast<int64_t>(partitions) + 2;
  return std::min(share, longest_first_block);
}

}  // namespace

void OrderedSource::open(const kafka::OffsetSet& wanted) {
  heap_.clear();
  blocks_.clear();
  streaming_ = false;
  ranges_ = source_.find(wanted);
  of_blocks_.ranges += static_cast<int64_t>(ranges_.size());
  groups_.clear();
  if (order_.kind == ScanOrder::Kind::by_partition) {
    groups_ = by_partition(ranges_);
    if (order_.partition_descending) std::ranges::reverse(groups_);
  } else if (!ranges_.empty()) {
    groups_.push_back(ranges_);
  }
}

const kafka::Message* OrderedSource::next() {
  for (;;) {
    if (const kafka::Message* message = streaming_ ? source_.next() : next_of_blocks()) return message;
    if (groups_.empty()) return nullptr;
    begin_group();
  }
}

void OrderedSource::begin_group() {
  std::vector<kafka::Range> group = std::move(groups_.front());
  groups_.pop_front();
  const bool one_partition = group.front().partition == group.back().partition;
  streaming_ = one_partition && !order_.offset_descending;
  if (streaming_)
    source_.read(std::move(group));
  else
    begin_blocks(group);
}

void OrderedSource::begin_blocks(std::span<const kafka::Range> group) {
  const auto partitions = by_partition(group);
  block_bytes_ = fetch_buffer_bytes() / 4 / partitions.size();
  const kafka::PartitionBlocks::Sizes sizes{.first_length = first_length(limit_, partitions.size()),
                                            .max_bytes = block_bytes_};
  blocks_.clear();
  for (const std::vector<kafka::Range>& ranges : partitions) {
    std::vector<kafka::Interval> intervals;
    intervals.reserve(ranges.size());
    for (const kafka::Range& range : ranges) intervals.push_back({range.from, range.to});
    blocks_.emplace_back(ranges.front().partition, intervals, order_.offset_descending, sizes);
  }
  heap_.clear();
  for (kafka::PartitionBlocks& blocks : blocks_) heap_.push_back(&blocks);
  given_ = false;
  fill(heap_);
  std::erase_if(heap_, [](const kafka::PartitionBlocks* blocks) { return blocks->current() == nullptr; });
  std::ranges::make_heap(heap_, [this](const auto* a, const auto* b) { return later(a, b); });
}

/// Reads until each has a message or nothing is left of its ranges. Sorted by partition.
void OrderedSource::fill(std::span<kafka::PartitionBlocks*> blocks) {
  while (read_blocks(blocks)) {
  }
}

/// False: none of them has anything left to be read for.
bool OrderedSource::read_blocks(std::span<kafka::PartitionBlocks*> blocks) {
  std::vector<kafka::PartitionBlocks*> reading;
  std::vector<kafka::Range> ranges;
  for (kafka::PartitionBlocks* candidate : blocks) {
    if (candidate->current() != nullptr) continue;
    const size_t before = ranges.size();
    for (const auto& [from, to] : candidate->next_block())
      ranges.push_back({.topic = 0, .partition = candidate->partition(), .from = from, .to = to});
    if (ranges.size() > before) reading.push_back(candidate);
  }
  if (reading.empty()) return false;

  source_.read(std::move(ranges));
  for (kafka::MessageBatch batch; source_.next_batch(batch, block_bytes_ / batches_per_block);) {
    pg::check_interrupts();
    of_blocks_.skipped += static_cast<int64_t>(batch.size());
    for (auto& [partition, part] : batch.divide())
      (*std::ranges::find(reading, partition, &kafka::PartitionBlocks::partition))->add(std::move(part));
  }
  source_.close();
  for (kafka::PartitionBlocks* read : reading) read->end_block();
  return true;
}

const kafka::Message* OrderedSource::next_of_blocks() {
  const auto compare = [this](const auto* a, const auto* b) { return later(a, b); };
  if (given_ && !heap_.empty()) {
    std::ranges::pop_heap(heap_, compare);
    kafka::PartitionBlocks* last = heap_.back();
    last->advance();
    fill({&last, 1});
    if (last->current() == nullptr)
      heap_.pop_back();
    else
      std::ranges::push_heap(heap_, compare);
  }
  given_ = !heap_.empty();
  if (!given_) return nullptr;
  const kafka::Message* message = heap_.front()->current();
  ++of_blocks_.messages;
  of_blocks_.bytes += static_cast<int64_t>(message->bytes());
  return message;
}

void OrderedSource::close() {
  heap_.clear();
  blocks_.clear();
  source_.close();
}

MessageSource::Counters OrderedSource::counters() const {
  Counters counters = source_.counters();
  counters.ranges = 0;  // those of blocks
  counters += of_blocks_;
  counters.skipped -= of_blocks_.messages;
  return counters;
}

}  // namespace kafka_fdw::fdw
