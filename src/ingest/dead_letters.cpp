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

/// 9999-12-31, as far as a timestamp is kept.
constexpr int64_t latest_timestamp_ms = 253'402'300'799'999;

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

}  // namespace kafka_fdw::ingest
