#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ingest/arguments.h"
#include "ingest/consumer.h"

/// The settings of a consumer: defaults, what begin's arguments make of them, and how they are stored.
namespace kafka_fdw::ingest {

/// A new consumer of the current user, with the value that each argument has when it is NULL.
Consumer new_consumer(Oid stream, const std::string& topic);

/// The consumer with what is given. What follows from the new source or statement is not yet in it: see bind_topics.
Consumer with_arguments(const Consumer& consumer, const BeginArguments& given);

/// Finds out and checks where the messages come from: topics, server, format, delimiter. As the consumer's owner.
/// Throws pg::Error, 22023 where source, statement and arguments contradict each other.
void bind_topics(Consumer& consumer, const BeginArguments& given);

/// What differs, as "parallelism of … changes from 1 to 2".
std::vector<std::string> differences(const Consumer& before, const Consumer& after);

/// Stores a new consumer. Absent: another session has stored that stream and topic first.
std::optional<ConsumerId> insert_consumer(pg::Spi& spi, const Consumer& consumer);

/// Stores settings, source and stream; the consumer is enabled, at home here, and a change that workers notice.
void update_consumer(pg::Spi& spi, const Consumer& consumer);

}  // namespace kafka_fdw::ingest
