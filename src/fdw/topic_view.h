#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "fdw/connection.h"
#include "fdw/selection.h"
#include "fdw/statement.h"
#include "fdw/table.h"
#include "kafka/offset_set.h"

extern "C" {
#include "utils/snapshot.h"
}

namespace kafka_fdw::fdw {

/// What one scan sees of its table's topic: the partitions and offsets as its statement met them first, and the client
/// that it asks and reads with, leased when it is first needed.
class TopicView {
 public:
  /// Messages for which a client for few is the better one.
  static constexpr int64_t few = 1000;

  /// Contacts nobody yet. The table must outlive the view. `statement` is the query's context, `snapshot` what it sees
  /// of this database.
  TopicView(const Table& table, Oid user, MemoryContext statement, Snapshot snapshot,
            kafka::Reading reading = kafka::Reading::many);

  const Table& table() const noexcept { return table_; }
  kafka::Client& client();
  const Connection& connection();

  /// What the table's `start` leaves of the partitions in `wanted`.
  kafka::OffsetSet default_range(const kafka::OffsetSet& wanted);

  /// The offsets where messages that the slices select may be.
  kafka::OffsetSet offsets_of(std::span<const TimeSlice> slices);
  int32_t partition_count() { return static_cast<int32_t>(snapshot().partitions.size()); }

  /// Whether the partitions of the topic, and the ends of those in `wanted`, are known. If not it asks for them,
  /// without waiting: the client's event descriptor tells when to look again.
  bool ready(const kafka::OffsetSet& wanted);

  /// What the statement has seen of the topic so far; null: nothing, or another process has.
  const TopicSnapshot* seen() const { return find_snapshot(statement_, table_.relation); }
  KnownLog& log();

  /// The part of `wanted` that the topic has, by partition and offset.
  std::vector<kafka::Range> ranges(const kafka::OffsetSet& wanted);

  /// So many messages are about to be read: the client becomes another one where this one is not for that. Nothing of
  /// the client's is in use.
  void expect(int64_t messages);

  /// Keeps the client for others: the scan ends in good order.
  void close();

 private:
  bool knows_partitions();
  bool knows_ends(const kafka::OffsetSet& wanted);
  void wait_until_ready(const kafka::OffsetSet& wanted);
  TopicSnapshot& snapshot();
  kafka::OffsetSet offsets_within(const kafka::Interval& times, const kafka::OffsetSet& wanted);
  const std::map<int32_t, int64_t>& offsets_at(int64_t moment_ms, const kafka::OffsetSet& wanted);
  std::vector<kafka::Watermarks> watermarks(const kafka::OffsetSet& wanted);

  const Table& table_;
  Oid user_;
  MemoryContext statement_;
  Snapshot database_snapshot_;
  kafka::Reading reading_;
  std::optional<Connection> connection_;
  std::optional<kafka::Lease> lease_;
  KnownLog own_log_;  ///< where another process has seen the topic
  // Asked for, and not answered yet:
  std::optional<kafka::Pending<std::vector<kafka::TopicInfo>>> partitions_;
  std::optional<kafka::Pending<std::vector<kafka::Watermarks>>> ends_;
};

}  // namespace kafka_fdw::fdw
