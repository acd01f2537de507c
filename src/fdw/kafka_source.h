#pragma once

#include "fdw/message_source.h"
#include "fdw/topic_view.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::fdw {

/// Messages of a topic out of Kafka.
class KafkaSource final : public MessageSource {
 public:
  /// The view must outlive the source. Contacts nobody yet. `limit`: how many messages will probably be asked for; 0:
  /// all.
  explicit KafkaSource(TopicView& topic, int64_t limit = 0) : topic_(topic), limit_(limit) {}

  void open(const kafka::OffsetSet& wanted) override { read(find(wanted)); }
  /// As open, with ranges that are known already: sorted by partition and offset, disjoint.
  void read(std::vector<kafka::Range> ranges);
  bool ready() override;
  const kafka::Message* next() override;
  void close() override;
  Counters counters() const override;
  std::span<const kafka::Range> ranges() const override { return ranges_; }

  // For those who read in their own way:
  std::vector<kafka::Range> find(const kafka::OffsetSet& wanted);  ///< what the topic has of it, as of the statement
  /// What has come, up to so many bytes or one message, in place of next(): not counted as given out. False: the end.
  bool next_batch(kafka::MessageBatch& batch, size_t max_bytes);

 private:
  bool fetch(size_t max_bytes);
  void go_on();
  kafka::RangeReader::Status poll(size_t max_bytes);
  std::vector<kafka::Range> unread() const;
  void look_at_ends();
  void drop_reader() noexcept;
  std::chrono::milliseconds time_left();
  [[noreturn]] void throw_stalled();

  TopicView& topic_;
  int64_t limit_;
  std::unique_ptr<kafka::RangeReader> reader_;
  kafka::MessageBatch batch_;
  size_t next_ = 0;         ///< in batch_
  size_t batch_limit_ = 0;  ///< messages; grows, so that LIMIT reads little and a long scan in large batches
  uint64_t progress_ = 0;   ///< the reader's, when it last grew
  std::chrono::steady_clock::time_point progress_at_;
  bool looked_at_ends_ = false;                     ///< since then
  std::chrono::steady_clock::time_point given_at_;  ///< the batch
  std::vector<kafka::Range> ranges_;
  Counters counters_;
};

}  // namespace kafka_fdw::fdw
