#pragma once

#include "ingest/consumer.h"
#include "ingest/tally.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace kafka_fdw::ingest {

/// The rows of pipeline_kafka_offsets, as the extension's owner.

/// What is stored of a partition.
struct PartitionState {
  int64_t next_offset = 0;
  std::optional<int64_t> until;      ///< where the consumer ends
  std::optional<Identity> identity;  ///< of the last message that was taken
  std::string topic_id;              ///< when that was taken; empty: not known
};
using PartitionStates = std::map<Place, PartitionState>;

PartitionStates load_partitions(pg::Spi& spi, const Consumer& consumer);

/// reject_limit counts from now on.
void forget_rejections(pg::Spi& spi, ConsumerId id);

/// Stores messages of the log as it was, where the offsets still are as `stored` says.
void store_identities(pg::Spi& spi, const Consumer& consumer, const std::map<Place, Identity>& identities,
                      const PartitionStates& stored);

/// Moves stored offsets on, each by compare-and-set. Keeps its plans, and where it left the rows: beside a snapshot
/// that is held for long, a row that changes with every batch is only found by its key past all that it has been.
class Advancer {
 public:
  /// `topic_ids` of the consumer's topics, in their order; empty ones are not known.
  Advancer(const Consumer& consumer, std::vector<std::string> topic_ids)
      : consumer_(consumer), topic_ids_(std::move(topic_ids)) {}

  /// To `next`, for the partitions in it, from what `stored` says of them. False: somebody else has moved one.
  bool run(const Offsets& next, const PartitionStates& stored, const Tallies& tallies);

 private:
  bool move(const Place& place, int64_t next, std::optional<int64_t> old, const Tally& tally);
  bool execute(const pg::Plan& plan, const Place& place, int64_t next, std::optional<int64_t> old, const Tally& tally,
               ItemPointerData at);

  const Consumer& consumer_;
  std::vector<std::string> topic_ids_;
  pg::Plan update_at_;
  pg::Plan update_;
  pg::Plan insert_;
  std::map<Place, ItemPointerData> rows_;  ///< as they were left, in a transaction that may have failed since
};

}  // namespace kafka_fdw::ingest
