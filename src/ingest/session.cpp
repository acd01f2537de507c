#include "ingest/session.h"

#include <algorithm>
#include <utility>

#include "fdw/connection.h"
#include "ingest/fence.h"
#include "ingest/source_table.h"
#include "ingest/state.h"
#include "ingest/survey.h"
#include "ingest/transaction.h"
#include "pg/wait.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::ceil;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds tick_interval{1};
constexpr seconds partition_check_interval{30};
constexpr seconds probe_timeout{2};
constexpr seconds idle_after{1};

uint64_t changes = 0;
Session* active = nullptr;

Offsets next_offsets(std::span<const kafka::Message> messages) {
  Offsets next;
  for (const kafka::Message& message : messages) next[{message.topic, message.partition}] = message.offset + 1;
  return next;
}

}  // namespace

uint64_t catalog_changes() noexcept { return changes; }

void watch_catalog() {
  pg::call([] {
    CacheRegisterRelcacheCallback([](Datum, Oid) { ++changes; }, 0);
    for (const int cache : {FOREIGNSERVEROID, USERMAPPINGOID, NAMESPACEOID, PROCOID, TYPEOID, AUTHOID, AUTHMEMROLEMEM})
      CacheRegisterSyscacheCallback(
          cache, [](Datum, int, uint32) { ++changes; }, 0);
  });
}

void take_in_settings() {
  if (!ConfigReloadPending) return;
  ConfigReloadPending = false;
  pg::call([] { ProcessConfigFile(PGC_SIGHUP); });
}

bool is_current(const Consumer& consumer) {
  take_in_settings();
  Transaction transaction;
  if (!try_lock_surroundings()) throw Surrounded{};
  bool current = false;
  if (find_extension().oid != InvalidOid) {
    pg::Spi spi;
    current = run_as_owner(spi,
                           "SELECT FROM $S.pipeline_kafka_consumers "
                           "WHERE id = $1 AND epoch = $2 AND enabled AND owner = session_user",
                           {pg::Param::int8(consumer.id), pg::Param::int8(consumer.epoch)})
                  .processed() == 1;
  }
  transaction.commit();
  return current;
}

Session::Session(const Consumer& consumer, int slot, Status& status)
    : consumer_(consumer),
      slot_(slot),
      status_(status),
      activity_(consumer.statement.value_or("INSERT INTO " + consumer.stream_name + ", from topic " + consumer.topic)) {
  active = this;
}

Session::~Session() { active = nullptr; }

void Session::abandon_client() noexcept {
  if (active == nullptr) return;
  active->batch_.clear();  // messages must not outlive their handle
  active->reader_.reset();
  active->lease_.reset();
}

void Session::run() {
  if (!connect()) return;
  next_tick_ = Clock::now() + tick_interval;
  next_partition_check_ = Clock::now() + partition_check_interval;
  for (;;) {
    if (!fill()) {
      wait_for_messages();
    } else if (const auto rest = rest_of_delay(); rest.count() > 0) {
      pg::wait_latch(rest);
    } else if (!follow_catalog() || !take_batch()) {
      return;
    }
    if (Clock::now() >= next_tick_ && !tick()) return;
  }
}

/// Reads the catalog, leases a client, and starts a reader at the stored offsets. False: the consumer must be loaded
/// anew.
bool Session::connect() {
  status_.set(WorkerState::connecting);
  catalog_seen_ = catalog_changes();
  fdw::Connection connection;
  {
    Transaction transaction;
    bool changed = false;
    {
      pg::Spi spi;
      changed = !consumer_.statement && sync_source(spi, consumer_);
      server_ = server_of(consumer_);
      connection = load_connection(consumer_, pg::call([] { return GetUserId(); }));
      connection_key_ = connection.pool_key;
      stored_ = load_offsets(spi, consumer_);
    }
    transaction.commit();
    if (changed) return false;
  }
  step_.emplace(consumer_, server_);
  lease_.emplace(fdw::lease_client(connection));
  Survey survey = survey_log(lease_->client(), consumer_, stored_,
                             [this](int32_t partition) { return partition % consumer_.parallelism == slot_; });
  // Where a partition begins is settled before its first message, and seen in the views.
  if (!survey.first.empty() && !commit({{}, survey.first})) return false;
  for (kafka::Range& range : survey.ranges) {
    status_.note_end({range.topic, range.partition}, std::exchange(range.to, kafka::OffsetSet::max_offset));
    partitions_.emplace(range.topic, range.partition);
  }
  reader_.emplace(lease_->client(), consumer_.topics, survey.ranges);
  return true;
}

