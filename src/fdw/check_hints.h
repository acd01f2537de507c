#pragma once

#include <string>
#include <string_view>

#include "kafka/error.h"
#include "kafka/properties.h"

/// What to change, by what librdkafka tells of a failure.
namespace kafka_fdw::fdw {

/// Why no broker lets us in, though each takes connections. `trouble` is empty where it just does not answer.
std::string hint_for_login(const kafka::Properties& properties, std::string_view trouble);

/// Why a broker did not accept who we are.
std::string hint_for_refusal(const kafka::Properties& properties, const kafka::Error& error);

/// How a client with these properties presents itself: "security.protocol sasl_ssl, mechanism PLAIN".
std::string describe_security(const kafka::Properties& properties);

}  // namespace kafka_fdw::fdw
