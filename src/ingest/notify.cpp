#include "ingest/notify.h"

#include "module.h"

extern "C" {
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/json.h"
}

namespace kafka_fdw::ingest {

void notify_of(const Consumer& consumer, const Tallies& tallies) {
  if (!settings.notify || tallies.empty()) return;
  const auto rows = static_cast<long long>(rows_of(tallies));
  pg::call([&] {
    StringInfoData payload;
    initStringInfo(&payload);
    appendStringInfoString(&payload, "{\"stream\": ");
    escape_json(&payload, consumer.stream_name.c_str());
    appendStringInfoString(&payload, ", \"topic\": ");
    escape_json(&payload, consumer.topic.c_str());
    appendStringInfo(&payload, ", \"rows\": %lld}", rows);
    Async_Notify("kafka_consumed", payload.data);
  });
}

}  // namespace kafka_fdw::ingest
