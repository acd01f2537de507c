#pragma once

#include <deque>
#include <span>

#include "fdw/kafka_source.h"
#include "fdw/scan_order.h"
#include "kafka/partition_blocks.h"

namespace kafka_fdw::fdw {

/// Messages of a topic in an order. One partition ascending is simply read; otherwise the partitions are read in
/// blocks, those of all partitions merged where the order is by offset. What nobody asks for is not fetched.
class OrderedSource final : public MessageSource {
 public:
  /// The view must outlive the source. `limit`: how many messages will probably be asked for; 0: all.
  OrderedSource(TopicView& topic, const ScanOrder& order, int64_t limit)
      : order_(order), limit_(limit), source_(topic, limit) {}

  void open(const kafka::OffsetSet& wanted) override;
  const kafka::Message* next() override;
  void close() override;
  Counters counters() const override;
  std::span<const kafka::Range> ranges() const override { return ranges_; }

 private:
  void begin_group();
  void begin_blocks(std::span<const kafka::Range> group);
  void fill(std::span<kafka::PartitionBlocks*> blocks);
  bool read_blocks(std::span<kafka::PartitionBlocks*> blocks);
  const kafka::Message* next_of_blocks();
  bool later(const kafka::PartitionBlocks* a, const kafka::PartitionBlocks* b) const noexcept {
    return order_.precedes(*b->current(), *a->current());
  }

  ScanOrder order_;
  int64_t limit_;
  KafkaSource source_;
  std::vector<kafka::Range> ranges_;
  std::deque<std::vector<kafka::Range>> groups_;  ///< to be read one after the other; within one, by offset
  bool streaming_ = false;                        ///< source_ gives the current group as it should be
  std::deque<kafka::PartitionBlocks> blocks_;     ///< of the current group otherwise, by partition
  std::vector<kafka::PartitionBlocks*> heap_;     ///< those that have a message; the next one's at the front
  bool given_ = false;                            ///< the message at the front of the heap has been given out
  size_t block_bytes_ = 0;                        ///< that each of blocks_ may hold
  Counters of_blocks_;                            ///< skipped: what was read into blocks, given out or not
};

}  // namespace kafka_fdw::fdw
