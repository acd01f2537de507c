#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fdw/connection.h"
#include "fdw/position.h"
#include "ingest/consumer.h"

/// Positions of a consumer's topics, asked from the broker with its owner's rights.
namespace kafka_fdw::ingest {

/// The way to the consumer's server, as its owner. Throws pg::Error 42501 without USAGE.
fdw::Connection connection_of(const Consumer& consumer);

struct TopicOffset {
  std::string topic;
  int64_t offset;
  kafka::Watermarks log;  ///< the partition, and what is in its log now
};

/// The offset of each partition that the consumer takes and the position speaks of; it may be past the end. Asked from
/// the consumer's broker. Throws pg::Error 22023 for a partition that does not exist.
std::vector<TopicOffset> resolve_position(const Consumer& consumer, const fdw::Position& position);

/// Throws pg::Error 22023 for an offset past the end.
void check_within_log(const std::vector<TopicOffset>& offsets);

/// Sets the next offsets of a consumer. What was counted since, and what the last message was, is forgotten.
void store_offsets(pg::Spi& spi, ConsumerId id, const std::vector<TopicOffset>& offsets);

/// Resolves the start of the consumer and stores it for partitions that have no offset yet: nothing for `earliest`,
/// where these start. Warns of topics that do not exist. Throws kafka::Error 08006 unless the start is `earliest`, for
/// which it only warns.
void store_start(pg::Spi& spi, const Consumer& consumer);

}  // namespace kafka_fdw::ingest
