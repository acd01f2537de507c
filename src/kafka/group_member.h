#pragma once

#include "kafka/client_config.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

/// For clients whose errors show in the answers to what they are asked.
class IgnoreErrors final : public ErrorListener {
  void on_error(rd_kafka_resp_err_t, const char*) noexcept override {}
};

struct DestroyGroupMember {
  void operator()(rd_kafka_t* handle) const noexcept {
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
};
using GroupMember = std::unique_ptr<rd_kafka_t, DestroyGroupMember>;

/// A client that belongs to the group, but does not join it. The listener must outlive it. Throws Error(bad_property).
GroupMember make_group_member(Properties properties, const std::string& group, ErrorListener& listener);

}  // namespace kafka_fdw::kafka
