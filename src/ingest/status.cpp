#include "ingest/status.h"

#include "ingest/state.h"
#include "ingest/transaction.h"
#include "pg/utf8.h"

#include <utility>

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/json.h"
}

namespace kafka_fdw::ingest {

namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

constexpr seconds refresh_interval{1};
constexpr seconds log_interval{1};

/// Losing the newest status in a crash does no harm, so its commits need not wait for the disk.
void commit_without_waiting() {
  pg::call([] {
    (void)set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
  });
}

pg::Param optional_text(const std::string& value) {
  return value.empty() ? pg::Param::null_of(TEXTOID) : pg::Param::text(std::string_view(value));
}

std::string json_of(const Consumer& consumer, const Offsets& ends) {
  std::string json = "{";
  int32_t topic = -1;
  for (const auto& [place, end] : ends) {
    if (place.first != topic) {
      if (topic >= 0) json += "}, ";
      topic = place.first;
      json += pg::call([&] {
        StringInfoData name;
        initStringInfo(&name);
        escape_json(&name, consumer.topics[static_cast<size_t>(topic)].c_str());
        return name.data;
      });
      json += ": {";
    } else {
      json += ", ";
    }
    json += '"' + std::to_string(place.second) + "\": " + std::to_string(end);
  }
  return json + (topic >= 0 ? "}}" : "}");
}

}  // namespace

const char* name_of(WorkerState state) {
  switch (state) {
    case WorkerState::waiting:
      return "waiting";
    case WorkerState::starting:
      return "starting";
    case WorkerState::connecting:
      return "connecting";
    case WorkerState::running:
      return "running";
    case WorkerState::idle:
      return "idle";
    case WorkerState::backoff:
      return "backoff";
    case WorkerState::error:
      return "error";
    case WorkerState::finished:
      return "finished";
    case WorkerState::stopped:
      return "stopped";
  }
  return "unknown";
}

void Status::set(WorkerState state, const Failure* reason) {
  const std::string why = reason == nullptr ? std::string() : reason->message;
  if (state == state_ && why == last_reason_) return;
  // A retry that fails for the same reason is nothing that the log should tell again.
  const bool retry = state == WorkerState::connecting && !last_reason_.empty();
  const bool known = reason != nullptr && why == last_reason_;
  state_ = state;
  if (!retry && !known) log_change(reason);
  if (!retry) last_reason_ = why;
  try {
    write(reason);
  } catch (const pg::Error& error) {
    if (error.sqlstate() != ERRCODE_FOREIGN_KEY_VIOLATION) throw;  // dropped at this moment
  }
}

void Status::log_change(const Failure* reason) const {
  const auto consumer = static_cast<long long>(consumer_);
  const bool is_well_again = !last_reason_.empty();
  const bool ends = state_ == WorkerState::finished || state_ == WorkerState::stopped;
  pg::call([&] {
    if (reason == nullptr)
      ereport(is_well_again || ends ? LOG : DEBUG1,
              (errmsg("consumer %lld, worker %d: %s", consumer, slots_.own(), name_of(state_))));
    else
      ereport(LOG, (errmsg("consumer %lld, worker %d: %s: %s", consumer, slots_.own(), name_of(state_),
                           reason->message.c_str()),
                    reason->detail.empty() ? 0 : errdetail_log("%s", reason->detail.c_str())));
  });
}

void Status::log(const std::string& line) const {
  pg::call([&] {
    ereport(LOG, (errmsg("consumer %lld, worker %d: %s", static_cast<long long>(consumer_), slots_.own(),
                         pg::readable(line.c_str()))));
  });
}

/// Before it holds its own, what it does is said of that one.
pg::Param Status::slots() const {
  std::vector<int32> slots(slots_.held().begin(), slots_.held().end());
  if (slots.empty()) slots.push_back(slots_.own());
  return pg::Param::int4s(slots);
}

