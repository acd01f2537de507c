#include "ingest/catalog_watch.h"

#include "pg/boundary.h"

extern "C" {
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace kafka_fdw::ingest {

namespace {

uint64_t changes = 0;

}  // namespace

uint64_t catalog_changes() noexcept { return changes; }

void watch_catalog() {
  pg::call([] {
    CacheRegisterRelcacheCallback([](Datum, Oid) { ++changes; }, 0);
    for (const int cache : {FOREIGNSERVEROID, USERMAPPINGOID, NAMESPACEOID, PROCOID, TYPEOID, AUTHOID, AUTHMEMROLEMEM})
      CacheRegisterSyscacheCallback(
          cache, [](Datum, int, uint32) { ++changes; }, 0);
  });
}

}  // namespace kafka_fdw::ingest
