#include "ingest/taker.h"

#include "ingest/catalog_watch.h"
#include "ingest/fence.h"
#include "ingest/gaps.h"
#include "ingest/surroundings.h"
#include "ingest/transaction.h"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timeout.h"
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::seconds;

/// The identity of a log is looked at before the first messages after such a silence, and now and then under load.
constexpr seconds silence{1};
constexpr seconds check_interval{10};

/// What pg_stat_activity shows, for a scope.
class Activity {
 public:
  explicit Activity(const char* text) {
    pg::call([&] { pgstat_report_activity(STATE_RUNNING, text); });
  }
  ~Activity() { pgstat_report_activity(STATE_IDLE, nullptr); }
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
};

/// The role's statement_timeout, for a batch: workers have no statements that PostgreSQL itself would time.
class StatementTime {
 public:
  StatementTime() {
    if (StatementTimeout > 0) pg::call([] { enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout); });
  }
  ~StatementTime() {
    if (get_timeout_active(STATEMENT_TIMEOUT)) disable_timeout(STATEMENT_TIMEOUT, false);
  }
  StatementTime(const StatementTime&) = delete;
  StatementTime& operator=(const StatementTime&) = delete;
};

}  // namespace

Taker::Taker(const Consumer& consumer, Oid server, const fdw::Connection& few, PartitionStates stored,
             std::vector<std::string> topic_ids, Pace& pace, Status& status)
    : consumer_(consumer),
      server_(server),
      few_(few),
      stored_(std::move(stored)),
      topic_ids_(std::move(topic_ids)),
      pace_(pace),
      status_(status),
      activity_(consumer.statement.value_or("INSERT INTO " + consumer.stream_name + ", from topic " + consumer.topic)) {
  renew();
}

void Taker::renew() {
  catalog_seen_ = catalog_changes();
  step_.emplace(consumer_, server_, Applier::Transaction::own, topic_ids_, [this] { end_check(); });
}

bool Taker::take(const Portion& portion) {
  try {
    return pace_.is_cautious() && !portion.messages.empty() ? take_sifted(portion, nullptr) : take_whole(portion);
  } catch (const pg::Error& error) {
    const Failure failure = failure_of_error(*error.data());
    if (catalog_changes() != catalog_seen_ && pace_.may_blame_catalog()) throw CatalogChanged{failure};
    const bool at_fault = is_too_much(failure) && pace_.note_too_much(portion.messages.size());
    if (portion.messages.empty() || (failure.failure_class != FailureClass::bad_message && !at_fault)) throw;
    pace_.note_bad_message();
    // What does not decode is found in one go, and the rest may be fine.
    const bool finds_all = step_->applier().failed_to_decode() && consumer_.on_error != OnError::stop;
    return take_sifted(portion, finds_all ? nullptr : &failure);
  }
}

/// Here the stream is locked, and stays as it is: rows that are made for it as it was would not fit. And here it is
/// sure that the log is looked at in this attempt, whose messages may come late.
void Taker::prepare(const Portion& portion) {
  if (!portion.messages.empty() && catalog_changes() != catalog_seen_) throw StreamChanged{};
  if (!check_) begin_check(portion.messages);
}

bool Taker::take_whole(const Portion& portion) {
  return commit([&](pg::Spi& spi) {
    prepare(portion);
    return step_->take(spi, portion, stored_, false);
  });
}

bool Taker::take_sifted(const Portion& portion, const Failure* failed) {
  std::optional<Failure> stop;
  const bool taken = commit([&](pg::Spi& spi) {
    prepare(portion);
    auto result = step_->sift(spi, portion, stored_, false, pace_.streak(), failed);
    if (result) stop = result->stop;
    return result;
  });
  if (taken && stop) throw Stop{*stop};
  return taken;
}

bool Taker::jump(const std::vector<Gap>& gaps) {
  const bool jumped = commit([&](pg::Spi& spi) -> std::optional<Taken> {
    if (!jump_gaps(spi, consumer_, gaps, false)) return std::nullopt;
    return Taken{};
  });
  if (!jumped) return false;
  for (const Gap& gap : gaps)
    stored_[gap.place] = {
        .next_offset = gap.goes_on, .until = stored_[gap.place].until, .identity = {}, .topic_id = {}};
  return true;
}

bool Taker::remember(const LogChanged& changed) {
  return commit([&](pg::Spi& spi) -> std::optional<Taken> {
    if (!holds_fence(spi, consumer_)) return std::nullopt;
    store_identities(spi, consumer_, changed.others, stored_);
    return Taken{};
  });
}

/// One transaction: rows, dead letters and offsets.
template <class Take>
bool Taker::commit(Take take) {
  std::optional<Taken> taken;
  {
    Transaction transaction;
    XactReadOnly = DefaultXactReadOnly;  // the state of workers is written all the same
    lock_surroundings();
    if (!try_lock_stream(consumer_.stream)) throw StreamLocked{};
    // The statement means what it meant to the one who began; what it sets itself is gone with each batch.
    pg::call([&] {
      (void)set_config_option("search_path", consumer_.search_path.c_str(), PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_LOCAL, true, 0, false);
    });
    const Activity activity(activity_.c_str());
    const StatementTime time;
    const SurroundingsWatch watch;
    try {
      pg::Spi spi;
      taken = take(spi);
    } catch (const pg::Error& error) {
      if (error.sqlstate() == ERRCODE_QUERY_CANCELED && are_surroundings_wanted()) throw Surrounded{};
      throw;
    }
    if (taken) transaction.commit();
  }
  if (!taken) return false;
  commit_position_ = XactLastCommitEnd;
  note(*taken);
  return true;
}

void Taker::note(const Taken& taken) {
  const auto now = Clock::now();
  for (const auto& [place, offset] : taken.next) stored_[place].next_offset = offset;
  for (const auto& [place, tally] : taken.tallies) {
    if (!tally.identity) continue;
    stored_[place].identity = tally.identity;
    stored_[place].topic_id = topic_ids_[static_cast<size_t>(place.first)];
    seen_[place].taken = now;
  }
  if (!taken.tallies.empty()) {
    pace_.note_taken(taken.rejections.empty());
    made_progress_ = true;
  }
  if (!taken.rejections.empty()) status_.note_rejections(consumer_, taken.rejections);
}

/// Asks for the last messages of partitions that were silent, or not compared for long; the answers are waited for
/// before the batch commits.
void Taker::begin_check(std::span<const kafka::Message> messages) {
  std::map<Place, Identity> wanted;
  const auto now = Clock::now();
  for (const auto& [place, offset] : offsets_behind(messages)) {
    const auto stored = stored_.find(place);
    Seen& seen = seen_[place];
    const bool silent = now - seen.taken >= silence;
    const bool due = now - seen.compared >= (silent ? silence : check_interval);
    if (!due || stored == stored_.end() || !stored->second.identity) continue;
    const Identity& last = *stored->second.identity;
    wanted.emplace(place, silent ? last : seen.anchor.value_or(last));
    seen.compared = now;
    seen.anchor = last;
  }
  if (!wanted.empty()) check_.emplace(few_, consumer_.topics, std::move(wanted), topic_ids_);
}

void Taker::end_check() {
  if (!check_) return;
  // It has a time limit of its own, and a slow broker is no message's fault.
  if (get_timeout_active(STATEMENT_TIMEOUT)) disable_timeout(STATEMENT_TIMEOUT, false);
  std::map<Place, Identity> others = check_->wait();
  check_.reset();
  if (!others.empty()) throw LogChanged{std::move(others)};
}

}  // namespace kafka_fdw::ingest
