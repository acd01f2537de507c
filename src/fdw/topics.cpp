#include "fdw/scoped_lease.h"
#include "fdw/server.h"
#include "fdw/watermarks.h"
#include "pg/datum.h"

extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kafka_topics);
}

namespace kafka_fdw::fdw {

namespace {

void return_topics(FunctionCallInfo fcinfo, const std::vector<kafka::TopicInfo>& topics) {
  pg::call([&] {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const kafka::TopicInfo& topic : topics) {
      // Brokers give names: any bytes.
      Datum values[] = {CStringGetTextDatum(pg::printable(topic.name)),
                        Int32GetDatum(static_cast<int32>(topic.partitions.size())),
                        Int32GetDatum(topic.replication_factor), BoolGetDatum(topic.internal)};
      bool nulls[] = {false, false, false, false};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  });
}

}  // namespace

}  // namespace kafka_fdw::fdw

Datum kafka_topics(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    const fdw::Connection connection = fdw::connect_to_server(NameStr(*PG_GETARG_NAME(0)));
    fdw::ScopedLease lease(connection);
    const auto topics = fdw::fetch_topics(lease.client(), connection);
    lease.give_back();
    fdw::return_topics(fcinfo, topics);
    return static_cast<Datum>(0);
  });
}
