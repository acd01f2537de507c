#include "ingest/step.h"

#include "ingest/dead_letters.h"
#include "ingest/fence.h"
#include "ingest/notify.h"
#include "ingest/state.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace kafka_fdw::ingest {

std::optional<Taken> Step::take(pg::Spi& spi, const Portion& portion, const PartitionStates& stored, bool fence_held) {
  Taken taken{.next = portion.next, .tallies = {}, .rejections = {}, .stop = {}};
  if (!portion.messages.empty()) taken.tallies = applier_.run(spi, portion.messages);
  return finish(taken, stored, fence_held) ? std::optional(std::move(taken)) : std::nullopt;
}

std::optional<Taken> Step::sift(pg::Spi& spi, const Portion& portion, const PartitionStates& stored, bool fence_held,
                                Streak& streak, const Failure* failed) {
  Sieve sieve(consumer_, applier_, spi, rejections_left(spi), &streak);
  sieve.run(portion.messages, failed);
  Taken taken{.next = sieve.stop() ? offsets_behind(sieve.settled()) : portion.next,
              .tallies = sieve.tallies(),
              .rejections = sieve.rejections(),
              .stop = sieve.stop()};
  return finish(taken, stored, fence_held) ? std::optional(std::move(taken)) : std::nullopt;
}

bool Step::finish(const Taken& taken, const PartitionStates& stored, bool fence_held) {
  before_fence_();
  notify_of(consumer_, taken.tallies);
  const pg::AsUser owner(extension().owner);
  if (consumer_.on_error == OnError::dead_letter) store_dead_letters(consumer_, taken.rejections);
  return holds_fence(fence_held) && advancer_.run(taken.next, stored, taken.tallies);
}

/// Absent: any number may be rejected.
std::optional<int64_t> Step::rejections_left(pg::Spi& spi) const {
  if (!consumer_.reject_limit) return std::nullopt;
  const pg::Rows rows = run_as_owner(
      spi, "SELECT sum(rejected_since_begin)::bigint FROM $S.pipeline_kafka_offsets WHERE consumer_id = $1",
      {pg::Param::int8(consumer_.id)});
  return std::max<int64_t>(0, *consumer_.reject_limit - rows.integer(0, 1).value_or(0));
}

bool Step::holds_fence(bool fence_held) {
  if (!fence_held && !try_lock_consumer_shared(consumer_.id)) return false;
  if (!fence_)
    fence_ = pg::Plan(with_schema("SELECT FROM $S.pipeline_kafka_consumers WHERE id = $1 AND epoch = $2 "
                                  "AND (enabled AND owner = session_user OR $3)"),
                      {INT8OID, INT8OID, BOOLOID});
  return fence_
             .execute({pg::Param::int8(consumer_.id), pg::Param::int8(consumer_.epoch), pg::Param::boolean(fence_held)})
             .processed() == 1;
}

Offsets offsets_behind(std::span<const kafka::Message> messages) {
  Offsets next;
  for (const kafka::Message& message : messages) next[{message.topic, message.partition}] = message.offset + 1;
  return next;
}

}  // namespace kafka_fdw::ingest
