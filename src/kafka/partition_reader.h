#pragma once

#include <cstdint>
#include <vector>

#include "kafka/offset_set.h"

namespace kafka_fdw::kafka {

/// How far the ranges of one partition have been read. Knows nothing of the network: it is told what came, and says
/// what to do.
///
/// What comes is what the log holds, in order and without gaps, from the offset that was fetched from. A new fetch
/// position lies ahead of the old one, and whatever is still under way from the old one comes before the new run
/// begins. So a message of the current range at or past next() is the next one, whichever run it is of, and one before
/// next() has been dealt with.
class PartitionReader {
 public:
  enum class Step : uint8_t {
    stay,     ///< go on with what comes
    jump,     ///< the next range is far: fetch from next()
    finished  ///< no range is left
  };

  /// Ranges sorted and disjoint; empty ones are passed over.
  PartitionReader(int32_t topic, int32_t partition, std::vector<Interval> ranges);

  int32_t topic() const noexcept { return topic_; }
  int32_t partition() const noexcept { return partition_; }
  bool finished() const noexcept { return current_ == ranges_.size(); }
  bool at_end() const noexcept { return at_end_; }
  /// All before it in the ranges was taken or does not exist. When finished, the end of the last range.
  int64_t next() const noexcept { return next_; }

  bool wants(int64_t offset) const noexcept { return offset >= next_ && offset < to_; }
  Step take(int64_t offset) noexcept {
    at_end_ = false;
    next_ = offset + 1;
    return next_ < to_ ? Step::stay : pass(next_);
  }
  Step skip(int64_t offset) noexcept { return offset < to_ ? Step::stay : pass(offset); }
  /// PARTITION_EOF: the log ends before `offset`, for now.
  Step see_end(int64_t offset) noexcept;

 private:
  /// The log was followed up to `position`, which lies at or behind the end of the current range.
  Step pass(int64_t position) noexcept;

  int32_t topic_;
  int32_t partition_;
  std::vector<Interval> ranges_;
  size_t current_ = 0;
  int64_t next_ = 0;
  int64_t to_ = 0;  ///< end of the current range
  bool at_end_ = false;
};

}  // namespace kafka_fdw::kafka
