#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/error.h"
#include "kafka/properties.h"
#include "kafka/reapable.h"

struct rd_kafka_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;

namespace kafka_fdw::kafka {

struct PartitionInfo {
  int32_t id;
  int32_t leader;  ///< -1: none
};

struct TopicInfo {
  std::string name;
  int32_t replication_factor;
  bool internal;                          ///< the cluster keeps it for itself
  std::vector<PartitionInfo> partitions;  ///< by id
};

struct BrokerInfo {
  int32_t id;
  std::string host;  ///< where it says that clients find it
  int32_t port;
};

struct ClusterInfo {
  std::vector<BrokerInfo> brokers;
  std::vector<TopicInfo> topics;  ///< those that this client may see
};

/// [low, high): high is the last stable offset under read_committed, the high watermark under read_uncommitted.
struct Watermarks {
  int32_t partition;
  int64_t low;
  int64_t high;
};

/// A point to be turned into an offset by the broker's time index.
struct TimePoint {
  int32_t partition;
  int64_t timestamp_ms;  ///< not negative
};

/// The answer to a call that may block, made on the client's helper thread. The client's event descriptor becomes
/// readable when it is ready.
template <class T>
class Pending {
 public:
  bool ready() const noexcept { return state_->ready(); }
  T take() { return state_->take(); }  ///< once, when ready; throws Error if the call failed

  struct State {
    virtual ~State() = default;
    virtual bool ready() const noexcept = 0;
    virtual T take() = 0;
  };
  explicit Pending(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

/// Of librdkafka.
const char* library_version() noexcept;

/// One librdkafka consumer handle, its helper thread, and the pipe through which both wake the thread that owns the
/// client. Used by one thread. Nothing here blocks but the constructor (milliseconds) and the destructor (let Reaper do
/// that).
class Client final : public Reapable {
 public:
  /// Throws Error(bad_property). The fixed properties are added here; properties of class `never` are refused here too.
  explicit Client(const Properties& properties);
  ~Client() override;

  /// Readable when a queue or a pending answer may have something. Drain it, then poll everything, then wait.
  int event_descriptor() const noexcept;
  void drain_events() noexcept;

  /// Serves the queue of errors and logs. Throws Error at once for what waiting cannot mend (fatal, authentication).
  void serve_errors();

  /// The newest transient trouble since the last success, for the error that says why nothing came; e.g. "127.0.0.1:9:
  /// Connect failed: Connection refused". Redacted.
  const std::string& last_trouble() const noexcept;

  /// Topics with their partitions; all topics without a name. unknown_topic, not_authorized, unreachable, timed_out.
  Pending<std::vector<TopicInfo>> topics(std::optional<std::string> name, std::chrono::milliseconds timeout);
  /// All brokers and topics.
  Pending<ClusterInfo> cluster(std::chrono::milliseconds timeout);
  Pending<std::vector<Watermarks>> watermarks(std::string topic, std::vector<int32_t> partitions,
                                              std::chrono::milliseconds timeout);
  /// The first offset whose message has that time or a later one, per point; the end (as in Watermarks) where there is
  /// none.
  Pending<std::vector<int64_t>> offsets_for_times(std::string topic, std::vector<TimePoint> points,
                                                  std::chrono::milliseconds timeout);
  /// The ids of the topics, in their order: another one after a topic was deleted and made again. Empty where it is not
  /// told: by librdkafka before 2.4, by Kafka before 2.8, and of a topic that is not there or may not be seen.
  Pending<std::vector<std::string>> topic_ids(std::vector<std::string> topics, std::chrono::milliseconds timeout);
  /// What the consumer group has committed, per partition; absent where it has nothing. not_authorized names the group.
  Pending<std::vector<std::optional<int64_t>>> committed_offsets(std::string group, std::string topic,
                                                                 std::vector<int32_t> partitions,
                                                                 std::chrono::milliseconds timeout);

  rd_kafka_s* handle() const noexcept;

  // For readers on this client:
  rd_kafka_topic_s* topic(const std::string& name);  ///< owned by the client, the same one for each call
  void watch(rd_kafka_queue_s*
                 queue) noexcept;  ///< lets the queue wake the event descriptor; call unwatch before the queue goes
  static void unwatch(rd_kafka_queue_s* queue) noexcept;
  std::string redacted(std::string_view text) const;  ///< without the values of secret properties
  void throw_failure();  ///< what librdkafka told about a partition while its queue was polled
  void note_success() noexcept;
  void note_trouble(const std::string& trouble);
  /// Makes broker threads look again at once whether to fetch. Only librdkafka before 2.2 needs it, elsewhere it does
  /// nothing.
  void wake_brokers() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kafka_fdw::kafka
