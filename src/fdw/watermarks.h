#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fdw/connection.h"

namespace kafka_fdw::fdw {

/// Asks the broker for the partitions of a topic and their watermarks, by partition; waits interruptibly.
/// Throws kafka::Error as the client gives it.
std::vector<kafka::Watermarks> ask_watermarks(kafka::Client& client, const std::string& topic,
                                              std::chrono::milliseconds timeout);

/// As ask_watermarks, but within connect_timeout and with explained errors.
std::vector<kafka::Watermarks> fetch_watermarks(kafka::Client& client, const Connection& connection,
                                                const std::string& topic);
/// The error of a question about the topic, with more for users: server and brokers where none could be reached, and
/// the topic that was perhaps meant where it does not exist.
[[noreturn]] void throw_explained(const kafka::Error& error, kafka::Client& client, const Connection& connection,
                                  const std::string& topic);

/// All topics of the server, by name.
std::vector<kafka::TopicInfo> fetch_topics(kafka::Client& client, const Connection& connection);
/// By number.
std::vector<int32_t> partitions_of(const std::vector<kafka::TopicInfo>& topics);
std::vector<int32_t> fetch_partitions(kafka::Client& client, const Connection& connection, const std::string& topic);

/// Likewise the first offset, in each partition, of a message of that time or a later one; the end where there is none.
std::vector<int64_t> fetch_offsets_at(kafka::Client& client, const Connection& connection, const std::string& topic,
                                      const std::vector<int32_t>& partitions, int64_t timestamp_ms);

}  // namespace kafka_fdw::fdw
