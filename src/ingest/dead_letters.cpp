#include "ingest/dead_letters.h"

#include <algorithm>

#include "ingest/state.h"
#include "pg/datum.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/builtins.h"
}

namespace kafka_fdw::ingest {

namespace {

/// The last of timestamptz, 294276-12-31: later ones are not kept.
constexpr int64_t latest_timestamp_ms = 9'224'318'015'999'999;

pg::Param bytes(const std::optional<std::string_view>& value) {
  if (!value) return pg::Param::null_of(BYTEAOID);
  return pg::call([&] {
    return pg::Param{BYTEAOID,
                     PointerGetDatum(cstring_to_text_with_len(value->data(), static_cast<int>(value->size())))};
  });
}

pg::Param headers_of(const kafka::Message& message) {
  std::vector<kafka::Header> headers = kafka::headers(message);
  if (headers.empty()) return pg::Param::null_of(JSONBOID);
  std::ranges::stable_sort(headers, {}, &kafka::Header::name);
  return pg::call([&] { return pg::Param{JSONBOID, pg::datum_of_headers(headers)}; });
}

pg::Param timestamp_of(const kafka::Message& message) {
  if (message.timestamp_ms < 0 || message.timestamp_ms > latest_timestamp_ms) return pg::Param::null_of(TIMESTAMPTZOID);
  return pg::call([&] {
    return pg::Param{TIMESTAMPTZOID, pg::datum_of_timestamp(TIMESTAMPTZOID, message.timestamp_ms)};
  });
}

pg::Param text_or_null(const std::string& text) {
  return text.empty() ? pg::Param::null_of(TEXTOID) : pg::Param::text(std::string_view(text));
}

std::optional<std::string_view> bytes_of(const pg::Rows& rows, size_t row, int column) {
  bool null = false;
  const Datum datum = rows.datum(row, column, &null);
  if (null) return std::nullopt;
  return pg::call([&] {
    const bytea* value = DatumGetByteaPP(datum);
    return std::string_view(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
  });
}

/// Columns 2 to 8 are topic, partition, offset, timestamp, key, value and headers.
kafka::Message rebuild(const Consumer& consumer, const pg::Rows& rows, size_t row) {
  const auto topic = std::ranges::find(consumer.topics, rows.string(row, 2));
  kafka::Message message{.topic = static_cast<int32_t>(topic - consumer.topics.begin()),
                         .partition = static_cast<int32_t>(*rows.integer(row, 3)),
                         .offset = *rows.integer(row, 4),
                         .timestamp_ms = -1,
                         .key = bytes_of(rows, row, 6),
                         .value = bytes_of(rows, row, 7)};
  bool null = false;
  const Datum timestamp = rows.datum(row, 5, &null);
  if (!null) message.timestamp_ms = pg::milliseconds_of_timestamp(timestamp);
  const Datum headers = rows.datum(row, 8, &null);
  if (!null) message.kept_headers = pg::call([&] { return pg::headers_of_datum(headers); });
  return message;
}

}  // namespace

int64_t store_dead_letters(const Consumer& consumer, const Rejections& rejections) {
  if (rejections.empty()) return 0;
  pg::Spi spi;
  int64_t id = 0;
  for (const auto& [message, rejection] : rejections) {
    const Failure& failure = rejection.failure;
    const pg::Rows rows = run_as_owner(
        spi, R"(INSERT INTO $S.pipeline_kafka_errors (consumer_id, topic, partition, message_offset, message_timestamp,
                  key, value, headers, sqlstate, error, detail, column_name)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id)",
        {pg::Param::int8(consumer.id),
         pg::Param::text(std::string_view(consumer.topics[static_cast<size_t>(message->topic)])),
         pg::Param::int4(message->partition), pg::Param::int8(message->offset), timestamp_of(*message),
         bytes(message->key), bytes(message->value), headers_of(*message),
         pg::Param::text(std::string_view(failure.sqlstate)), pg::Param::text(std::string_view(failure.message)),
         text_or_null(failure.detail), text_or_null(failure.column)});
    id = *rows.integer(0, 1);
  }
  return id;
}

