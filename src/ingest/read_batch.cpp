#include "ingest/read_batch.h"

#include "fdw/connection.h"
#include "pg/wait.h"

namespace kafka_fdw::ingest {

kafka::MessageBatch read_batch(kafka::Client& client, kafka::RangeReader& reader, const BatchLimits& limits) {
  using Status = kafka::RangeReader::Status;
  kafka::MessageBatch batch;
  uint64_t progress = reader.progress();
  auto last_progress = pg::Clock::now();
  while (batch.size() < limits.messages && batch.bytes() < limits.bytes) {
    client.drain_events();
    client.serve_errors();
    const Status status = reader.poll(batch, limits.messages - batch.size(), limits.bytes - batch.bytes());
    if (status == Status::finished) break;
    if (status == Status::messages) continue;
    if (reader.progress() != progress) {
      progress = reader.progress();
      last_progress = pg::Clock::now();
    } else if (pg::Clock::now() - last_progress > fdw::read_timeout()) {
      throw kafka::Error(kafka::ErrorClass::timed_out, "no message came within kafka_fdw.read_timeout",
                         client.last_trouble());
    }
    pg::wait_readable(client.event_descriptor(), std::chrono::seconds(1));
  }
  return batch;
}

}  // namespace kafka_fdw::ingest
