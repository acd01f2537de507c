#pragma once

#include "ingest/consumer.h"
#include "ingest/tally.h"

namespace kafka_fdw::ingest {

/// With kafka_fdw.notify: sends NOTIFY kafka_consumed when the current transaction commits.
void notify_of(const Consumer& consumer, const Tallies& tallies);

}  // namespace kafka_fdw::ingest