int64_t store_loss(pg::Spi& spi, const Consumer& consumer, const Failure& failure) {
  const pg::Rows rows =
      run_as_owner(spi, R"(
      INSERT INTO $S.pipeline_kafka_errors (consumer_id, topic, partition, message_offset, sqlstate, error, detail)
      VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id)",
                   {pg::Param::int8(consumer.id), pg::Param::text(failure.topic), pg::Param::int4(failure.partition),
                    pg::Param::int8(failure.offset), pg::Param::text(std::string_view(not_in_log)),
                    pg::Param::text(std::string_view(failure.message)), text_or_null(failure.detail)});
  return *rows.integer(0, 1);
}

/// The next ones in order, by their ids.
std::vector<int64_t> DeadLetterReader::choose(pg::Spi& spi) {
  const pg::Rows rows = run_as_owner(
      spi, R"(
      SELECT id, topic, partition, message_offset, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)
        FROM $S.pipeline_kafka_errors
       WHERE consumer_id = $1 AND topic = ANY ($2) AND sqlstate <> $3 AND ($4 IS NULL OR id = ANY ($4))
         AND (topic, partition, message_offset, id) > ($5, $6, $7, $8)
       ORDER BY topic, partition, message_offset, id LIMIT $9)",
      {pg::Param::int8(consumer_.id), pg::Param::texts(consumer_.topics), pg::Param::text(std::string_view(not_in_log)),
       ids_, pg::Param::text(std::string_view(topic_)), pg::Param::int4(partition_), pg::Param::int8(offset_),
       pg::Param::int8(id_), pg::Param::int8(int64_t{consumer_.batch_size})});
  std::vector<int64_t> chosen;
  int64_t bytes = 0;
  for (size_t row = 0; row < rows.size() && bytes < consumer_.batch_bytes; ++row) {
    id_ = *rows.integer(row, 1);
    topic_ = rows.string(row, 2);
    partition_ = static_cast<int32_t>(*rows.integer(row, 3));
    offset_ = *rows.integer(row, 4);
    bytes += *rows.integer(row, 5);
    chosen.push_back(id_);
  }
  return chosen;
}

std::optional<DeadLetters> DeadLetterReader::read(pg::Spi& spi) {
  const std::vector<int64_t> chosen = choose(spi);
  if (chosen.empty()) return std::nullopt;
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT id, topic, partition, message_offset, message_timestamp, key, value, headers
        FROM $S.pipeline_kafka_errors WHERE id = ANY ($1)
       ORDER BY topic, partition, message_offset, id FOR UPDATE)",
                                     {pg::Param::int8s(chosen)});
  DeadLetters letters;
  for (size_t row = 0; row < rows.size(); ++row) {
    letters.ids.push_back(*rows.integer(row, 1));
    letters.messages.push_back(rebuild(consumer_, rows, row));
  }
  return letters;
}

void settle_dead_letters(pg::Spi& spi, const DeadLetters& letters, const Rejections& rejections) {
  for (const auto& [message, rejection] : rejections) {
    const Failure& failure = rejection.failure;
    run_as_owner(spi, R"(UPDATE $S.pipeline_kafka_errors SET sqlstate = $2, error = $3, detail = $4, column_name = $5
                          WHERE id = $1)",
                 {pg::Param::int8(letters.id_of(*message)), pg::Param::text(std::string_view(failure.sqlstate)),
                  pg::Param::text(std::string_view(failure.message)), text_or_null(failure.detail),
                  text_or_null(failure.column)});
  }
  std::vector<int64_t> taken;
  for (const kafka::Message& message : letters.messages)
    if (!rejections.contains(&message)) taken.push_back(letters.id_of(message));
  run_as_owner(spi, "DELETE FROM $S.pipeline_kafka_errors WHERE id = ANY ($1)", {pg::Param::int8s(taken)});
}

}  // namespace kafka_fdw::ingest
