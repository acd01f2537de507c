#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "pg/boundary.h"

extern "C" {
#include "fmgr.h"
}

/// Arguments of SQL functions, by their place from 0.
namespace kafka_fdw::pg {

/// Throws pg::Error 22004, naming it, where it is NULL.
std::string required_text(FunctionCallInfo function, int place, const char* name);

// Absent: NULL.
std::optional<std::string> optional_text(FunctionCallInfo function, int place);
std::optional<int32_t> optional_int(FunctionCallInfo function, int place);
std::optional<int64_t> optional_bigint(FunctionCallInfo function, int place);

/// Of an Interval: a month has 30 days, and 100 years are the most either way.
std::chrono::milliseconds milliseconds_of(const void* interval);

}  // namespace kafka_fdw::pg
