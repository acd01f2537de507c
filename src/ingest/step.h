#pragma once

#include <functional>
#include <optional>
#include <span>

#include "ingest/advance.h"
#include "ingest/apply.h"
#include "ingest/sift.h"

namespace kafka_fdw::ingest {

/// Some messages of a fetched batch, and where the log goes on behind them.
struct Portion {
  std::span<const kafka::Message> messages;
  Offsets next;  ///< of the partitions that advance
};

/// What became of a portion.
struct Taken {
  Offsets next;  ///< where the consumer stands in the partitions that advanced
  Tallies tallies;
  Rejections rejections;
  std::optional<Failure> stop;  ///< why the consumer must stop there
};

/// What one worker or one call needs to take portions of a consumer's log: apply, fence, advance. Belongs to the
/// consumer as it was loaded: made anew after a change.
class Step {
 public:
  /// `topic_ids` as for Advancer. `before_fence` is called when messages have been applied and nothing is locked that
  /// others need; it may throw.
  Step(
      const Consumer& consumer, Oid server, Applier::Transaction transaction, std::vector<std::string> topic_ids,
      std::function<void()> before_fence = [] {})
      : consumer_(consumer),
        applier_(consumer, server, transaction),
        advancer_(consumer, std::move(topic_ids)),
        before_fence_(std::move(before_fence)) {}

  // In the current transaction, as the current role. `stored` is what this owner of the partitions knows of them: rows
  // that differ mean that somebody else moved them. Absent: the fence was lost, roll back.

  /// All of the portion, or the error of what could not be applied.
  std::optional<Taken> take(pg::Spi& spi, const Portion& portion, const PartitionStates& stored, bool fence_held);

  /// What can be taken of it; what cannot is dealt with as the consumer's on_error says. `failed` as for Sieve::run.
  std::optional<Taken> sift(pg::Spi& spi, const Portion& portion, const PartitionStates& stored, bool fence_held,
                            Streak& streak, const Failure* failed);

  const Applier& applier() const noexcept { return applier_; }

 private:
  bool finish(const Taken& taken, const PartitionStates& stored, bool fence_held);
  bool holds_fence(bool fence_held);
  std::optional<int64_t> rejections_left(pg::Spi& spi) const;

  const Consumer& consumer_;
  Applier applier_;
  Advancer advancer_;
  std::function<void()> before_fence_;
  pg::Plan fence_;
};

/// The offsets behind the messages.
Offsets offsets_behind(std::span<const kafka::Message> messages);

}  // namespace kafka_fdw::ingest
