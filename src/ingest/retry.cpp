#include "ingest/applying.h"
#include "ingest/arguments.h"
#include "ingest/dead_letters.h"
#include "ingest/fail.h"
#include "ingest/fence.h"
#include "ingest/lookup.h"
#include "ingest/notify.h"
#include "ingest/sift.h"
#include "ingest/source_table.h"
#include "ingest/state.h"
#include "ingest/survey.h"

extern "C" {
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"

PG_FUNCTION_INFO_V1(kafka_consume_retry);
}

namespace kafka_fdw::ingest {

namespace {

/// The caller's rights are checked. The consumer itself is not locked: it may run meanwhile.
Consumer find_to_retry(const std::string& stream, const std::string& topic, bool reorder) {
  pg::Spi spi;
  Consumer consumer = require_consumer(spi, stream, topic);
  check_may_change(consumer);
  refuse_within_batch(consumer);
  if (consumer.envelope != Envelope::none && !reorder)
    fail(ERRCODE_FEATURE_NOT_SUPPORTED,
         "a retry could undo what came later: " + describe(consumer) + " has envelope '" + name_of(consumer.envelope) +
             "'",
         "With reorder => true the messages are applied as if they were the newest.");
  return consumer;
}

/// Brings a source of the consumer's own in line with the stream. One that is so already does not stay locked for the
/// rest of the caller's transaction: workers look at it too.
void follow_stream(Consumer& consumer) {
  if (!consumer.owns_source) return;
  pg::Subtransaction subtransaction;
  bool changed = false;
  {
    pg::Spi spi;
    changed = sync_source(spi, consumer);
    if (changed) consumer = *load_consumer(spi, consumer.id);
  }
  if (changed) subtransaction.commit();
}

/// How many were taken.
int64_t retry(pg::Spi& spi, const Consumer& consumer, Applier& applier, const DeadLetters& letters) {
  Sieve sieve(consumer, applier, spi, std::nullopt, nullptr);
  if (!letters.messages.empty()) sieve.run(letters.messages);
  settle_dead_letters(spi, letters, sieve.rejections());
  notify_of(consumer, sieve.tallies());
  return static_cast<int64_t>(letters.messages.size() - sieve.rejections().size());
}

/// As the consumer's owner. Whatever on_error says, what fails stays a dead letter.
int64_t retry_all(Consumer consumer, const pg::Param& ids) {
  const pg::AsUser as_owner(owner_of(consumer), consumer.search_path.c_str());
  const Oid server = server_of(consumer);
  // Before the rows: whoever has the stream locked may come to them afterwards.
  lock_stream(consumer.stream);
  follow_stream(consumer);
  consumer.on_error = OnError::dead_letter;
  Applier applier(consumer, server, Applier::Transaction::of_caller);
  DeadLetterReader reader(consumer, ids);
  int64_t taken = 0;
  for (;;) {
    pg::Spi spi;
    const std::optional<DeadLetters> letters = reader.read(spi);
    if (!letters) return taken;
    taken += retry(spi, consumer, applier, *letters);
  }
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_consume_retry(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([fcinfo] {
    pg::call([] { PreventCommandIfReadOnly("kafka_consume_retry()"); });
    const std::string stream = ingest::required_text(fcinfo, 0, "stream");
    const std::string topic = ingest::required_text(fcinfo, 1, "topic");
    const pg::Param ids{INT8ARRAYOID, PG_GETARG_DATUM(2), PG_ARGISNULL(2)};
    const bool reorder = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
    return Int64GetDatum(ingest::retry_all(ingest::find_to_retry(stream, topic, reorder), ids));
  });
}
