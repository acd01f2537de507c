/// Functions for the project's own tests. The extension's script does not create them; a test does, where it needs
/// them.

#include <stdexcept>

#include "decode/value.h"
#include "kafka/error.h"
#include "kafka/pool.h"
#include "pg/boundary.h"

extern "C" {
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kafka_test_counters);
PG_FUNCTION_INFO_V1(kafka_test_throw);
}

namespace kafka_fdw::pg {

namespace {

constexpr std::chrono::milliseconds drain_time{5000};

/// Has a destructor that must run, whatever is thrown.
class Counted {
 public:
  Counted() { count_owned_objects(1); }
  ~Counted() { count_owned_objects(-1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

void throw_by_name(std::string_view kind) {
  if (kind == "unreachable")
    throw kafka::Error(kafka::ErrorClass::unreachable, "nobody there", "The detail.", "The hint.");
  if (kind == "decode") throw decode::Error("22P02", "not a number");
  if (kind == "out of memory") throw std::bad_alloc();
  if (kind == "exception") throw std::runtime_error("a standard exception");
  if (kind == "int") throw 1;
  call([] {
    ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("raised by PostgreSQL"), errdetail("The detail."),
                    errhint("The hint."), errcontext("the context")));
  });
}

/// Frames between the guard and what is thrown.
void throw_deep(std::string_view kind, int depth) {
  const Counted counted;
  if (depth == 0)
    throw_by_name(kind);
  else
    throw_deep(kind, depth - 1);
}

}  // namespace

}  // namespace kafka_fdw::pg

/// text: objects that memory contexts own, client handles alive, and those of them that idle in the pool.
Datum kafka_test_counters(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  (void)fcinfo;
  return pg::entry([] {
    kafka::Reaper::drain(pg::drain_time);
    const auto objects = static_cast<long long>(pg::owned_objects());
    const size_t clients = kafka::live_clients();
    const size_t idle = kafka::Pool::instance().idle_clients();
    return pg::call([&] {
      return PointerGetDatum(cstring_to_text(psprintf("objects %lld, clients %zu, idle %zu", objects, clients, idle)));
    });
  });
}

/// (text) raises what the argument names, from several frames down.
Datum kafka_test_throw(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    const char* kind = pg::call([&] { return static_cast<const char*>(text_to_cstring(PG_GETARG_TEXT_PP(0))); });
    pg::throw_deep(kind, 5);
    return static_cast<Datum>(0);
  });
}
