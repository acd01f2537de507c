#pragma once

#include "kafka/properties.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

/// The configuration of a consumer handle: our defaults, then `properties`, then what is fixed. Throws
/// Error(bad_property).
ConfHandle make_consumer_conf(const Properties& properties);

}  // namespace kafka_fdw::kafka
