#pragma once

#include <optional>

#include "ingest/worker.h"

/// Workers for which no process was free: a queue in shared memory, which only a preloaded library has, for the
/// launcher.
namespace kafka_fdw::ingest {

/// While shared_preload_libraries are loaded.
void reserve_unstarted();

/// Has the launcher start it once a process is free. False: there is no launcher, or too many wait already.
bool queue_unstarted(const WorkerArguments& worker) noexcept;

/// By the launcher: it is woken from now on.
void watch_unstarted();

/// The next one, without taking it out.
std::optional<WorkerArguments> next_unstarted() noexcept;
void drop_next_unstarted() noexcept;

}  // namespace kafka_fdw::ingest
