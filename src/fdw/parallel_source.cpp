#include "fdw/parallel_source.h"

#include <algorithm>

namespace kafka_fdw::fdw {

void ParallelSource::begin(std::vector<kafka::Range> ranges) {
  source_.close();
  ranges_ = std::move(ranges);
  if (place_ == SharedRanges::leader_place) dealt_ += static_cast<int64_t>(ranges_.size());
  positions_.assign(1, 0);
  for (const kafka::Range& range : ranges_) positions_.push_back(positions_.back() + range.to - range.from);
  share_ = {};
  position_ = 0;
  reading_ = false;
}

const kafka::Message* ParallelSource::next() {
  if (shared_ == nullptr) return nullptr;
  while (reading_ || begin_group()) {
    const kafka::Message* message = source_.next();
    if (message != nullptr && may_give(*message)) return message;
    if (message != nullptr) ++taken_away_;
    reading_ = false;
    report();
  }
  return nullptr;
}

/// A group: what is left of the share in one partition, so that messages come in the order of positions. False: nothing
/// is left for this process.
bool ParallelSource::begin_group() {
  if (position_ < share_.to) share_.claimed = shared_->claim(place_, position_);
  if (position_ >= share_.to || share_.claimed == 0) {
    if (!shared_->take_share(place_, &share_)) return false;
    position_ = share_.from;
  }
  read_group();
  reading_ = true;
  return true;
}

void ParallelSource::read_group() {
  const auto found = std::ranges::upper_bound(positions_, position_);
  range_ = static_cast<size_t>(found - positions_.begin()) - 1;
  std::vector<kafka::Range> group;
  for (size_t i = range_; i < ranges_.size() && position_ < share_.to; ++i) {
    kafka::Range range = ranges_[i];
    if (!group.empty() && group.back().partition != range.partition) break;
    range.from += position_ - positions_[i];
    range.to = std::min(range.to, range.from + share_.to - position_);
    position_ += range.to - range.from;
    group.push_back(range);
  }
  source_.read(std::move(group));
}

/// Whether it has been claimed, or can be. If not, all that comes behind it has another owner.
bool ParallelSource::may_give(const kafka::Message& message) {
  while (message.offset >= ranges_[range_].to) ++range_;
  const int64_t position = positions_[range_] + std::max<int64_t>(0, message.offset - ranges_[range_].from);
  if (position < share_.claimed) return true;
  report();
  share_.claimed = shared_->claim(place_, position);
  if (share_.claimed > 0) return true;
  position_ = share_.to;
  return false;
}

void ParallelSource::report() {
  SharedRanges::Work work = before_;
  work += {.messages = counters(), .rows = rows_};
  shared_->work(place_) = work;
}

void ParallelSource::close() {
  source_.close();
  reading_ = false;
  if (shared_ != nullptr) report();
}

MessageSource::Counters ParallelSource::counters() const {
  Counters counters = source_.counters();
  counters.ranges = dealt_;
  counters.messages -= taken_away_;
  counters.skipped += taken_away_;
  return counters;
}

std::vector<SharedRanges::Work> ParallelSource::leave() {
  if (shared_ == nullptr) return {};
  report();
  std::vector<SharedRanges::Work> work;
  work.reserve(static_cast<size_t>(shared_->process_count()));
  for (int place = 0; place < shared_->process_count(); ++place) work.push_back(shared_->work(place));
  shared_ = nullptr;
  return work;
}

}  // namespace kafka_fdw::fdw
