#pragma once

#include "pg/boundary.h"

extern "C" {
#include "foreign/fdwapi.h"
}

namespace kafka_fdw::fdw {

/// Whether the routine is the one that our handler makes.
bool is_kafka_routine(const FdwRoutine* routine) noexcept;

}  // namespace kafka_fdw::fdw