std::vector<int32_t> Session::followed_partitions(int32_t topic) const {
  std::vector<int32_t> partitions;
  for (const Place& place : partitions_)
    if (place.first == topic) partitions.push_back(place.second);
  return partitions;
}

/// Takes what librdkafka has; true: there is something to commit.
bool Session::fill() {
  kafka::Client& client = lease_->client();
  client.drain_events();
  client.serve_errors();
  const auto most = static_cast<size_t>(consumer_.batch_size);
  const auto most_bytes = static_cast<size_t>(consumer_.batch_bytes);
  while (batch_.size() < most && batch_.bytes() < most_bytes)
    if (reader_->poll(batch_, most - batch_.size(), most_bytes - batch_.bytes()) !=
        kafka::RangeReader::Status::messages)
      break;
  return !batch_.empty() || !advanced().empty();
}

/// Where the log is read on, for the partitions that moved: over messages, or over what is none (markers, aborted
/// records, gaps).
Offsets Session::advanced() const {
  Offsets next;
  for (const kafka::RangeReader::Position& position : reader_->positions()) {
    const Place place{position.topic, position.partition};
    const auto stored = stored_.find(place);
    if (stored == stored_.end() || position.next_offset > stored->second) next[place] = position.next_offset;
  }
  return next;
}

/// Before a batch: false where the consumer itself must be loaded anew.
bool Session::follow_catalog() {
  Transaction transaction;  // takes in what others changed
  const bool changed = catalog_changes() != catalog_seen_;
  bool same = true;
  if (changed) {
    catalog_seen_ = catalog_changes();
    step_.emplace(consumer_, server_);
    pg::Spi spi;
    same = (consumer_.statement || !sync_source(spi, consumer_)) &&
           load_connection(consumer_, pg::call([] { return GetUserId(); })).pool_key == connection_key_;
  }
  transaction.commit();
  return same;
}

bool Session::take_batch() {
  const auto messages = batch_.messages();
  const auto count = static_cast<int64_t>(messages.size());
  if (!take(messages, advanced())) return false;
  batch_.clear();
  made_progress_ = true;
  last_commit_ = Clock::now();
  if (count > 0) {
    last_message_ = last_commit_;
    status_.note_batch(count, step_->way());
    if (status_.state() != WorkerState::running) status_.set(WorkerState::running);
  }
  return true;
}

/// Commits the messages, or all before the first bad one and throws Stop. False: the fence was lost.
bool Session::take(std::span<const kafka::Message> messages, const Offsets& next) {
  Failure failure;
  try {
    return commit({messages, next});
  } catch (const pg::Error&) {
    failure = failure_of_current_exception();
    if (failure.failure_class != FailureClass::bad_message || messages.empty()) throw;
  }
  if (messages.size() > 1) return take_halves(messages, next);
  failure.topic = consumer_.topics[static_cast<size_t>(messages[0].topic)];
  failure.partition = messages[0].partition;
  failure.offset = messages[0].offset;
  throw Stop{failure};
}

bool Session::take_halves(std::span<const kafka::Message> messages, const Offsets& next) {
  const auto first = messages.first(messages.size() / 2);
  return take(first, next_offsets(first)) && take(messages.subspan(first.size()), next);
}

/// One transaction: rows and offsets.
bool Session::commit(const Portion& portion) {
  Transaction transaction;
  if (!try_lock_surroundings()) throw Surrounded{};
  // The statement means what it meant to the one who began; what it sets itself is gone with each batch.
  pg::call([&] {
    (void)set_config_option("search_path", consumer_.search_path.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                            true, 0, false);
  });
  pg::call([&] { pgstat_report_activity(STATE_RUNNING, activity_.c_str()); });
  bool taken = false;
  {
    pg::Spi spi;
    taken = step_->take(spi, portion, stored_, false);
  }
  if (taken) {
    transaction.commit();
    for (const auto& [place, next] : portion.next) stored_[place] = next;
  }
  pg::call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
  return taken;
}

