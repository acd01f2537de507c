#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "kafka/message.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::kafka {

/// The messages of one partition in ascending or descending order, block by block: Kafka reads forwards only, so a
/// block is read, held, and given out in the order wanted. Knows nothing of the network: it says what to read, and is
/// given what came.
///
/// Blocks grow while more is asked for, up to what may be held. A block that turns out to be larger keeps what comes
/// first in the order, and reads the rest again later.
class PartitionBlocks {
 public:
  struct Sizes {
    int64_t first_length;  ///< offsets of the first block, at least 1
    size_t max_bytes;      ///< to be held; one batch always is
  };
  /// Ranges sorted and disjoint.
  PartitionBlocks(int32_t partition, const std::vector<Interval>& ranges, bool descending, Sizes sizes);

  int32_t partition() const noexcept { return partition_; }

  /// When current() is null: the ranges to be read next, sorted; none when everything has been given out. add() what
  /// they hold, then end_block().
  const std::vector<Interval>& next_block();
  void add(MessageBatch batch);  ///< of this partition, ascending, and behind those added before
  void end_block();

  /// Null: the block has been given out.
  const Message* current() const noexcept;
  void advance() noexcept;

 private:
  void cut();
  void give_back_below(int64_t offset);
  void give_back_from(int64_t offset);
  void adapt_length();

  int32_t partition_;
  bool descending_;
  size_t max_bytes_;
  int64_t length_;               ///< of the next block, in offsets
  std::deque<Interval> ranges_;  ///< not in a block yet
  std::vector<Interval> block_;
  std::deque<MessageBatch> batches_;  ///< held; none is empty
  size_t held_ = 0;                   ///< bytes
  size_t seen_ = 0;                   ///< bytes in the block, held or not
  int64_t cut_at_ =
      -1;             ///< descending: what is below is not held; ascending: what is from there on is not. -1: nothing
  size_t place_ = 0;  ///< of current(), in the first batch or, descending, the last
};

}  // namespace kafka_fdw::kafka
