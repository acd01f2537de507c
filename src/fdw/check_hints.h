#pragma once

#include <string>
#include <string_view>

#include "kafka/endpoint.h"
#include "kafka/error.h"
#include "kafka/properties.h"

/// What to change, by what listeners and librdkafka tell.
namespace kafka_fdw::fdw {

/// A broker with another protocol than the client's is passed over by librdkafka.
bool is_passed_over(const kafka::Properties& properties, const kafka::Endpoint& endpoint);
std::string hint_for_passed_over(const kafka::Endpoint& endpoint);

/// How to greet listeners as a client with these properties: not at all where it speaks TLS.
kafka::Greet greeting_of(const kafka::Properties& properties);

/// Whether the listener does not speak as the client that greeted it.
bool is_refusal(kafka::Greeting greeting) noexcept;

/// For refusals: what the listener did, and what to change.
std::string describe_refusal(kafka::Greeting greeting);
std::string hint_for_greeting(const kafka::Properties& properties, kafka::Greeting greeting);

/// Why no broker lets us in, though each takes connections, by what librdkafka tells. `trouble` is empty where it just
/// does not answer.
std::string hint_for_login(const kafka::Properties& properties, std::string_view trouble);

/// Why a broker did not accept who we are.
std::string hint_for_refusal(const kafka::Properties& properties, const kafka::Error& error);

/// How a client with these properties presents itself: "security.protocol sasl_ssl, mechanism PLAIN".
std::string describe_security(const kafka::Properties& properties);

}  // namespace kafka_fdw::fdw
