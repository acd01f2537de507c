#include "ingest/tally.h"

#include <algorithm>

#include "pg/boundary.h"

extern "C" {
#include "port/pg_crc32c.h"
}

namespace kafka_fdw::ingest {

namespace {

/// The length tells a null from what is empty, and where the key ends.
void add_bytes(pg_crc32c& crc, const std::optional<std::string_view>& bytes) {
  const int64_t length = bytes ? static_cast<int64_t>(bytes->size()) : -1;
  COMP_CRC32C(crc, &length, sizeof(length));
  if (bytes) COMP_CRC32C(crc, bytes->data(), bytes->size());
}

}  // namespace

Identity identity_of(const kafka::Message& message) {
  pg_crc32c crc = 0;
  INIT_CRC32C(crc);
  add_bytes(crc, message.key);
  add_bytes(crc, message.value);
  FIN_CRC32C(crc);
  return {.offset = message.offset, .timestamp_ms = message.timestamp_ms, .checksum = static_cast<int64_t>(crc)};
}

void Tally::add(const Tally& other) {
  messages += other.messages;
  rows += other.rows;
  tombstones += other.tombstones;
  rejected += other.rejected;
  last_timestamp_ms = std::max(last_timestamp_ms, other.last_timestamp_ms);
  if (other.identity && (!identity || identity->offset < other.identity->offset)) identity = other.identity;
}

int64_t rows_of(const Tallies& tallies) noexcept {
  int64_t rows = 0;
  for (const auto& [place, tally] : tallies) rows += tally.rows;
  return rows;
}

}  // namespace kafka_fdw::ingest
