#include "kafka/partition_reader.h"

#include <algorithm>

namespace kafka_fdw::kafka {
namespace {

/// A gap between ranges up to this long is read through: a new fetch position costs a round trip and what was fetched
/// ahead.
constexpr int64_t near = 100;

}  // namespace

PartitionReader::PartitionReader(int32_t topic, int32_t partition, std::vector<Interval> ranges)
    : topic_(topic), partition_(partition), ranges_(std::move(ranges)) {
  int64_t end = ranges_.empty() ? 0 : ranges_.back().to;
  std::erase_if(ranges_, [](const Interval& range) { return range.from >= range.to; });
  next_ = ranges_.empty() ? end : ranges_.front().from;
  to_ = ranges_.empty() ? end : ranges_.front().to;
}

PartitionReader::Step PartitionReader::pass(int64_t position) noexcept {
  while (current_ < ranges_.size() && ranges_[current_].to <= position) {
    next_ = ranges_[current_].to;
    ++current_;
  }
  if (finished()) return Step::finished;
  const Interval& range = ranges_[current_];
  next_ = std::max(position, range.from);
  to_ = range.to;
  return range.from - position > near ? Step::jump : Step::stay;
}

PartitionReader::Step PartitionReader::see_end(int64_t offset) noexcept {
  at_end_ = true;
  if (offset >= to_) return pass(offset);
  next_ = std::max(next_, offset);
  return Step::stay;
}

}  // namespace kafka_fdw::kafka
