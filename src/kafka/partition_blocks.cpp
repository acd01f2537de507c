#include "kafka/partition_blocks.h"

#include <algorithm>

namespace kafka_fdw::kafka {
namespace {

/// What a message costs beside its key and value, roughly.
constexpr size_t message_overhead = 512;
constexpr int64_t growth = 4;
constexpr int64_t longest_block = int64_t{1} << 40;

size_t footprint(const MessageBatch& batch) { return batch.bytes() + batch.size() * message_overhead; }

}  // namespace

PartitionBlocks::PartitionBlocks(int32_t partition, const std::vector<Interval>& ranges, bool descending, Sizes sizes)
    : partition_(partition),
      descending_(descending),
      max_bytes_(sizes.max_bytes),
      length_(sizes.first_length),
      ranges_(ranges.begin(), ranges.end()) {}

const std::vector<Interval>& PartitionBlocks::next_block() {
  block_.clear();
  for (int64_t left = length_; left > 0 && !ranges_.empty();) {
    Interval& range = descending_ ? ranges_.back() : ranges_.front();
    const int64_t taken = std::min(left, range.to - range.from);
    left -= taken;
    if (descending_) {
      block_.push_back({range.to - taken, range.to});
      range.to -= taken;
      if (range.from == range.to) ranges_.pop_back();
    } else {
      block_.push_back({range.from, range.from + taken});
      range.from += taken;
      if (range.from == range.to) ranges_.pop_front();
    }
  }
  if (descending_) std::ranges::reverse(block_);
  seen_ = 0;
  cut_at_ = -1;
  return block_;
}

void PartitionBlocks::add(MessageBatch batch) {
  if (batch.empty()) return;
  seen_ += footprint(batch);
  if (!descending_ && cut_at_ >= 0) return;
  held_ += footprint(batch);
  batches_.push_back(std::move(batch));
  while (held_ > max_bytes_ && batches_.size() > 1) cut();
}

/// Lets go what comes last in the order.
void PartitionBlocks::cut() {
  MessageBatch& last = descending_ ? batches_.front() : batches_.back();
  cut_at_ = descending_ ? last.messages().back().offset + 1 : last.messages().front().offset;
  held_ -= footprint(last);
  if (descending_)
    batches_.pop_front();
  else
    batches_.pop_back();
}

void PartitionBlocks::end_block() {
  if (cut_at_ >= 0 && descending_) give_back_below(cut_at_);
  if (cut_at_ >= 0 && !descending_) give_back_from(cut_at_);
  adapt_length();
  if (batches_.empty()) return;
  place_ = descending_ ? batches_.back().size() - 1 : 0;
}

void PartitionBlocks::give_back_below(int64_t offset) {
  for (const Interval& part : block_)
    if (part.from < offset) ranges_.push_back({part.from, std::min(part.to, offset)});
}

void PartitionBlocks::give_back_from(int64_t offset) {
  std::for_each(block_.rbegin(), block_.rend(), [&](const Interval& part) {
    if (part.to > offset) ranges_.push_front({std::max(part.from, offset), part.to});
  });
}

/// By the bytes that an offset of the block was worth, which is little in a log with gaps.
void PartitionBlocks::adapt_length() {
  int64_t offsets = 0;
  for (const Interval& part : block_) offsets += part.to - part.from;
  length_ = std::min(length_ * growth, longest_block);
  if (seen_ == 0) return;
  const double per_offset = static_cast<double>(seen_) / static_cast<double>(offsets);
  const double fitting = std::min(static_cast<double>(max_bytes_) / per_offset, static_cast<double>(longest_block));
  length_ = std::min(length_, std::max(int64_t{1}, static_cast<int64_t>(fitting)));
}

const Message* PartitionBlocks::current() const noexcept {
  if (batches_.empty()) return nullptr;
  return &(descending_ ? batches_.back() : batches_.front()).messages()[place_];
}

void PartitionBlocks::advance() noexcept {
  MessageBatch& batch = descending_ ? batches_.back() : batches_.front();
  const bool at_end = descending_ ? place_ == 0 : place_ + 1 == batch.size();
  if (!at_end) {
    place_ += descending_ ? -1 : 1;
    return;
  }
  held_ -= footprint(batch);
  if (descending_)
    batches_.pop_back();
  else
    batches_.pop_front();
  if (!batches_.empty()) place_ = descending_ ? batches_.back().size() - 1 : 0;
}

}  // namespace kafka_fdw::kafka
