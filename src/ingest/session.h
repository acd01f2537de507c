#pragma once

#include <chrono>
#include <optional>

#include "ingest/feed.h"
#include "ingest/group_publisher.h"
#include "ingest/probes.h"
#include "ingest/rate_limit.h"
#include "ingest/slots.h"
#include "ingest/stream_wait.h"
#include "ingest/taker.h"

namespace kafka_fdw::ingest {

/// Whether the consumer is still as it was loaded, and this worker's. Takes in settings too. Throws Surrounded.
bool is_current(const Consumer& consumer);
void take_in_settings();

/// A worker's work from a client handle to the first trouble or change. One per connection to Kafka.
class Session {
 public:
  Session(const Consumer& consumer, Slots& slots, Status& status, Pace& pace, StreamWait& stream_wait);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Follows the worker's partitions until the consumer, its catalog, its log, the topic's partitions or the worker's
  /// slots change, or until they have been read to where the consumer ends: then true. Throws Stop, Surrounded, and
  /// what PostgreSQL or Kafka raise: the caller backs off then.
  bool run();

  /// Whether it committed a batch: what went wrong afterwards starts a new row of retries.
  bool made_progress() const noexcept { return taker_ && taker_->made_progress(); }
  /// The catalog as it was when the session looked at it last.
  uint64_t catalog_seen() const noexcept { return catalog_seen_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// What the catalog says of how to read.
  struct Wiring {
    Oid server = InvalidOid;
    fdw::Connection many;
    fdw::Connection few;
    bool consumer_changed = false;  ///< and must be loaded anew
  };
  Wiring read_wiring(pg::Spi& spi) const;

  bool connect();
  void remember(const LogChanged& changed);
  bool settle(const Survey& survey);
  std::vector<kafka::Range> ranges_to_follow(const Survey& survey) const;
  bool has_work();
  bool follow_catalog();
  bool take_batch();
  void note_ends();
  std::chrono::milliseconds rest_of_delay() const;
  size_t batch_limit() const;
  void wait_for_messages();
  bool tick();
  bool look_at_probes();

  const Consumer& consumer_;
  Slots& slots_;
  Status& status_;
  Pace& pace_;
  StreamWait& stream_wait_;
  Feed feed_;
  Probes probes_;
  RateLimit rate_;
  std::optional<Taker> taker_;
  std::optional<GroupPublisher> publisher_;
  std::string connection_key_;
  uint64_t catalog_seen_ = 0;
  uint64_t progress_seen_ = 0;
  bool at_end_ = false;
  Clock::time_point last_commit_{};
  Clock::time_point last_message_{};
  Clock::time_point next_tick_{};
  Clock::time_point next_ends_check_{};
  Clock::time_point next_partition_check_{};
};

}  // namespace kafka_fdw::ingest
