#include "ingest/session.h"

#include <algorithm>
#include <utility>

#include "ingest/catalog_watch.h"
#include "ingest/fence.h"
#include "ingest/source_table.h"
#include "ingest/state.h"
#include "ingest/surroundings.h"
#include "ingest/transaction.h"
#include "pg/wait.h"

extern "C" {
#include "access/xlog.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "utils/guc.h"
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::ceil;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds tick_interval{1};
constexpr seconds ends_check_interval{5};
constexpr seconds partition_check_interval{30};
constexpr seconds idle_after{1};

/// A worker's part of what the consumer may take.
std::optional<double> rate_of_worker(const Consumer& consumer, const Slots& slots) {
  if (!consumer.max_rate) return std::nullopt;
  return *consumer.max_rate * static_cast<double>(slots.held().size()) / std::max(1, consumer.parallelism);
}

}  // namespace

void take_in_settings() {
  if (!ConfigReloadPending) return;
  ConfigReloadPending = false;
  pg::call([] { ProcessConfigFile(PGC_SIGHUP); });
}

bool is_current(const Consumer& consumer) {
  take_in_settings();
  Transaction transaction;
  lock_surroundings();
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

Session::Session(const Consumer& consumer, Slots& slots, Status& status, Pace& pace, StreamWait& stream_wait)
    : consumer_(consumer),
      slots_(slots),
      status_(status),
      pace_(pace),
      stream_wait_(stream_wait),
      feed_(consumer),
      probes_(consumer, slots, feed_, status),
      rate_(rate_of_worker(consumer, slots)) {}

Session::~Session() = default;

bool Session::run() {
  if (!connect()) return false;
  next_tick_ = Clock::now() + tick_interval;
  next_partition_check_ = Clock::now() + partition_check_interval;
  for (;;) {
    try {
      if (!has_work()) {
        if (consumer_.until && feed_.is_finished()) return true;
        wait_for_messages();
      } else if (const auto rest = rest_of_delay(); rest.count() > 0) {
        pg::wait_latch(rest);
      } else if (!follow_catalog() || !take_batch()) {
        return false;
      }
    } catch (const StreamLocked&) {
      stream_wait_.wait(consumer_);
    } catch (const StreamChanged&) {
      // The next turn looks at the catalog again.
    } catch (const LogChanged& changed) {
      remember(changed);
      return false;  // the next survey says what to do
    }
    if (Clock::now() >= next_tick_ && !tick()) return false;
  }
}

/// Without it the next survey would believe the log.
void Session::remember(const LogChanged& changed) {
  while (is_current(consumer_)) {
    try {
      if (taker_->remember(changed)) return;
    } catch (const StreamLocked&) {
      // Whoever waits for the stream has it next.
    }
    stream_wait_.wait(consumer_);
  }
}

/// As the catalog is now. In a transaction.
Session::Wiring Session::read_wiring(pg::Spi& spi) const {
  Wiring wiring;
  wiring.consumer_changed = !consumer_.statement && sync_source_softly(spi, consumer_);
  if (wiring.consumer_changed) return wiring;
  const Oid user = pg::call([] { return GetUserId(); });
  wiring.server = server_of(consumer_);
  wiring.many = load_connection(consumer_, user);
  wiring.few = load_connection(consumer_, user, kafka::Reading::few);
  return wiring;
}

/// Reads the catalog, leases a client, and follows the log from the stored offsets. False: the consumer must be loaded
/// anew.
bool Session::connect() {
  if (!stream_wait_.is_waiting()) status_.set(WorkerState::connecting);
  catalog_seen_ = catalog_changes();
  Wiring wiring;
  PartitionStates stored;
  {
    Transaction transaction;
    {
      pg::Spi spi;
      wiring = read_wiring(spi);
      stored = load_partitions(spi, consumer_);
      std::erase_if(stored, [this](const auto& entry) { return !slots_.take(consumer_, entry.first.second); });
    }
    transaction.commit();
  }
  if (wiring.consumer_changed) return false;
  connection_key_ = wiring.many.pool_key;
  feed_.connect(wiring.many);
  Survey survey = survey_log(feed_.client(), wiring.few, consumer_, stored,
                             [this](int32_t partition) { return slots_.take(consumer_, partition); });
  taker_.emplace(consumer_, wiring.server, wiring.few, std::move(stored), survey.topic_ids, pace_, status_);
  if (consumer_.group_id) publisher_.emplace(wiring.few, *consumer_.group_id, consumer_.topics);
  if (!settle(survey)) return false;
  for (const kafka::Range& range : survey.ranges) status_.note_end({range.topic, range.partition}, range.to);
  feed_.follow(ranges_to_follow(survey));
  // What others have committed is flushed when all is that is written now.
  if (publisher_) publisher_->note(taker_->stored(), pg::call([] { return GetXLogInsertRecPtr(); }));
  return true;
}

/// Stores where partitions begin before their first message, and goes over gaps, or stops at one. False: the fence was
/// lost.
bool Session::settle(const Survey& survey) {
  if (const Failure* failure = stopping_gap(consumer_, survey)) throw Stop{*failure};
  if (!survey.gaps.empty() && !taker_->jump(survey.gaps)) return false;
  return survey.first.empty() || consumer_.until || taker_->take({{}, survey.first});
}

/// With an end for the consumer, partitions that it was not resolved for are none of its own.
std::vector<kafka::Range> Session::ranges_to_follow(const Survey& survey) const {
  std::vector<kafka::Range> ranges;
  for (kafka::Range range : survey.ranges) {
    const auto stored = taker_->stored().find({range.topic, range.partition});
    const bool known = stored != taker_->stored().end();
    if (known) range.from = stored->second.next_offset;
    range.to = kafka::OffsetSet::max_offset;
    if (consumer_.until) {
      if (!known || !stored->second.until) continue;
      range.to = std::max(range.from, *stored->second.until);
    }
    ranges.push_back(range);
  }
  return ranges;
}

size_t Session::batch_limit() const { return pace_.limit(static_cast<size_t>(consumer_.batch_size)); }

/// Takes what librdkafka has; true: there is something to commit.
bool Session::has_work() {
  const size_t held = feed_.messages().size();
  feed_.fill(std::min(batch_limit(), held + rate_.allowed(batch_limit())), static_cast<size_t>(consumer_.batch_bytes));
  rate_.take(feed_.messages().size() - held);
  return !feed_.messages().empty() || !feed_.advanced(taker_->stored()).empty();
}

/// Before a batch, and once a second, so that what is gone shows before there is a message: false where the consumer
/// itself must be loaded anew.
bool Session::follow_catalog() {
  bool same = true;
  Transaction transaction;  // takes in what others changed
  const uint64_t catalog = catalog_changes();
  if (catalog != catalog_seen_) {
    pg::Spi spi;
    const Wiring wiring = read_wiring(spi);
    same = !wiring.consumer_changed && wiring.many.pool_key == connection_key_;
    taker_->renew();
    catalog_seen_ = catalog;  // only now: a stream that is locked has not been looked at
  }
  transaction.commit();
  return same;
}

bool Session::take_batch() {
  const auto messages = feed_.messages();
  const auto count = static_cast<int64_t>(messages.size());
  if (count > 0 && status_.state() == WorkerState::connecting) status_.set(WorkerState::running);
  if (!taker_->take({messages, feed_.advanced(taker_->stored())})) return false;
  feed_.drop_batch();
  last_commit_ = Clock::now();
  stream_wait_.end();
  if (publisher_) publisher_->note(taker_->stored(), taker_->commit_position());
  if (count > 0) {
    last_message_ = last_commit_;
    status_.note_batch(count, taker_->way());
    if (status_.state() != WorkerState::running) status_.set(WorkerState::running);
  }
  return true;
}

void Session::note_ends() {
  at_end_ = true;
  for (const kafka::RangeReader::Position& position : feed_.positions()) {
    at_end_ &= position.at_end;
    if (position.at_end) status_.note_end({position.topic, position.partition}, position.next_offset);
  }
}

/// How long a batch that is not full is kept open, so that batches grow instead of their number; never beyond the next
/// tick.
milliseconds Session::rest_of_delay() const {
  if (feed_.messages().size() >= batch_limit() || feed_.bytes() >= static_cast<size_t>(consumer_.batch_bytes))
    return milliseconds(0);
  const Clock::time_point now = Clock::now();
  if (now - last_commit_ >= consumer_.batch_delay) return milliseconds(0);
  return std::min(ceil<milliseconds>(last_commit_ + consumer_.batch_delay - now), ceil<milliseconds>(next_tick_ - now));
}

void Session::wait_for_messages() {
  auto time = duration_cast<milliseconds>(next_tick_ - Clock::now());
  const milliseconds limited = rate_.wait();
  if (time.count() <= 0) return;
  if (limited.count() > 0)
    pg::wait_latch(std::min(time, limited));  // messages that wait must not wake it
  else
    pg::wait_readable(feed_.client().event_descriptor(), time);
}

/// Once a second. False: begin anew with the consumer as it is now.
bool Session::tick() {
  const auto now = Clock::now();
  next_tick_ = now + tick_interval;
  if (!is_current(consumer_) || slots_.should_change(consumer_) || !follow_catalog()) return false;
  note_ends();
  if (!look_at_probes()) return false;
  const bool trouble = !feed_.client().last_trouble().empty() && feed_.progress() == progress_seen_;
  progress_seen_ = feed_.progress();
  if (!trouble && now - last_message_ > idle_after &&
      (status_.state() == WorkerState::connecting || status_.state() == WorkerState::running))
    status_.set(WorkerState::idle);
  const bool ends = trouble || !at_end_ || status_.state() == WorkerState::backoff || now >= next_ends_check_;
  const bool partitions = now >= next_partition_check_;
  probes_.ask(ends, partitions);
  if (ends) next_ends_check_ = now + ends_check_interval;
  if (partitions) next_partition_check_ = now + partition_check_interval / static_cast<int>(consumer_.topics.size());
  if (publisher_) publisher_->publish(status_);
  status_.refresh(consumer_);
  return true;
}

/// False: the topic has other partitions than this session follows.
bool Session::look_at_probes() {
  switch (probes_.look()) {
    case Probes::Answer::changed:
      return consumer_.until.has_value();
    case Probes::Answer::silent:
      status_.set(WorkerState::backoff, &probes_.trouble());
      return true;
    case Probes::Answer::alive:
      if (status_.state() == WorkerState::backoff && !stream_wait_.is_waiting())
        status_.set(at_end_ ? WorkerState::idle : WorkerState::running);
      return true;
    case Probes::Answer::none:
      return true;
  }
  return true;
}

}  // namespace kafka_fdw::ingest
