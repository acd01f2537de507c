#pragma once

#include <optional>
#include <set>
#include <span>
#include <vector>

#include "fdw/connection.h"
#include "ingest/advance.h"
#include "ingest/client_owner.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::ingest {

/// Where the log is read on, for the partitions that moved on from what is stored: over messages, or over what is none
/// (markers, aborted records, gaps).
Offsets advanced(const kafka::RangeReader& reader, const PartitionStates& stored);

/// What a worker reads of its topics: a client, a reader that follows the logs, and the batch that is being filled.
class Feed final : public ClientOwner {
 public:
  explicit Feed(const Consumer& consumer) : consumer_(consumer) {}

  /// Throws what a new client throws.
  void connect(const fdw::Connection& connection);
  kafka::Client& client() const noexcept { return lease_->client(); }

  /// From now on reads these ranges, one for each partition at most.
  void follow(const std::vector<kafka::Range>& ranges);

  /// Takes what has come, up to so many messages and bytes in the batch; never waits.
  void fill(size_t most_messages, size_t most_bytes);
  std::span<const kafka::Message> messages() const noexcept { return batch_.messages(); }
  size_t bytes() const noexcept { return batch_.bytes(); }
  void drop_batch() noexcept { batch_.clear(); }

  /// As above, of its reader.
  Offsets advanced(const PartitionStates& stored) const { return ingest::advanced(*reader_, stored); }

  std::vector<kafka::RangeReader::Position> positions() const { return reader_->positions(); }
  /// Every range has been read to its end.
  bool is_finished() const noexcept { return finished_; }
  uint64_t progress() const noexcept { return reader_->progress(); }
  /// Of the topic with that place.
  std::vector<int32_t> partitions(int32_t topic) const;

 private:
  void abandon() noexcept override;

  const Consumer& consumer_;
  std::optional<kafka::Lease> lease_;
  std::optional<kafka::RangeReader> reader_;
  kafka::MessageBatch batch_;
  std::set<Place> partitions_;
  bool finished_ = false;
};

}  // namespace kafka_fdw::ingest
