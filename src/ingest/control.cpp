#include "ingest/control.h"

#include "ingest/advance.h"
#include "ingest/applying.h"
#include "ingest/arguments.h"
#include "ingest/fail.h"
#include "ingest/fence.h"
#include "ingest/lookup.h"
#include "ingest/positions.h"
#include "ingest/source_table.h"
#include "ingest/start.h"
#include "ingest/state.h"
#include "ingest/worker.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/acl.h"

PG_FUNCTION_INFO_V1(kafka_consume_end);
PG_FUNCTION_INFO_V1(kafka_consume_end_all);
PG_FUNCTION_INFO_V1(kafka_consume_drop);
PG_FUNCTION_INFO_V1(kafka_consume_seek);
}

namespace kafka_fdw::ingest {

namespace {

/// Locks the consumer and loads it as it is then. Absent: it was dropped meanwhile.
std::optional<Consumer> lock_and_load(pg::Spi& spi, ConsumerId id) {
  lock_consumer_exclusively(id);
  // An older snapshot, of a transaction that is not READ COMMITTED, could show one that runs as ended.
  const pg::LatestSnapshot latest;
  std::optional<Consumer> consumer = load_consumer(spi, id, true);
  if (consumer) {
    check_may_change(*consumer);
    refuse_within_batch(*consumer);
  }
  return consumer;
}

/// One that was dropped is gone when it is looked for again, but to a transaction that keeps its first snapshot.
void fail_if_seen_for_ever(const Consumer& dropped) {
  if (IsolationUsesXactSnapshot()) fail(ERRCODE_UNDEFINED_OBJECT, describe(dropped) + " was dropped");
}

/// A worker that an error stopped counts as ended from now on: seek does not resume it.
bool end(pg::Spi& spi, const Consumer& consumer) {
  run_as_owner(spi, "UPDATE $S.pipeline_kafka_workers SET state = 'stopped' WHERE consumer_id = $1 AND state = 'error'",
               {pg::Param::int8(consumer.id)});
  if (!consumer.enabled) return false;
  run_as_owner(spi, "UPDATE $S.pipeline_kafka_consumers SET enabled = false, epoch = epoch + 1 WHERE id = $1",
               {pg::Param::int8(consumer.id)});
  return true;
}

bool end_one(const std::string& stream, const std::string& topic) {
  pg::Spi spi;
  return end(spi, require_locked(spi, stream, topic));
}

int64 end_all() {
  pg::Spi spi;
  int64 count = 0;
  for (const ConsumerId id : manageable_consumers(spi)) {
    const std::optional<Consumer> consumer = lock_and_load(spi, id);
    if (consumer && end(spi, *consumer)) ++count;
  }
  return count;
}

/// As the owner, if that is left: what depends on the source has no say in what the caller's rights are used for.
void drop_own_source(pg::Spi& spi, const Consumer& consumer) {
  const Oid owner = pg::call([&] { return get_role_oid(consumer.owner.c_str(), true); });
  const pg::AsUser as_owner(OidIsValid(owner) ? owner : GetUserId());
  drop_source(spi, consumer);
}

std::string drop(const std::string& stream, const std::string& topic) {
  pg::Spi spi;
  const Consumer consumer = require_locked(spi, stream, topic);
  std::string had = positions(spi, consumer);
  run_as_owner(spi, "DELETE FROM $S.pipeline_kafka_consumers WHERE id = $1", {pg::Param::int8(consumer.id)});
  drop_own_source(spi, consumer);
  return had;
}

/// One that was ended stays ended.
bool goes_on(pg::Spi& spi, const Consumer& consumer) {
  if (consumer.enabled) return true;
  const pg::Rows failed = run_as_owner(
      spi, "DELETE FROM $S.pipeline_kafka_workers WHERE consumer_id = $1 AND state = 'error' RETURNING slot",
      {pg::Param::int8(consumer.id)});
  return !failed.empty();
}

/// As the holder of the consumer's lock.
std::string move(pg::Spi& spi, const Consumer& consumer, const std::vector<TopicOffset>& offsets) {
  std::string had = positions(spi, consumer);
  store_offsets(spi, consumer.id, offsets);
  forget_rejections(spi, consumer.id);
  go_on(spi, consumer);
  return had;
}

std::string seek(const std::string& stream, const std::string& topic, const std::string& target) {
  pg::Spi spi;
  for (;;) {
    const Consumer found = require_consumer(spi, stream, topic);
    check_may_change(found);
    // Asks the broker before the consumer is locked: its workers must not wait for that.
    const std::vector<TopicOffset> offsets = resolve_position(found, fdw::parse_position(target));
    check_within_log(offsets);
    const std::optional<Consumer> consumer = lock_and_load(spi, found.id);
    if (consumer && consumer->topics == found.topics) return move(spi, *consumer, offsets);
    if (!consumer) fail_if_seen_for_ever(found);
  }
}

}  // namespace

Consumer require_locked(pg::Spi& spi, const std::string& stream, const std::string& topic) {
  const Consumer found = require_consumer(spi, stream, topic);
  check_may_change(found);
  if (auto locked = lock_and_load(spi, found.id)) return *locked;
  fail_if_seen_for_ever(found);
  return require_locked(spi, stream, topic);
}

void go_on(pg::Spi& spi, const Consumer& consumer) {
  const bool enabled = goes_on(spi, consumer);
  run_as_owner(spi, "UPDATE $S.pipeline_kafka_consumers SET enabled = $2, epoch = epoch + 1 WHERE id = $1",
               {pg::Param::int8(consumer.id), pg::Param::boolean(enabled)});
  if (enabled) start_workers_at_commit(consumer);
}

}  // namespace kafka_fdw::ingest

Datum kafka_consume_end(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry(
      [&] { return BoolGetDatum(end_one(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"))); });
}

Datum kafka_consume_end_all(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return kafka_fdw::pg::entry([] { return Int64GetDatum(kafka_fdw::ingest::end_all()); });
}

Datum kafka_consume_drop(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry(
      [&] { return jsonb_of(drop(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"))); });
}

Datum kafka_consume_seek(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry([&] {
    return jsonb_of(seek(required_text(fcinfo, 0, "stream"), required_text(fcinfo, 1, "topic"),
                         required_text(fcinfo, 2, "target")));
  });
}
