#pragma once

#include <chrono>
#include <optional>
#include <set>

#include "ingest/status.h"
#include "ingest/step.h"
#include "kafka/pool.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::ingest {

/// Thrown where somebody is about to drop, rename or copy the database, or to drop or alter the extension.
struct Surrounded {};

/// A worker's work from a client handle to the first trouble or change. One per connection to Kafka.
class Session {
 public:
  Session(const Consumer& consumer, int slot, Status& status);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Hands the client of this process's session, if there is one, to the reaper: for a process that ends without
  /// destructors.
  static void abandon_client() noexcept;

  /// Follows the worker's partitions until the consumer, its catalog or the topic's partitions change.
  /// Throws Stop, Surrounded, and what PostgreSQL or Kafka raise: the caller backs off then.
  void run();

  /// Whether it committed a batch: what went wrong afterwards starts a new row of retries.
  bool made_progress() const noexcept { return made_progress_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Place = std::pair<int32_t, int32_t>;

  bool connect();
  std::vector<int32_t> followed_partitions(int32_t topic) const;
  bool fill();
  bool follow_catalog();
  Offsets advanced() const;
  bool take_batch();
  bool take(std::span<const kafka::Message> messages, const Offsets& next);
  bool take_halves(std::span<const kafka::Message> messages, const Offsets& next);
  bool commit(const Portion& portion);
  void note_ends();
  std::chrono::milliseconds rest_of_delay() const;
  void wait_for_messages();
  bool tick();
  void probe(bool ends, bool partitions);
  bool look_at_probes();

  const Consumer& consumer_;
  int slot_;
  Status& status_;
  std::string activity_;  ///< as pg_stat_activity shows it
  Oid server_ = InvalidOid;
  std::string connection_key_;
  std::optional<Step> step_;
  std::optional<kafka::Lease> lease_;
  std::optional<kafka::RangeReader> reader_;
  kafka::MessageBatch batch_;
  std::set<Place> partitions_;
  Offsets stored_;
  uint64_t catalog_seen_ = 0;
  uint64_t progress_seen_ = 0;
  bool made_progress_ = false;
  bool at_end_ = false;
  Clock::time_point last_commit_{};
  Clock::time_point last_message_{};
  Clock::time_point next_tick_{};
  Clock::time_point next_partition_check_{};
  int32_t probed_topic_ = 0;
  std::optional<kafka::Pending<std::vector<kafka::Watermarks>>> ends_probe_;
  std::optional<kafka::Pending<std::vector<kafka::TopicInfo>>> topic_probe_;
};

/// Reads the configuration again if the server was told to.
void take_in_settings();

/// Throws Surrounded; else whether the consumer is as it was loaded, runs, and belongs to this process's role still.
/// A transaction of its own.
bool is_current(const Consumer& consumer);

/// Counts changes of the catalog that reached this process.
uint64_t catalog_changes() noexcept;
void watch_catalog();

}  // namespace kafka_fdw::ingest
