#pragma once

#include <optional>

#include "fdw/connection.h"
#include "fdw/message_source.h"
#include "fdw/statement.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::fdw {

/// Messages of a topic out of Kafka, between offsets that are fixed once per statement and table.
class KafkaSource final : public MessageSource {
 public:
  /// Contacts nobody yet. The table must outlive the source. `statement` is the query's context.
  KafkaSource(const Table& table, Oid user, MemoryContext statement);

  /// What the table's `start` leaves of the partitions in `wanted`.
  kafka::OffsetSet default_range(const kafka::OffsetSet& wanted);

  void open(const kafka::OffsetSet& wanted) override;
  const kafka::Message* next() override;
  void close() override;
  Counters counters() const override { return counters_; }

 private:
  kafka::Client& client();
  TopicSnapshot& snapshot();
  std::vector<kafka::Watermarks> watermarks(const kafka::OffsetSet& wanted);
  bool fetch();
  void check_progress();
  [[noreturn]] void throw_stalled() const;

  const Table& table_;
  Oid user_;
  MemoryContext statement_;
  std::optional<Connection> connection_;
  // The reader and the messages use the client's handle: they go first.
  std::optional<kafka::Lease> lease_;
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
