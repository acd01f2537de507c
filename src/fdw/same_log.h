#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "kafka/range_reader.h"

namespace kafka_fdw::fdw {

class TopicView;

/// A message by which a log is known again: one of another log would have to have its offset, time, key and value.
class Witness {
 public:
  explicit Witness(const kafka::Message& message);
  bool is(const kafka::Message& message) const noexcept;

  int32_t partition() const noexcept { return partition_; }
  int64_t offset() const noexcept { return offset_; }

 private:
  int32_t partition_;
  int64_t offset_;
  int64_t timestamp_ms_;
  size_t fingerprint_;  ///< of key and value
};

/// What is known of the log that a statement reads. A topic may be deleted and made again while it is read, and neither
/// the protocol as librdkafka 2.0 speaks it nor the name tells the two apart.
struct KnownLog {
  std::chrono::steady_clock::time_point certain_at = std::chrono::steady_clock::now();  ///< that it is this one
  std::optional<Witness> witness;  ///< the first message that came of it
};

/// Throws Error(out_of_range) where the topic is not the one any more that the statement saw at first: an end lies
/// before where it was, or the witness's offset has another message. What retention or compaction removed proves
/// nothing. Asks the broker, unless it did a moment ago. No partition of the topic is being read with the client.
void check_same_log(TopicView& topic);

/// As far as the ends can tell, of these partitions; while they are read. Throws nothing where no broker answers.
void check_ends(TopicView& topic, const std::vector<int32_t>& partitions);

/// For Error(unknown_topic) of a reader: the topic was there.
[[noreturn]] void throw_deleted(const TopicView& topic, const kafka::Error& error);

/// For Error(out_of_range) of a reader: which offsets are not there any more, and why.
[[noreturn]] void throw_gone(TopicView& topic, const kafka::Error& error,
                             const std::vector<kafka::RangeReader::Position>& positions);

}  // namespace kafka_fdw::fdw
