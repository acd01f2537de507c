#include "ingest/worker.h"

#include <algorithm>

#include "ingest/backoff.h"
#include "ingest/catalog_watch.h"
#include "ingest/fence.h"
#include "ingest/session.h"
#include "ingest/state.h"
#include "ingest/surroundings.h"
#include "ingest/transaction.h"
#include "module.h"
#include "pg/wait.h"

extern "C" {
#include "miscadmin.h"
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds longest_wait_for_topic{2000};
constexpr seconds look_interval{1};
/// A batch that takes longer keeps its slot.
constexpr milliseconds longest_succession{30000};
constexpr int most_retries_at_once = 3;

/// A background worker of one slot of one consumer: loads the consumer, follows it in sessions, and decides what an
/// error means.
class Worker {
 public:
  explicit Worker(const WorkerArguments& arguments)
      : id_(arguments.consumer),
        slots_(arguments.consumer, arguments.slot),
        is_successor_(arguments.is_successor),
        status_(arguments.consumer, slots_) {}

  int run();  ///< as run_worker

 private:
  std::optional<Consumer> load() const;
  bool has_work(const std::optional<Consumer>& consumer) const;
  bool may_succeed() const;
  bool take_slot();
  void leave(const Consumer& consumer);
  bool take_place();
  bool wait_for_place(const Consumer& consumer);
  void serve(const Consumer& consumer);
  void follow(const Consumer& consumer, Session& session);
  void finish(const Consumer& consumer);
  bool may_retry_at_once(const Session& session, const Failure& failure);
  void recover(const Consumer& consumer, const Failure& failure);
  void stop_consumer(const Consumer& consumer, const Failure& failure);
  void wait_while(const Consumer& consumer, milliseconds time, std::optional<uint64_t> catalog = std::nullopt);
  void wait_for_fence(const Consumer& consumer);

  ConsumerId id_;
  Slots slots_;
  bool is_successor_;
  pg::Clock::time_point succession_end_ = pg::Clock::now() + longest_succession;
  Status status_;
  Pace pace_;
  StreamWait stream_wait_{status_};
  Backoff backoff_;
  bool has_place_ = false;
  bool finished_ = false;
  int retries_at_once_ = 0;  ///< in a row, without progress
  int vain_sessions_ = 0;    ///< in a row that ended without trouble and without progress
};

/// Owners are kept by name: after ALTER ROLE … RENAME the name may be another role's, whose statement must not run with
/// these rights.
bool is_own(const Consumer& consumer) {
  const char* role = pg::call([] { return GetUserNameFromId(GetSessionUserId(), true); });
  if (role != nullptr && consumer.owner == role) return true;
  const auto id = static_cast<long long>(consumer.id);
  pg::call([&] {
    ereport(LOG, (errmsg("consumer %lld does not belong to role \"%s\" any more", id, role == nullptr ? "" : role)));
  });
  return false;
}

std::optional<Consumer> Worker::load() const {
  Transaction transaction;
  lock_surroundings();
  std::optional<Consumer> consumer;
  if (find_extension().oid != InvalidOid) {
    pg::Spi spi;
    consumer = load_consumer(spi, id_);
    if (consumer && !is_own(*consumer)) consumer.reset();
  }
  transaction.commit();
  return consumer;
}

bool Worker::has_work(const std::optional<Consumer>& consumer) const {
  return consumer && consumer->enabled && consumer->at_home && slots_.own() < consumer->parallelism;
}

/// Whether somebody is about to leave the slot to this worker.
bool Worker::may_succeed() const { return is_successor_ && pg::Clock::now() < succession_end_; }

/// A successor's slot is given up once its holder has come to the end of a batch.
bool Worker::take_slot() {
  while (!slots_.take_own()) {
    if (!may_succeed()) return false;
    pg::wait_latch(milliseconds(20));
  }
  return true;
}

void Worker::leave(const Consumer& consumer) {
  if (status_.state() != WorkerState::error && status_.state() != WorkerState::finished)
    status_.set(WorkerState::stopped);
  slots_.leave(consumer);
}

/// One of the places of kafka_fdw.max_workers.
bool Worker::take_place() {
  if (settings.max_workers < 0 || has_place_) return true;
  Transaction transaction;
  has_place_ = try_lock_worker_place(settings.max_workers);
  transaction.commit();
  return has_place_;
}

/// False: others of the consumer run, and take this slot too, if none of them is about to leave it.
bool Worker::wait_for_place(const Consumer& consumer) {
  bool others_run = false;
  {
    Transaction transaction;
    {
      pg::Spi spi;
      others_run = !running_slots(spi, consumer).empty();
    }
    transaction.commit();
  }
  if (others_run && !may_succeed()) return false;
  Failure full;
  full.message = "kafka_fdw.max_workers workers are running already";
  full.hint = "Raise it, or end other consumers.";
  full.sqlstate = "53000";
  status_.set(WorkerState::waiting, &full);
  pg::wait_latch(look_interval);
  take_in_settings();
  return true;
}

int Worker::run() {
  try {
    for (;;) {
      std::optional<Consumer> consumer = load();
      if (!has_work(consumer)) return 0;
      if (!take_place()) {
        if (!wait_for_place(*consumer)) return 0;
        continue;
      }
      if (!take_slot()) return 0;
      status_.set(WorkerState::starting);
      while (has_work(consumer) && !finished_) {
        slots_.change(*consumer);
        serve(*consumer);
        consumer = load();
      }
      if (!consumer) return 0;
      leave(*consumer);
      if (finished_) return 0;
      // A begin that came in between found the slot taken and started nobody: look again now that it is free.
    }
  } catch (const Surrounded&) {
    return 1;
  }
}

void Worker::serve(const Consumer& consumer) {
  Session session(consumer, slots_, status_, pace_, stream_wait_);
  Failure failure;
  try {
    follow(consumer, session);
    return;
  } catch (const Stop& stop) {
    stop_consumer(consumer, stop.failure);
    return;
  } catch (const CatalogChanged& changed) {
    failure = changed.failure;
  } catch (const pg::Error&) {
    failure = failure_of_current_exception();
  } catch (const std::exception&) {
    failure = failure_of_current_exception();
  }
  if (session.made_progress()) {
    backoff_.reset();
    retries_at_once_ = 0;
  }
  if (!may_retry_at_once(session, failure)) recover(consumer, failure);
}

void Worker::follow(const Consumer& consumer, Session& session) {
  try {
    if (session.run()) {
      finish(consumer);
      return;
    }
  } catch (const StreamLocked&) {
    stream_wait_.wait(consumer);
    return;
  }
  wait_for_fence(consumer);
  // What changes with every batch must not make it spin.
  vain_sessions_ = session.made_progress() ? 0 : vain_sessions_ + 1;
  if (vain_sessions_ > 3) pg::wait_latch(std::min(Backoff::shortest * vain_sessions_, longest_wait_for_topic));
}

/// Everything of this worker's up to the consumer's end is taken. The last worker that is so far ends the consumer.
void Worker::finish(const Consumer& consumer) {
  status_.refresh(consumer);
  status_.set(WorkerState::finished);
  finished_ = true;
  Transaction transaction;
  {
    pg::Spi spi;
    run_as_owner(spi, R"(
        UPDATE $S.pipeline_kafka_consumers SET enabled = false, epoch = epoch + 1
         WHERE id = $1 AND epoch = $2 AND enabled
           AND NOT EXISTS (SELECT FROM $S.pipeline_kafka_offsets
                            WHERE consumer_id = $1 AND next_offset < until_offset))",
                 {pg::Param::int8(id_), pg::Param::int8(consumer.epoch)});
  }
  transaction.commit();
}

