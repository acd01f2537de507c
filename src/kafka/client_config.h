#pragma once

#include "kafka/properties.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

/// Told of errors of a partition that librdkafka does not give as messages: a topic or partition that does not exist.
/// Called by the thread that polls a reader's queue, out of that call, and by no other: errors of the client as a whole
/// go to its main queue, which is polled for events only.
class ErrorListener {
 public:
  virtual ~ErrorListener() = default;
  virtual void on_error(rd_kafka_resp_err_t error, const char* reason) noexcept = 0;
};

/// The configuration of a consumer handle: our defaults, then `properties`, then what is fixed. Throws
/// Error(bad_property).
ConfHandle make_consumer_conf(const Properties& properties, ErrorListener& listener);

}  // namespace kafka_fdw::kafka
