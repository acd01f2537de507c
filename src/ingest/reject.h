#pragma once

#include <map>

#include "ingest/failure.h"
#include "kafka/message.h"

namespace kafka_fdw::ingest {

/// A message that a consumer does not take, and why.
struct Rejection {
  Failure failure;
  bool by_statement = false;  ///< it did decode, but the statement failed for it
};

/// By message, in the order of the batch: its messages lie in memory one after the other.
using Rejections = std::map<const kafka::Message*, Rejection>;

}  // namespace kafka_fdw::ingest
