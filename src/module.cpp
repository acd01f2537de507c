#include "module.h"

#include <climits>

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;
void _PG_init(void);
}

#include "ingest/launcher.h"
#include "ingest/stored.h"

namespace kafka_fdw {

Settings settings;

namespace {

void define_duration(const char* name, const char* description, int* value, int boot_ms, int min_ms,
                     GucContext context) {
  DefineCustomIntVariable(name, description, nullptr, value, boot_ms, min_ms, INT_MAX, context, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
}

void define_settings() {
  define_duration("kafka_fdw.connect_timeout", "Longest time to reach a Kafka broker.", &settings.connect_timeout_ms,
                  10000, 100, PGC_USERSET);
  define_duration("kafka_fdw.read_timeout", "Longest time that a scan waits without progress.",
                  &settings.read_timeout_ms, 60000, 100, PGC_USERSET);
  DefineCustomIntVariable("kafka_fdw.fetch_buffer", "Memory for messages of one scan or one worker.",
                          "Queue, fetches on their way and the batch held, together.", &settings.fetch_buffer_kb,
                          64 * 1024, 1024, 1024 * 1024, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  define_duration("kafka_fdw.restart_interval", "Least time between two starts of one worker.",
                  &settings.restart_interval_ms, 1000, 10, PGC_SIGHUP);
  DefineCustomBoolVariable("kafka_fdw.autostart", "Start enabled consumers when the server starts.", nullptr,
                           &settings.autostart, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("kafka_fdw.max_workers", "Most consumer workers of the server; -1 means no limit.", nullptr,
                          &settings.max_workers, -1, -1, 1024, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  define_duration("kafka_fdw.metadata_ttl", "How long watermarks are kept for row estimates.",
                  &settings.metadata_ttl_ms, 5000, 0, PGC_USERSET);
  DefineCustomBoolVariable("kafka_fdw.fast_apply", "Insert the rows of consumers in batches where that is possible.",
                           "Off: always by the statement, for tests.", &settings.fast_apply, true, PGC_USERSET, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("kafka_fdw.notify", "Send NOTIFY kafka_consumed with each batch that a consumer commits.",
                           nullptr, &settings.notify, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("kafka_fdw");
}

}  // namespace

}  // namespace kafka_fdw

void _PG_init(void) {
  kafka_fdw::define_settings();
  kafka_fdw::ingest::provide_stored_offsets();
  // pg_upgrade's servers must not change what it copies.
  if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade) kafka_fdw::ingest::register_launcher();
}
