#include "ingest/advance.h"
#include "ingest/applying.h"
#include "ingest/fail.h"
#include "ingest/fence.h"
#include "ingest/kafka_table.h"
#include "ingest/lookup.h"
#include "ingest/settings.h"
#include "ingest/source_table.h"
#include "ingest/start.h"
#include "ingest/state.h"
#include "ingest/until.h"
#include "ingest/worker.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(kafka_consume_begin);
PG_FUNCTION_INFO_V1(kafka_consume_begin_all);
}

namespace kafka_fdw::ingest {

namespace {

bool looks_swapped(const std::string& topic) {
  try {
    return OidIsValid(resolve_relation(topic));
  } catch (const pg::Error&) {
    return false;  // a topic's name need not be that of a relation; the caller raises its own error
  }
}

/// The relation that the stream is now: by its name, or what the stored name of a consumer stands for.
Oid require_stream(const BeginArguments& given) {
  const Oid stream = resolve_relation(given.stream);
  if (!OidIsValid(stream))
    fail(ERRCODE_UNDEFINED_TABLE, "relation \"" + given.stream + "\" does not exist",
         looks_swapped(given.topic) ? "The stream comes first and the topic second." : "");
  const char kind = pg::call([&] { return get_rel_relkind(stream); });
  const bool insertable = kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_VIEW ||
                          kind == RELKIND_FOREIGN_TABLE;
  if (!insertable)
    fail(ERRCODE_WRONG_OBJECT_TYPE, "\"" + given.stream + "\" is nothing that rows can be inserted into");
  if (pg::call([&] { return get_rel_persistence(stream); }) == RELPERSISTENCE_TEMP)
    fail(ERRCODE_WRONG_OBJECT_TYPE, "\"" + given.stream + "\" is temporary", {},
         "The workers of a consumer are other sessions, which do not see it.");
  return stream;
}

bool is_preloaded() {
  char* libraries = pg::call([] { return pstrdup(GetConfigOption("shared_preload_libraries", false, false)); });
  List* names = NIL;
  if (!pg::call([&] { return SplitDirectoriesString(libraries, ',', &names); })) return false;
  for (int i = 0; i < list_length(names); ++i) {
    std::string_view name = static_cast<const char*>(list_nth(names, i));
    name.remove_prefix(name.find_last_of('/') + 1);
    if (name == "kafka_fdw" || name == "kafka_fdw.so") return true;
  }
  return false;
}

/// Has workers started at commit, and warns once if they would not come back after a restart.
class Starter {
 public:
  void start(const Consumer& consumer, const std::vector<int>& running = {}) {
    if (consumer.parallelism == 0) return;
    start_workers_at_commit(consumer, running);
    if (warned_ || is_preloaded()) return;
    warned_ = true;
    tell(WARNING, "consumers will not come back by themselves when the server restarts",
         "Add kafka_fdw to shared_preload_libraries, or call kafka_consume_begin() after a restart.");
  }