void Status::write(const Failure* reason) {
  Transaction transaction;
  commit_without_waiting();
  {
    pg::Spi spi;
    if (reason == nullptr) {
      run_as_owner(spi,
                   R"(INSERT INTO $S.pipeline_kafka_workers AS w (consumer_id, slot, pid, state)
                      SELECT $1, slot, $3, $4 FROM unnest($2) AS slot
                       WHERE EXISTS (SELECT FROM $S.pipeline_kafka_consumers WHERE id = $1)
                      ON CONFLICT (consumer_id, slot) DO UPDATE
                      SET pid = excluded.pid, state = excluded.state, since = clock_timestamp(),
                          detail = CASE WHEN excluded.state IN ('connecting', 'stopped') THEN w.detail END,
                          hint = CASE WHEN excluded.state IN ('connecting', 'stopped') THEN w.hint END)",
                   {pg::Param::int8(consumer_), slots(), pg::Param::int4(MyProcPid),
                    pg::Param::text(std::string_view(name_of(state_)))});
    } else {
      run_as_owner(spi,
                   R"(INSERT INTO $S.pipeline_kafka_workers AS w
                          (consumer_id, slot, pid, state, detail, hint, last_error, last_error_at, error_sqlstate,
                           error_topic, error_partition, error_offset, error_detail, error_column)
                      SELECT $1, slot, $3, $4, concat_ws(E'\n', $5, $6), $7, $5, clock_timestamp(), $8, $9,
                             nullif($10, -1), nullif($11, -1), $6, $12
                        FROM unnest($2) AS slot
                      WHERE EXISTS (SELECT FROM $S.pipeline_kafka_consumers WHERE id = $1)
                      ON CONFLICT (consumer_id, slot) DO UPDATE
                      SET pid = excluded.pid, state = excluded.state, since = clock_timestamp(),
                          detail = excluded.detail, hint = excluded.hint, last_error = excluded.last_error,
                          last_error_at = excluded.last_error_at, error_sqlstate = excluded.error_sqlstate,
                          error_topic = excluded.error_topic, error_partition = excluded.error_partition,
                          error_offset = excluded.error_offset, error_detail = excluded.error_detail,
                          error_column = excluded.error_column)",
                   {pg::Param::int8(consumer_), slots(), pg::Param::int4(MyProcPid),
                    pg::Param::text(std::string_view(name_of(state_))),
                    pg::Param::text(std::string_view(reason->message)), optional_text(reason->detail),
                    optional_text(reason->hint), pg::Param::text(std::string_view(reason->sqlstate)),
                    pg::Param::text(reason->topic), pg::Param::int4(reason->partition.value_or(-1)),
                    pg::Param::int8(reason->offset.value_or(-1)), optional_text(reason->column)});
    }
  }
  transaction.commit();
}

void Status::note_batch(int64_t messages, const Applier::Way& way) {
  way_ = way;
  has_applied_ = true;
  const int64_t now = duration_cast<seconds>(Clock::now().time_since_epoch()).count();
  Second& second = seconds_[static_cast<size_t>(now % 60)];
  if (second.number != now) second = {now, 0};
  second.messages += messages;
  committed_ = true;
  dirty_ = true;
}

void Status::note_rejections(const Consumer& consumer, const Rejections& rejections) {
  unlogged_rejections_ += static_cast<int64_t>(rejections.size());
  const Clock::time_point now = Clock::now();
  if (now - rejections_logged_ < log_interval) return;
  rejections_logged_ = now;
  const auto& [message, rejection] = *rejections.rbegin();
  const Failure failure = at_message(rejection.failure, consumer, *message);
  const auto count = static_cast<long long>(std::exchange(unlogged_rejections_, 0));
  pg::call([&] {
    ereport(LOG, (errmsg("consumer %lld, worker %d: %lld messages rejected, the last one: %s",
                         static_cast<long long>(consumer_), slots_.own(), count, failure.message.c_str()),
                  errdetail_log("Topic \"%s\", partition %d, offset %lld%s%s.", failure.topic->c_str(),
                                *failure.partition, static_cast<long long>(*failure.offset),
                                failure.column.empty() ? "" : ", column ", failure.column.c_str())));
  });
}

double Status::rate() const {
  const Clock::time_point now = Clock::now();
  const int64_t newest = duration_cast<seconds>(now.time_since_epoch()).count();
  int64_t messages = 0;
  for (const Second& second : seconds_)
    if (second.number > newest - 60) messages += second.messages;
  const double span = std::min(60.0, std::chrono::duration<double>(now - started_).count());
  return static_cast<double>(messages) / std::max(1.0, span);
}

void Status::refresh(const Consumer& consumer) {
  const Clock::time_point now = Clock::now();
  if (now - refreshed_ < refresh_interval) return;
  if (!dirty_ && ends_ == written_ends_) return;
  refreshed_ = now;
  Transaction transaction;
  commit_without_waiting();
  {
    pg::Spi spi;
    run_as_owner(spi,
                 R"(UPDATE $S.pipeline_kafka_workers
                    SET rate = $3, end_offsets = $4::jsonb, end_offsets_at = clock_timestamp(),
                        apply = CASE WHEN $6 = '' THEN apply ELSE $6 END,
                        apply_reason = CASE WHEN $6 = '' THEN apply_reason ELSE nullif($7, '') END,
                        last_commit_at = CASE WHEN $5 THEN clock_timestamp() ELSE last_commit_at END
                    WHERE consumer_id = $1 AND slot = $2)",
                 {pg::Param::int8(consumer_),
                  pg::Param::int4(slots_.own()),
                  {FLOAT8OID, Float8GetDatum(rate())},
                  pg::Param::text(std::string_view(json_of(consumer, ends_))),
                  pg::Param::boolean(committed_),
                  pg::Param::text(std::string_view(!has_applied_ ? ""
                                                   : way_.fast   ? "fast"
                                                                 : "general")),
                  pg::Param::text(std::string_view(way_.reason))});
  }
  transaction.commit();
  // Once more after the last batch, so that the rate falls to zero.
  dirty_ = rate() > 0;
  committed_ = false;
  written_ends_ = ends_;
}

}  // namespace kafka_fdw::ingest
