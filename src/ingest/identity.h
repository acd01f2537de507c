#pragma once

#include <cstdint>

#include "kafka/message.h"

namespace kafka_fdw::ingest {

/// What is kept of the last message that was taken, to tell whether the log is still the same one.
struct Identity {
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  int64_t checksum = 0;  ///< CRC-32C of key and value
  bool operator==(const Identity&) const = default;
};

Identity identity_of(const kafka::Message& message);

}  // namespace kafka_fdw::ingest
