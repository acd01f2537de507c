#include <algorithm>
#include <map>

#include "fdw/scoped_lease.h"
#include "ingest/arguments.h"
#include "ingest/fail.h"
#include "ingest/lookup.h"
#include "ingest/start.h"
#include "ingest/state.h"
#include "pg/compat.h"
#include "pg/wait.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"

PG_FUNCTION_INFO_V1(kafka_consume_wait);
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{10};
constexpr milliseconds longest_pause{100};

/// Throws pg::Error 55000 where waiting would be in vain.
void check_goes_on(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT c.enabled, c.xmin, w.last_error
        FROM $S.pipeline_kafka_consumers c
             LEFT JOIN $S.pipeline_kafka_workers w ON w.consumer_id = c.id AND w.state = 'error'
       WHERE c.id = $1 ORDER BY w.last_error_at DESC NULLS LAST LIMIT 1)",
                                     {pg::Param::int8(consumer.id)}, true);
  if (rows.empty()) fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, describe(consumer) + " was dropped");
  bool null = false;
  const TransactionId changed_by = DatumGetTransactionId(rows.datum(0, 2, &null));
  if (TransactionIdIsCurrentTransactionId(changed_by))
    fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "this transaction has changed " + describe(consumer),
         "Commit before you wait for it.");
  const std::optional<std::string> error = rows.text(0, 3);
  if (rows.boolean(0, 1) && !error) return;
  fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, describe(consumer) + " is stopped",
       "Call kafka_consume_begin or kafka_consume_seek to have it go on.", error.value_or(""));
}

/// The next offsets by topic and partition. A partition that has none starts at the beginning of its log.
using NextOffsets = std::map<std::pair<std::string, int64>, int64>;

NextOffsets load_next_offsets(pg::Spi& spi, const Consumer& consumer) {
  const pg::Rows rows =
      run_as_owner(spi, "SELECT topic, partition, next_offset FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1",
                   {pg::Param::int8(consumer.id)}, true);
  NextOffsets next;
  for (size_t i = 0; i < rows.size(); ++i)
    next.emplace(std::pair(rows.string(i, 1), *rows.integer(i, 2)), *rows.integer(i, 3));
  return next;
}

/// What must be committed, and where the consumer was when the ends of the logs had not been asked for yet.
struct Goal {
  NextOffsets before;
  std::vector<TopicOffset> targets;

  bool is_reached(const NextOffsets& now) const {
    return std::ranges::all_of(targets, [&](const TopicOffset& target) {
      const std::pair<std::string, int64> place{target.topic, target.log.partition};
      const auto found = now.find(place);
      if (found == now.end()) return target.offset <= target.log.low;
      const auto was = before.find(place);
      // An offset past the end is of a log that is gone: where the consumer goes on is still to be seen.
      const bool of_another_log = was != before.end() && was->second > target.log.high && found->second == was->second;
      return target.offset <= found->second && !of_another_log;
    });
  }
};

/// Looks once. A connection to SPI of its own, which frees what was read.
bool look(const Consumer& consumer, const Goal& goal) {
  const pg::LatestSnapshot snapshot;
  pg::Spi spi;
  if (goal.is_reached(load_next_offsets(spi, consumer))) return true;
  check_goes_on(spi, consumer);
  return false;
}

void pause(milliseconds time) {
  static uint32 wait_event = 0;
  pg::call([&] {
    if (wait_event == 0) wait_event = pg::wait_event_extension("KafkaConsumeWait");
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(time.count()),
                    wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

bool wait(const std::string& stream, const std::string& topic, milliseconds timeout, const std::string& target) {
  const auto deadline = pg::Clock::now() + timeout;
  std::optional<Consumer> consumer;
  Goal goal;
  {
    pg::Spi spi;
    consumer = require_consumer(spi, stream, topic);
    check_may_see(*consumer);
    if (!consumer->at_home)
      fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, describe(*consumer) + " is stopped",
           "Call kafka_consume_begin() to have it run here.",
           "It was begun in another database or another cluster, and this is a copy.");
    const pg::LatestSnapshot snapshot;
    // One that ends by itself may have ended, and have reached the target all the same.
    if (!consumer->until) check_goes_on(spi, *consumer);
    goal.before = load_next_offsets(spi, *consumer);
  }
  goal.targets = resolve_position(*consumer, fdw::parse_position(target));
  for (milliseconds next = first_pause;; next = std::min(2 * next, longest_pause)) {
    if (look(*consumer, goal)) return true;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - pg::Clock::now());
    if (left <= milliseconds(0)) return false;
    pause(std::min(next, left));
  }
}

milliseconds timeout_argument(FunctionCallInfo call, int place) {
  if (call->args[place].isnull) fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "argument \"timeout\" must not be null");
  return milliseconds_of(DatumGetPointer(call->args[place].value));
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_consume_wait(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry([&] {
    return BoolGetDatum(wait(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"),
                             timeout_argument(fcinfo, 2), required_text(fcinfo, 3, "target")));
  });
}
