#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ingest/attributes.h"
#include "pg/spi.h"

namespace kafka_fdw::ingest {

using ConsumerId = int64_t;

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
  std::string search_path;
  std::string owner;
  bool enabled = false;
  int64_t epoch = 0;
  bool at_home = true;  ///< it was begun in this database of this cluster
};

/// As the extension's owner, in a fresh snapshot; absent where there is no such consumer.
std::optional<Consumer> load_consumer(pg::Spi& spi, ConsumerId id);
std::optional<Consumer> find_consumer(pg::Spi& spi, Oid stream, const std::string& topic);

/// The columns of the stream that the default statement fills: those that the source, with these columns, has too.
std::vector<Attribute> matched_columns(const Consumer& consumer, const std::vector<Attribute>& source);

/// The statement that applies a batch: the consumer's own, or INSERT INTO stream (…) SELECT … FROM source.
std::string apply_statement(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
