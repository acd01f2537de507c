#pragma once

#include <functional>
#include <vector>

#include "fdw/connection.h"
#include "ingest/advance.h"
#include "ingest/failure.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::ingest {

/// The server of the consumer; raises 42501 unless the current role may use it. In a transaction.
Oid server_of(const Consumer& consumer);

/// How the user connects for the consumer: with the properties of its source. In a transaction. `reading` few: for a
/// look at single messages.
fdw::Connection load_connection(const Consumer& consumer, Oid user, kafka::Reading reading = kafka::Reading::many);

/// A partition whose log does not go on where the consumer stands.
struct Gap {
  Place place;
  int64_t stored;   ///< the consumer's next offset
  int64_t goes_on;  ///< where the consumer's on_gap says; for stop, meaningless
  Failure failure;
};

/// Where the consumer goes on in its partitions, and how far the log reaches now.
struct Survey {
  std::vector<kafka::Range> ranges;    ///< from the stored offset, or the earliest, to the end of the log; sorted
  Offsets first;                       ///< of the partitions that have no stored offset yet: the earliest
  std::vector<Gap> gaps;               ///< of partitions that are in ranges as if there were none
  std::vector<std::string> topic_ids;  ///< of the consumer's topics; empty ones are not known
};

/// Asks the brokers about the partitions that `is_own` holds for, and whether their logs are still those that the
/// consumer knows; `few` is how to look at single messages.
Survey survey_log(kafka::Client& client, const fdw::Connection& few, const Consumer& consumer,
                  const PartitionStates& stored, const std::function<bool(int32_t partition)>& is_own);

/// The failure of the first gap, if the consumer stops at gaps.
const Failure* stopping_gap(const Consumer& consumer, const Survey& survey) noexcept;

}  // namespace kafka_fdw::ingest
