#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kafka/client.h"
#include "kafka/message.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::kafka {

/// Reads ranges of offsets, each message once, per partition in the order of offsets.
/// A range ends when the position reaches its end: by a message at or past it, or by PARTITION_EOF at or past it
/// (control records, compaction gaps and aborted transactions are passed over so); never because time passed.
/// A range with to == OffsetSet::max_offset never ends: for consumers, which follow the log.
/// The reader leaves the client without assignment when it goes.
class RangeReader {
 public:
  /// Ranges sorted by (topic, partition, from), disjoint. Partitions are read side by side, the ranges of a partition
  /// one after the other.
  RangeReader(Client& client, std::vector<std::string> topics, const std::vector<Range>& ranges);
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  enum class Status {
    messages,  ///< the batch has something new
    waiting,   ///< nothing is there yet: wait for the client's event descriptor, then poll again
    finished   ///< every range has been read
  };

  /// Adds up to max_messages to the batch, and no more than fit max_bytes (one message always fits); never blocks.
  /// Throws Error: out_of_range (names both offsets), unknown_topic, not_authorized, authentication, fatal.
  Status poll(MessageBatch& batch, size_t max_messages, size_t max_bytes);

  struct Position {
    int32_t topic;
    int32_t partition;
    int64_t
        next_offset;  ///< the next to read: behind the last message given out, or the offset of PARTITION_EOF behind it
    bool at_end;      ///< PARTITION_EOF was the last thing seen
  };
  /// Per partition that has or had a range. Counts only what poll gave out.
  std::vector<Position> positions() const;

  /// Grows whenever the broker gave a sign of progress (a message, skipped or not, or an EOF): for the read timeout.
  uint64_t progress() const noexcept;

  /// Messages that were fetched and that poll did not give out: outside the ranges, or not yet asked for. Events of the
  /// broker that wait in the queue count too.
  uint64_t passed_over() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kafka_fdw::kafka
