#pragma once

#include <optional>
#include <string>

#include "ingest/consumer.h"

extern "C" {
#include "nodes/execnodes.h"
#include "utils/relcache.h"
}

/// Whether rows can go into a consumer's stream without the executor's INSERT, in batches. What could see a difference
/// rules it out: triggers (foreign keys are some), rules, row-level security, constraints that are checked later, and
/// tables that are no heaps.
namespace kafka_fdw::ingest {

/// Why not, in a few words; absent: they can. The stream with all its partitions. In a transaction, as the consumer's
/// owner.
std::optional<std::string> obstacle_to_fast_insert(const Consumer& consumer);

/// The same for one relation that is opened and locked, without its partitions; null: there is none. May raise: call it
/// inside pg::call.
const char* obstacle_of_relation(Relation relation);

}  // namespace kafka_fdw::ingest
