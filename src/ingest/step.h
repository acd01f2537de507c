#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ingest/consumer.h"
#include "ingest/fast_apply.h"
#include "kafka/message.h"

namespace kafka_fdw::ingest {

/// Offsets per (place of the topic in Consumer::topics, partition).
using Offsets = std::map<std::pair<int32_t, int32_t>, int64_t>;

/// The stored next offsets of all partitions of a consumer.
Offsets load_offsets(pg::Spi& spi, const Consumer& consumer);

/// Some messages of a fetched batch, and where the log goes on behind them.
struct Portion {
  std::span<const kafka::Message> messages;
  Offsets next;  ///< of the partitions that advance
};

/// What one worker or one call needs to take portions of a consumer's log. Belongs to the consumer as it was loaded:
/// made anew after a change.
class Step {
 public:
  /// How it applies messages, and why not fast.
  struct Way {
    bool fast = false;
    std::string reason;
  };

  Step(const Consumer& consumer, Oid server) : consumer_(consumer), server_(server) {}

  /// Runs the consumer's statement over the portion and moves the stored offsets on, in the current transaction, as the
  /// current role. `stored` are the offsets as this consumer's owner of the slot knows them: rows that differ mean that
  /// somebody else moved them. False: the fence was lost, roll back. Errors of the statement come out as they are.
  bool take(pg::Spi& spi, const Portion& portion, const Offsets& stored, bool fence_held);

  /// In which the last portion was applied.
  const Way& way() const noexcept { return way_; }

 private:
  struct Tally {
    int64_t messages = 0;
    int64_t rows = 0;
    int64_t tombstones = 0;
    int64_t last_timestamp_ms = -1;
  };
  using Tallies = std::map<std::pair<int32_t, int32_t>, Tally>;

  Tallies apply(pg::Spi& spi, const Portion& portion);
  void choose_way();
  Tallies apply_fast(const Portion& portion);
  Tallies apply_statement(pg::Spi& spi, const Portion& portion);
  template <class SkipsTombstones>
  static Tallies tallies_of(const Portion& portion, int64_t rows, SkipsTombstones skips_tombstones);
  bool holds_fence(bool fence_held);
  bool advance(const Portion& portion, const Offsets& stored, const Tallies& tallies);

  const Consumer& consumer_;
  Oid server_;
  Way way_;
  bool way_known_ = false;  ///< as far as the catalog decides it
  std::optional<std::string> obstacle_;
  std::optional<FastApply> fast_;
  pg::Plan statement_;
  pg::Plan fence_;
  pg::Plan update_;
  pg::Plan insert_;
};

}  // namespace kafka_fdw::ingest