 private:
  bool warned_ = false;
};

/// Whether workers can connect as the owner.
bool owner_can_connect(const Consumer& consumer) {
  if (consumer.parallelism == 0) return true;
  return pg::call([&] {
    HeapTuple tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(consumer.owner.c_str()));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool may_log_in = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolcanlogin;
    ReleaseSysCache(tuple);
    return may_log_in || pg::worker_connection_flags != 0;
  });
}

void check_login(const Consumer& consumer) {
  (void)owner_of(consumer);
  if (!owner_can_connect(consumer))
    fail(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "role \"" + consumer.owner + "\" is not permitted to log in",
         "Before PostgreSQL 17 the workers of a consumer connect as a role that may log in.");
}

/// Whether the owner may run the consumer's statement, and PostgreSQL can.
void check_statement(const Consumer& consumer) {
  const pg::AsUser owner(owner_of(consumer), consumer.search_path.c_str());
  if (consumer.statement && analyse_statement(*consumer.statement).hidden) return;  // a CALL has no plan
  check_plan(apply_statement(consumer), consumer.batch_size);
}

bool needs_own_source(const Consumer& consumer) {
  if (consumer.statement) return false;
  return !OidIsValid(consumer.source) ||
         (consumer.owns_source && pg::call([&] { return get_rel_name(consumer.source); }) == nullptr);
}

void give_own_source(pg::Spi& spi, Consumer& consumer) {
  const pg::AsUser owner(owner_of(consumer));
  consumer.source = make_source(spi, consumer);
  consumer.owns_source = true;
}

void store_source(pg::Spi& spi, const Consumer& consumer) {
  run_as_owner(spi, "UPDATE $S.pipeline_kafka_consumers SET source = $2, owns_source = true WHERE id = $1",
               {pg::Param::int8(consumer.id), pg::Param::oid(consumer.source)});
}

/// Absent: another session has begun it meanwhile.
std::optional<ConsumerId> create(pg::Spi& spi, Starter& starter, Oid stream, const BeginArguments& given) {
  Consumer consumer = with_arguments(new_consumer(stream, given.topic), given);
  check_login(consumer);
  bind_topics(consumer, given);
  const std::optional<ConsumerId> id = insert_consumer(spi, consumer);
  if (!id) return std::nullopt;
  consumer.id = *id;
  if (needs_own_source(consumer)) {
    give_own_source(spi, consumer);
    store_source(spi, consumer);
  }
  check_statement(consumer);
  store_start(spi, consumer);
  if (consumer.until) store_until(spi, consumer);
  starter.start(consumer);
  return id;
}

bool has_failed(pg::Spi& spi, ConsumerId id) {
  return !run_as_owner(spi, "SELECT FROM $S.pipeline_kafka_workers WHERE consumer_id = $1 AND state = 'error'",
                       {pg::Param::int8(id)})
              .empty();
}

/// A running consumer for which nothing changes is left alone.
bool is_as_wanted(pg::Spi& spi, const Consumer& stored, const Consumer& wanted) {
  return stored.enabled && stored.at_home && stored.stream == wanted.stream &&
         stored.stream_name == wanted.stream_name && differences(stored, wanted).empty() && !needs_own_source(stored) &&
         !has_failed(spi, stored.id);
}

/// Makes the source of its own anew where what it is made from changes, and follows the stream.
void renew_source(pg::Spi& spi, const Consumer& stored, Consumer& wanted, const BeginArguments& given) {
  if (stored.owns_source && (given.shapes_rows() || !wanted.owns_source)) {
    const pg::AsUser owner(owner_of(wanted));
    drop_source(spi, stored);
    if (wanted.owns_source) wanted.source = InvalidOid;
  }
  if (needs_own_source(wanted)) {
    give_own_source(spi, wanted);
  } else {
    const pg::AsUser owner(owner_of(wanted));
    sync_source(spi, wanted);
  }
}

/// Where it begins and ends now. What was begun again after its end goes on to where the position is by now.
void store_bounds(pg::Spi& spi, const Consumer& stored, const Consumer& wanted, const BeginArguments& given) {
  const bool other_partitions = text_of(stored.shard) != text_of(wanted.shard);
  if (given.start) store_start(spi, wanted);
  if (given.until || (wanted.until && (other_partitions || has_reached_end(spi, wanted)))) store_until(spi, wanted);
}

/// What was counted and said since it was begun before.
void forget_run(pg::Spi& spi, ConsumerId id) {
  run_as_owner(spi, "DELETE FROM $S.pipeline_kafka_workers WHERE consumer_id = $1 AND state IN ('error', 'finished')",
               {pg::Param::int8(id)});
  forget_rejections(spi, id);
}

void tell_differences(const Consumer& stored, const Consumer& wanted, const BeginArguments& given) {
  for (const std::string& difference : differences(stored, wanted)) tell(NOTICE, difference);
  if (given.start && stored.start != wanted.start)
    tell(NOTICE, "partitions that have an offset stay where they are", "Call kafka_consume_seek to move them.");
}

/// Stores what changes, as the holder of the consumer's lock, and returns the consumer as it is then.
Consumer change(pg::Spi& spi, const Consumer& stored, Consumer wanted, const BeginArguments& given) {
  check_login(wanted);
  renew_source(spi, stored, wanted, given);
  if (given.shapes_rows() || stored.source != wanted.source) check_statement(wanted);
  store_bounds(spi, stored, wanted, given);
  update_consumer(spi, wanted);
  forget_run(spi, stored.id);
  tell_differences(stored, wanted, given);
  return wanted;
}

/// A statement's server is stored by its name, which may be another one now.
bool server_exists(const std::string& name) {
  return pg::call([&] { return OidIsValid(get_foreign_server_oid(name.c_str(), true)); });
}

Consumer wanted_consumer(const Consumer& stored, Oid stream, const BeginArguments& given) {
  Consumer wanted = with_arguments(stored, given);
  wanted.stream = stream;
  wanted.stream_name = pg::qualified_name(stream);
  if (given.shapes_rows() || !server_exists(wanted.server)) bind_topics(wanted, given);
  return wanted;
}

/// Begins a consumer that is stored. False: it was dropped meanwhile.
bool begin_again(pg::Spi& spi, Starter& starter, const Consumer& found, Oid stream, const BeginArguments& given) {
  check_may_change(found);
  if (is_as_wanted(spi, found, wanted_consumer(found, stream, given))) {
    starter.start(found, running_slots(spi, found));
    return true;
  }
  refuse_within_batch(found);
  lock_stream(stream);
  lock_consumer_exclusively(found.id);
  const std::optional<Consumer> stored = load_consumer(spi, found.id);
  if (!stored) return false;
  check_may_change(*stored);
  starter.start(change(spi, *stored, wanted_consumer(*stored, stream, given), given));
  return true;
}

int64 begin(const BeginArguments& given) {
  pg::Spi spi;
  const Oid stream = require_stream(given);
  Starter starter;
  for (;;) {
    if (const auto stored = look_up_consumer(spi, stream, given.stream, given.topic)) {
      if (begin_again(spi, starter, *stored, stream, given)) return stored->id;
    } else if (const auto id = create(spi, starter, stream, given)) {
      return *id;
    }
  }
}

/// One consumer that cannot be begun must not keep the others from it.
bool owner_is_ready(const Consumer& consumer, const BeginArguments& given) {
  const bool there = pg::call([&] { return OidIsValid(get_role_oid(consumer.owner.c_str(), true)); });
  if (there && owner_can_connect(with_arguments(consumer, given))) return true;
  tell(WARNING, describe(consumer) + " is not started: its owner \"" + consumer.owner +
                    (there ? "\" is not permitted to log in" : "\" does not exist"));
  return false;
}

/// The stream as it is called now; InvalidOid, with a WARNING, where it is gone.
Oid find_stream_again(const Consumer& consumer) {
  const bool there = pg::call([&] { return get_rel_name(consumer.stream); }) != nullptr;
  const Oid stream = there ? consumer.stream : resolve_relation(consumer.stream_name);
  if (!OidIsValid(stream))
    tell(WARNING, describe(consumer) + " is not started: its stream does not exist", "Call kafka_consume_drop.");
  return stream;
}

int64 begin_all(const BeginArguments& given) {
  pg::Spi spi;
  Starter starter;
  int64 count = 0;
  for (const ConsumerId id : manageable_consumers(spi)) {
    const std::optional<Consumer> stored = load_consumer(spi, id);
    if (!stored || !owner_is_ready(*stored, given)) continue;
    const Oid stream = find_stream_again(*stored);
    if (OidIsValid(stream) && begin_again(spi, starter, *stored, stream, given)) ++count;
  }
  return count;
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_consume_begin(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] { return Int64GetDatum(ingest::begin(ingest::read_begin_arguments(fcinfo))); });
}

Datum kafka_consume_begin_all(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] { return Int64GetDatum(ingest::begin_all(ingest::read_begin_all_arguments(fcinfo))); });
}
