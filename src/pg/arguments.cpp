#include "pg/arguments.h"

#include "pg/fail.h"

extern "C" {
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

#include <algorithm>

namespace kafka_fdw::pg {

namespace {

bool is_null(FunctionCallInfo function, int place) { return function->args[place].isnull; }

/// Beyond it, to infinity, lies what nobody waits for; it can be added to a clock's nanoseconds.
constexpr std::chrono::milliseconds longest_time = std::chrono::days(36500);

}  // namespace

std::string required_text(FunctionCallInfo function, int place, const char* name) {
  if (is_null(function, place))
    fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string("argument \"") + name + "\" must not be null");
  return *optional_text(function, place);
}

std::optional<std::string> optional_text(FunctionCallInfo function, int place) {
  if (is_null(function, place)) return std::nullopt;
  return std::string(call([&] { return TextDatumGetCString(function->args[place].value); }));
}

std::optional<int32_t> optional_int(FunctionCallInfo function, int place) {
  if (is_null(function, place)) return std::nullopt;
  return DatumGetInt32(function->args[place].value);
}

std::optional<int64_t> optional_bigint(FunctionCallInfo function, int place) {
  if (is_null(function, place)) return std::nullopt;
  return DatumGetInt64(function->args[place].value);
}

std::chrono::milliseconds milliseconds_of(const void* interval) {
  const auto* span = static_cast<const Interval*>(interval);
  const std::chrono::milliseconds days =
      std::chrono::days(span->day) + std::chrono::days(int64_t{span->month} * DAYS_PER_MONTH);
  return std::clamp(days + std::chrono::milliseconds(span->time / 1000), -longest_time, longest_time);
}

}  // namespace kafka_fdw::pg