/// A failure of what is different now. Not for ever: a statement may change the catalog with every batch.
bool Worker::may_retry_at_once(const Session& session, const Failure& failure) {
  const bool changed = catalog_changes() != session.catalog_seen();
  // Where the log begins now, and what to do then, is for the survey of the next session.
  const bool log_moved = failure.failure_class == FailureClass::bad_log;
  return (changed || log_moved) && ++retries_at_once_ <= most_retries_at_once;
}

void Worker::recover(const Consumer& consumer, const Failure& failure) {
  // Before the state is written, in a transaction that may take in what mends it.
  const uint64_t catalog = catalog_changes();
  switch (failure.failure_class) {
    case FailureClass::transient:
      status_.set(WorkerState::backoff, &failure);
      wait_while(consumer, backoff_.next());
      return;
    case FailureClass::missing:
      status_.set(WorkerState::waiting, &failure);
      wait_while(consumer, std::min(backoff_.next(), longest_wait_for_topic));
      return;
    case FailureClass::bad_log:
      stop_consumer(consumer, failure);
      return;
    case FailureClass::bad_message:  // not from a batch: a value that the consumer itself was given
    case FailureClass::bad_consumer:
      status_.set(WorkerState::error, &failure);
      wait_while(consumer, milliseconds::max(), catalog);
      return;
  }
}

/// The consumer stands still until somebody begins or seeks: its other workers too.
void Worker::stop_consumer(const Consumer& consumer, const Failure& failure) {
  status_.set(WorkerState::error, &failure);
  Transaction transaction;
  bool done = false;
  {
    pg::Spi spi;
    // Lost to somebody who changes the consumer at this moment: the next session meets the same message again.
    done = try_lock_consumer_shared(id_) &&
           run_as_owner(spi,
                        "UPDATE $S.pipeline_kafka_consumers SET enabled = false, epoch = epoch + 1 "
                        "WHERE id = $1 AND epoch = $2 AND enabled",
                        {pg::Param::int8(id_), pg::Param::int8(consumer.epoch)})
                   .processed() == 1;
  }
  if (done) {
    transaction.commit();
  } else {
    transaction.roll_back();
    wait_for_fence(consumer);
  }
}

/// Waits, unless the consumer changes meanwhile; where only a change of the catalog can help, until it is not as it was
/// at that count of changes.
void Worker::wait_while(const Consumer& consumer, milliseconds time, std::optional<uint64_t> catalog) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  for (;;) {
    const auto passed = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    if (!is_current(consumer) || (catalog && catalog_changes() != *catalog) || passed >= time) return;
    pg::wait_latch(std::min<milliseconds>(time - passed, look_interval));
  }
}

/// Somebody may hold the consumer for long, in a transaction that is not yet decided.
void Worker::wait_for_fence(const Consumer& consumer) {
  for (;;) {
    bool open = false;
    {
      Transaction transaction;
      open = find_extension().oid == InvalidOid || try_lock_consumer_shared(consumer.id);
      transaction.commit();
    }
    if (open || !is_current(consumer)) return;
    pg::wait_latch(milliseconds(20));
  }
}

}  // namespace

int run_worker(const WorkerArguments& arguments) {
  watch_catalog();
  Worker worker(arguments);
  return worker.run();
}

}  // namespace kafka_fdw::ingest