void Session::note_ends() {
  at_end_ = true;
  for (const kafka::RangeReader::Position& position : reader_->positions()) {
    at_end_ &= position.at_end;
    if (position.at_end) status_.note_end({position.topic, position.partition}, position.next_offset);
  }
}

/// How long a batch that is not full is kept open, so that batches grow instead of their number; never beyond the next
/// tick.
std::chrono::milliseconds Session::rest_of_delay() const {
  if (batch_.size() >= static_cast<size_t>(consumer_.batch_size) ||
      batch_.bytes() >= static_cast<size_t>(consumer_.batch_bytes))
    return milliseconds(0);
  const Clock::time_point now = Clock::now();
  if (now - last_commit_ >= consumer_.batch_delay) return milliseconds(0);
  return std::min(ceil<milliseconds>(last_commit_ + consumer_.batch_delay - now), ceil<milliseconds>(next_tick_ - now));
}

void Session::wait_for_messages() {
  const auto until_tick = duration_cast<milliseconds>(next_tick_ - Clock::now());
  if (until_tick.count() > 0) pg::wait_readable(lease_->client().event_descriptor(), until_tick);
}

/// Once a second. False: begin anew with the consumer as it is now.
bool Session::tick() {
  next_tick_ = Clock::now() + tick_interval;
  if (!is_current(consumer_)) return false;
  note_ends();
  if (!look_at_probes()) return false;
  const bool trouble = !lease_->client().last_trouble().empty() && reader_->progress() == progress_seen_;
  progress_seen_ = reader_->progress();
  if (!trouble && Clock::now() - last_message_ > idle_after) {
    if (status_.state() == WorkerState::connecting || status_.state() == WorkerState::running)
      status_.set(WorkerState::idle);
  }
  probe(trouble || !at_end_ || status_.state() == WorkerState::backoff, Clock::now() >= next_partition_check_);
  status_.refresh(consumer_);
  return true;
}

/// Asks the broker about one topic after the other, without waiting: for the ends of its log, and whether it has new
/// partitions.
void Session::probe(bool ends, bool partitions) {
  if (ends_probe_ || topic_probe_) return;
  probed_topic_ = (probed_topic_ + 1) % static_cast<int32_t>(consumer_.topics.size());
  const std::string& topic = consumer_.topics[static_cast<size_t>(probed_topic_)];
  const std::vector<int32_t> followed = followed_partitions(probed_topic_);
  if (ends && !followed.empty()) ends_probe_ = lease_->client().watermarks(topic, followed, probe_timeout);
  if (!partitions) return;
  next_partition_check_ = Clock::now() + partition_check_interval / static_cast<int>(consumer_.topics.size());
  topic_probe_ = lease_->client().topics(topic, probe_timeout);
}

/// False: the topic has other partitions than this session follows.
bool Session::look_at_probes() {
  if (ends_probe_ && ends_probe_->ready()) {
    auto answer = *std::exchange(ends_probe_, std::nullopt);
    try {
      for (const kafka::Watermarks& marks : answer.take())
        status_.note_end({probed_topic_, marks.partition}, marks.high);
      if (status_.state() == WorkerState::backoff) status_.set(at_end_ ? WorkerState::idle : WorkerState::running);
    } catch (const kafka::Error&) {
      const Failure failure = failure_of_current_exception();
      if (failure.failure_class != FailureClass::transient) throw;
      status_.set(WorkerState::backoff, &failure);
    }
  }
  if (topic_probe_ && topic_probe_->ready()) {
    auto answer = *std::exchange(topic_probe_, std::nullopt);
    try {
      const auto own = [this](const kafka::PartitionInfo& partition) {
        return partition.id % consumer_.parallelism == slot_;
      };
      const auto topics = answer.take();
      return static_cast<size_t>(std::ranges::count_if(topics.at(0).partitions, own)) ==
             followed_partitions(probed_topic_).size();
    } catch (const kafka::Error&) {
      if (failure_of_current_exception().failure_class != FailureClass::transient) throw;
    }
  }
  return true;
}

}  // namespace kafka_fdw::ingest
