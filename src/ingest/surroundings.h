#pragma once

namespace kafka_fdw::ingest {

/// What a worker must leave to others who want it for themselves alone: its database, which they drop, rename or copy,
/// and the extension, which they drop or alter.

/// Thrown where somebody waits for the surroundings: the worker ends, to be started again afterwards.
struct Surrounded {};

/// Locks them until the end of the transaction, as a session that connects does. Throws Surrounded.
void lock_surroundings();

/// Whether somebody waits for what lock_surroundings has locked. Takes no lock.
bool are_surroundings_wanted() noexcept;

/// While it lives, what the transaction does is cancelled (57014) within a second once somebody waits: a statement may
/// run for hours.
class SurroundingsWatch {
 public:
  SurroundingsWatch();
  ~SurroundingsWatch();
  SurroundingsWatch(const SurroundingsWatch&) = delete;
  SurroundingsWatch& operator=(const SurroundingsWatch&) = delete;
};

}  // namespace kafka_fdw::ingest
