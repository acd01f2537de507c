#pragma once

#include <optional>
#include <vector>

#include "ingest/consumer.h"
#include "ingest/reject.h"

namespace kafka_fdw::ingest {

/// Rows of pipeline_kafka_errors. As the extension's owner, in the current transaction.

/// Keeps the rejected messages, with all that they hold. Returns the id of the last one; 0: there was none.
int64_t store_dead_letters(const Consumer& consumer, const Rejections& rejections);

/// Keeps that something was not in the log any more, with SQLSTATE not_in_log, at the coordinates of the failure.
/// Returns the row's id.
int64_t store_loss(pg::Spi& spi, const Consumer& consumer, const Failure& failure);

/// Messages rebuilt from their rows, which are locked. They hold until the Spi that read them ends.
struct DeadLetters {
  std::vector<kafka::Message> messages;
  std::vector<int64_t> ids;  ///< of the rows, in the same order

  int64_t id_of(const kafka::Message& message) const { return ids[static_cast<size_t>(&message - messages.data())]; }
};

/// Reads a consumer's dead letters by topic, partition and offset, no more at a time than the consumer takes in a
/// batch.
class DeadLetterReader {
 public:
  /// `ids`: a bigint[] of those that are wanted; null: all. What is no message is left out.
  DeadLetterReader(const Consumer& consumer, const pg::Param& ids) : consumer_(consumer), ids_(ids) {}

  /// The next ones, locked until the end of the transaction. Absent: there are no more. Those that somebody else
  /// removed just now are not among them.
  std::optional<DeadLetters> read(pg::Spi& spi);

 private:
  std::vector<int64_t> choose(pg::Spi& spi);

  const Consumer& consumer_;
  pg::Param ids_;
  // The last one that was read:
  std::string topic_;
  int32_t partition_ = -1;
  int64_t offset_ = -1;
  int64_t id_ = -1;
};

/// Removes the rows of messages that were taken, and stores for the others why they failed this time.
void settle_dead_letters(pg::Spi& spi, const DeadLetters& letters, const Rejections& rejections);

}  // namespace kafka_fdw::ingest
