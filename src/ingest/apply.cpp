#include "ingest/apply.h"

#include "ingest/applying.h"
#include "ingest/batch.h"
#include "ingest/target.h"
#include "module.h"

namespace kafka_fdw::ingest {

namespace {

/// 9999-12-31: what a producer gives beyond it is nonsense, and some of it is no timestamptz.
constexpr int64_t latest_timestamp_ms = 253'402'300'799'999;

[[noreturn]] void raise_not_read(const std::string& topic) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the statement of the consumer did not read topic \"%s\"", topic.c_str()),
                    errdetail("Its offsets would move past messages that nothing looked at."),
                    errhint("Let the statement select from a foreign table of that topic.")));
  });
  pg_unreachable();
}

/// What became of messages that gave so many rows. Which of them gave which is known only where each gave one.
template <class SkipsTombstones>
Tallies count(std::span<const kafka::Message> messages, int64_t rows, const Rejections* rejections,
              SkipsTombstones skips_tombstones) {
  Tallies tallies;
  std::map<Place, const kafka::Message*> last;
  int64_t left_out = 0;
  for (const kafka::Message& message : messages) {
    Tally& tally = tallies[{message.topic, message.partition}];
    const bool rejected = rejections != nullptr && rejections->contains(&message);
    const bool tombstone = !rejected && !message.value && skips_tombstones(message.topic);
    ++tally.messages;
    tally.rejected += rejected ? 1 : 0;
    tally.tombstones += tombstone ? 1 : 0;
    left_out += rejected || tombstone ? 1 : 0;
    if (message.timestamp_ms <= latest_timestamp_ms) tally.last_timestamp_ms = message.timestamp_ms;
    last[{message.topic, message.partition}] = &message;
  }
  for (const auto& [place, message] : last) tallies[place].identity = identity_of(*message);
  if (rows + left_out == static_cast<int64_t>(messages.size()))
    for (auto& [place, tally] : tallies) tally.rows = tally.messages - tally.tombstones - tally.rejected;
  else if (!tallies.empty())
    tallies.begin()->second.rows = rows;
  return tallies;
}

}  // namespace

Tallies Applier::run(pg::Spi& spi, std::span<const kafka::Message> messages, Rejections* rejections) {
  const Applying applying(consumer_.id);
  choose_way();
  culprit_ = nullptr;
  failed_to_decode_ = false;
  return way_.fast ? run_fast(messages, rejections) : run_statement(spi, messages, rejections);
}

/// The catalog is as it was when this was made; a setting may have changed.
void Applier::choose_way() {
  if (!looked_) obstacle_ = obstacle_to_fast_insert(consumer_);
  looked_ = true;
  if (!settings.fast_apply)
    way_ = {.fast = false, .reason = "kafka_fdw.fast_apply is off"};
  else
    way_ = {.fast = !obstacle_, .reason = obstacle_.value_or("")};
}

Tallies Applier::run_fast(std::span<const kafka::Message> messages, Rejections* rejections) {
  if (!fast_) fast_.emplace(consumer_);
  try {
    const int64_t rows = fast_->run(messages, rejections);
    return count(messages, rows, rejections, [this](int32_t) { return fast_->skips_tombstones(); });
  } catch (const pg::Error&) {
    culprit_ = fast_->culprit();
    failed_to_decode_ = fast_->failed_to_decode();
    throw;
  }
}

/// They would fail at COMMIT, where the messages at fault cannot be told any more.
void Applier::check_deferred_constraints(pg::Spi& spi) const {
  if (transaction_ == Transaction::own) {
    spi.execute("SET CONSTRAINTS ALL IMMEDIATE");
    return;
  }
  const pg::Rows rows = spi.execute(R"(
      SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('%I.%I', n.nspname, c.conname), ', ')
        FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.connamespace
       WHERE c.condeferrable AND c.conrelid IN (
             SELECT $1 UNION ALL
             SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid::pg_catalog.regclass)))",
                                    {pg::Param::oid(consumer_.stream)});
  if (const auto names = rows.text(0, 1)) spi.execute("SET CONSTRAINTS " + *names + " IMMEDIATE");
}

Tallies Applier::run_statement(pg::Spi& spi, std::span<const kafka::Message> messages, Rejections* rejections) {
  // That of an envelope is planned for each batch: what it joins may have been empty when the last one was planned.
  if (!statement_ || consumer_.envelope != Envelope::none) statement_ = pg::Plan(apply_statement(consumer_), {});
  BatchBinding binding(consumer_, server_, messages, rejections);
  const size_t known = rejections == nullptr ? 0 : rejections->size();
  int64_t rows = 0;
  try {
    rows = static_cast<int64_t>(statement_.execute().processed());
    check_deferred_constraints(spi);
  } catch (const pg::Error&) {
    failed_to_decode_ = binding.undecodable() != nullptr;
    culprit_ = failed_to_decode_ ? binding.undecodable() : binding.last_given();
    throw;
  }
  for (const kafka::Message& message : messages)
    if (!binding.was_read(message.topic)) raise_not_read(consumer_.topics[static_cast<size_t>(message.topic)]);
  if (rejections != nullptr && rejections->size() > known && binding.was_scanned_again()) throw Inconsistent{};
  return count(messages, rows, rejections, [&](int32_t topic) { return binding.skips_tombstones(topic); });
}

}  // namespace kafka_fdw::ingest
