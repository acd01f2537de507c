#include "pg/arguments.h"

#include "pg/fail.h"

extern "C" {
#include "utils/builtins.h"
}

namespace kafka_fdw::pg {

namespace {

bool is_null(FunctionCallInfo function, int place) { return function->args[place].isnull; }

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

}  // namespace kafka_fdw::pg
