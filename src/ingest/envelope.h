#pragma once

#include <string>

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// The statement that brings the rows of a stream in line with a batch of what messages say of them: for each primary
/// key the last counts. It gives a row for each that it deletes, inserts or updates.
///
/// All rows are locked and written in the order of the key, so that workers that meet hardly ever deadlock: only over a
/// row that one of them makes between the other's snapshot and its turn. Deletions come first, so that what they free
/// can be taken again.
std::string envelope_statement(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
