#pragma once

#include "fdw/message_source.h"
#include "fdw/topic_view.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::fdw {

/// Messages of a topic out of Kafka.
class KafkaSource final : public MessageSource {
 public:
  /// The view must outlive the source. Contacts nobody yet.
  explicit KafkaSource(TopicView& topic) : topic_(topic) {}

  void open(const kafka::OffsetSet& wanted) override;
  /// As open, with ranges that are known already: sorted by partition and offset, disjoint.
  void read(std::vector<kafka::Range> ranges);
  const kafka::Message* next() override;
  void close() override;
  Counters counters() const override;

 private:
  bool fetch();
  void drop_reader() noexcept;
  void check_progress();
  [[noreturn]] void throw_stalled();

  TopicView& topic_;
  std::unique_ptr<kafka::RangeReader> reader_;
  kafka::MessageBatch batch_;
  size_t next_ = 0;         ///< in batch_
  size_t batch_limit_ = 0;  ///< messages; grows, so that LIMIT reads little and a long scan in large batches
  uint64_t progress_ = 0;   ///< the reader's, when it last grew
  std::chrono::steady_clock::time_point progress_at_;
  std::vector<kafka::Range> ranges_;
  Counters counters_;
};

}  // namespace kafka_fdw::fdw
