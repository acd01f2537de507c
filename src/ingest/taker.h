#pragma once

#include <chrono>
#include <memory>
#include <set>

#include "fdw/connection.h"
#include "ingest/identity_check.h"
#include "ingest/pace.h"
#include "ingest/status.h"
#include "ingest/step.h"
#include "ingest/survey.h"

extern "C" {
#include "access/xlogdefs.h"
}

namespace kafka_fdw::ingest {

/// Thrown where the log is not the one any more that was read before: these messages are other ones now. Once that is
/// stored, the partitions must be surveyed again.
struct LogChanged {
  std::map<Place, Identity> others;
};

/// Thrown where the catalog changed before the batch had the stream locked: the Taker must be renewed.
struct StreamChanged {};

/// Thrown where the catalog changed while a batch failed: the failure may be of what was before.
struct CatalogChanged {
  Failure failure;
};

/// Thrown where the consumer must stop: at a bad message, or at a gap in the log.
struct Stop {
  Failure failure;
};

/// A worker's way to take portions of the log: a transaction for each, with the rows, the dead letters and the offsets.
class Taker {
 public:
  /// `few` is how to look at single messages, `topic_ids` as Survey has them.
  Taker(const Consumer& consumer, Oid server, const fdw::Connection& few, PartitionStates stored,
        std::vector<std::string> topic_ids, Pace& pace, Status& status);

  /// False: the fence was lost, somebody changes the consumer. Throws Stop behind what comes before a message that
  /// stops the consumer, what is above, and what PostgreSQL or Kafka raise.
  bool take(const Portion& portion);

  /// Moves the stored offsets of the partitions, over what is not in the log. False: the fence was lost.
  bool jump(const std::vector<Gap>& gaps);

  /// Stores what messages the log had, for the next survey to find that it is another one. False: the fence was lost.
  bool remember(const LogChanged& changed);

  /// After a change of the catalog.
  void renew();

  const PartitionStates& stored() const noexcept { return stored_; }
  const Applier::Way& way() const noexcept { return step_->applier().way(); }
  bool made_progress() const noexcept { return made_progress_; }
  /// Of the last commit that moved offsets; what is flushed up to there is durable.
  XLogRecPtr commit_position() const noexcept { return commit_position_; }

 private:
  using Clock = std::chrono::steady_clock;

  void prepare(const Portion& portion);
  bool take_whole(const Portion& portion);
  bool take_sifted(const Portion& portion, const Failure* failed);
  template <class Take>
  bool commit(Take take);
  void note(const Taken& taken);
  void begin_check(std::span<const kafka::Message> messages);
  void end_check();

  const Consumer& consumer_;
  Oid server_;
  fdw::Connection few_;
  PartitionStates stored_;
  std::vector<std::string> topic_ids_;
  Pace& pace_;
  Status& status_;
  std::string activity_;  ///< as pg_stat_activity shows it
  std::optional<Step> step_;
  uint64_t catalog_seen_ = 0;
  bool made_progress_ = false;
  XLogRecPtr commit_position_ = 0;

  /// When a message of the partition was taken, and when its log was compared last.
  struct Seen {
    Clock::time_point taken{};
    Clock::time_point compared{};
    /// What was the last message then. Under load the newest ones may be of another log already, and agree with it.
    std::optional<Identity> anchor;
  };
  std::map<Place, Seen> seen_;
  std::optional<IdentityCheck> check_;
};

}  // namespace kafka_fdw::ingest
