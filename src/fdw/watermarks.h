#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fdw/connection.h"

namespace kafka_fdw::fdw {

/// Asks the broker for the partitions of a topic and their watermarks, by partition; waits interruptibly.
/// Throws kafka::Error; where no broker could be reached it names server and brokers.
std::vector<kafka::Watermarks> fetch_watermarks(kafka::Client& client, const Connection& connection,
                                                const std::string& topic, std::chrono::milliseconds timeout);

}  // namespace kafka_fdw::fdw
