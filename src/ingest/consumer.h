#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decode/decoder.h"
#include "ingest/attributes.h"
#include "pg/spi.h"

namespace kafka_fdw::ingest {

using ConsumerId = int64_t;

/// What happens to a message that cannot be taken.
enum class OnError : uint8_t { stop, ignore, dead_letter };
/// Where a consumer goes on whose stored offset is not in the log any more.
enum class OnGap : uint8_t { stop, earliest, latest };
using decode::Envelope;

/// This database takes the partitions p with p mod count = index.
struct Shard {
  int index = 0;
  int count = 1;
};

/// A row of pipeline_kafka_consumers.
struct Consumer {
  ConsumerId id = 0;
  Oid stream = InvalidOid;
  std::string stream_name;
  std::string topic;
  std::vector<std::string> topics;  ///< bound: topic first
  Oid source = InvalidOid;          ///< InvalidOid: none, the statement names its own
  bool owns_source = false;
  std::optional<std::string> statement;  ///< absent: the default INSERT
  std::vector<std::string> columns;      ///< COPY's column list; empty: all
  std::string server;
  int parallelism = 1;
  std::string format;
  std::optional<std::string> delimiter;
  std::string start;
  int batch_size = 0;
  int64_t batch_bytes = 0;
  std::chrono::milliseconds batch_delay{};
  std::optional<std::string> until;  ///< a position; absent: for ever
  OnError on_error = OnError::stop;
  std::optional<int64_t> reject_limit;
  OnGap on_gap = OnGap::stop;
  Envelope envelope = Envelope::none;
  std::string key_format;       ///< raw, text or json
  std::optional<int> max_rate;  ///< messages a second
  Shard shard;
  std::optional<std::string> group_id;
  std::string search_path;
  std::string owner;
  bool enabled = false;
  int64_t epoch = 0;
  bool at_home = true;  ///< it was begun in this database of this cluster

  /// Whether the worker of that slot takes the partition.
  bool takes(int slot, int32_t partition) const noexcept {
    return partition % shard.count == shard.index && partition / shard.count % parallelism == slot;
  }
  /// Whether any worker does.
  bool takes(int32_t partition) const noexcept { return partition % shard.count == shard.index; }
};

// As the arguments of kafka_consume_begin say them. The parsers give nothing for any other word.
const char* name_of(OnError on_error) noexcept;
const char* name_of(OnGap on_gap) noexcept;
const char* name_of(Envelope envelope) noexcept;
std::optional<OnError> parse_on_error(std::string_view text) noexcept;
std::optional<OnGap> parse_on_gap(std::string_view text) noexcept;
std::optional<Envelope> parse_envelope(std::string_view text) noexcept;
/// 'index/count', or empty for the whole topic.
std::optional<Shard> parse_shard(std::string_view text) noexcept;
std::string text_of(const Shard& shard);  ///< empty for the whole topic

/// As the extension's owner, in a fresh snapshot or the active one; absent where there is no such consumer.
std::optional<Consumer> load_consumer(pg::Spi& spi, ConsumerId id, bool in_active_snapshot = false);
std::optional<Consumer> find_consumer(pg::Spi& spi, Oid stream, const std::string& topic);

/// The columns of the stream that the default statement fills: those that the source, with these columns, has too.
std::vector<Attribute> matched_columns(const Consumer& consumer, const std::vector<Attribute>& source);

/// The statement that applies a batch: the consumer's own, that of its envelope, or INSERT INTO stream (…) SELECT …
/// FROM source.
std::string apply_statement(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
