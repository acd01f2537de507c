#pragma once

#include <functional>
#include <vector>

#include "fdw/connection.h"
#include "ingest/failure.h"
#include "ingest/step.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::ingest {

/// The server of the consumer; raises 42501 unless the current role may use it. In a transaction.
Oid server_of(const Consumer& consumer);

/// How the user connects for the consumer: with the properties of its source. In a transaction.
fdw::Connection load_connection(const Consumer& consumer, Oid user);

/// Where the consumer goes on in its partitions, and how far the log reaches now.
struct Survey {
  std::vector<kafka::Range> ranges;  ///< from the stored offset, or the earliest, to the end of the log; sorted
  Offsets first;                     ///< of the partitions that have no stored offset yet: the earliest
};

/// Asks the broker about the partitions that `is_own` holds for. Throws Stop where a stored offset is not in the log.
Survey survey_log(kafka::Client& client, const Consumer& consumer, const Offsets& stored,
                  const std::function<bool(int32_t partition)>& is_own);

}  // namespace kafka_fdw::ingest
