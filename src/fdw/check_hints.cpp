#include "fdw/check_hints.h"

#include "kafka/identity.h"

namespace kafka_fdw::fdw {

namespace {

std::string security_protocol(const kafka::Properties& properties) {
  const auto option = properties.find("security.protocol");
  return option == properties.end() ? "plaintext" : kafka::canonical_value(option->first, option->second);
}

}  // namespace

bool is_passed_over(const kafka::Properties& properties, const kafka::Endpoint& endpoint) {
  return !endpoint.protocol.empty() && endpoint.protocol != security_protocol(properties);
}

std::string hint_for_passed_over(const kafka::Endpoint& endpoint) {
  return "Set the server's \"security.protocol\" to " + endpoint.protocol +
         ", or leave the protocol out of its \"brokers\".";
}

kafka::Greet greeting_of(const kafka::Properties& properties) {
  const std::string protocol = security_protocol(properties);
  if (protocol == "plaintext") return kafka::Greet::as_client_without_sasl;
  return protocol == "sasl_plaintext" ? kafka::Greet::as_client_with_sasl : kafka::Greet::nothing;
}

bool is_refusal(kafka::Greeting greeting) noexcept {
  return greeting != kafka::Greeting::none && greeting != kafka::Greeting::welcome;
}

std::string describe_refusal(kafka::Greeting greeting) {
  switch (greeting) {
    case kafka::Greeting::wants_sasl:
      return "wants to know who we are";
    case kafka::Greeting::hung_up:
      return "closed the connection when it was greeted without TLS";
    case kafka::Greeting::tls:
      return "answered in TLS";
    default:
      return "answered in another protocol than Kafka's";
  }
}

std::string hint_for_greeting(const kafka::Properties& properties, kafka::Greeting greeting) {
  switch (greeting) {
    case kafka::Greeting::wants_sasl:
      return "Set the server's \"security.protocol\" to sasl_plaintext, and its \"sasl.mechanism\"; user and password "
             "belong into a user mapping.";
    case kafka::Greeting::hung_up:
    case kafka::Greeting::tls:
      return std::string("This port seems to speak TLS: set the server's \"security.protocol\" to ") +
             (security_protocol(properties) == "plaintext" ? "ssl or sasl_ssl" : "sasl_ssl") +
             ", or use the port without TLS.";
    default:
      return "Check that it is a Kafka broker that listens there.";
  }
}

std::string hint_for_login(const kafka::Properties& properties, std::string_view trouble) {
  const std::string protocol = security_protocol(properties);
  const bool tls = protocol.ends_with("ssl");
  const bool sasl = protocol.starts_with("sasl");
  const auto says = [&](std::string_view words) { return trouble.find(words) != trouble.npos; };
  const std::string change = "set the server's \"security.protocol\" to ";
  if (says("certificate verify failed"))
    return "The broker's certificate must be for the host in the server's \"brokers\", and signed by an authority that "
           "this machine trusts, or whose certificate is in the server's \"ssl.ca.pem\".";
  if (tls && says("certificate"))
    return "The broker wants a certificate that it trusts: put \"ssl.certificate.pem\" and \"ssl.key.pem\" into the "
           "user mapping.";
  if (tls && (says("SSL") || says("PLAINTEXT")))
    return "This port seems to speak no TLS: " + change + (sasl ? "sasl_plaintext" : "plaintext") +
           ", or use the port that does.";
  if (tls && !sasl)
    return "Check that it is a Kafka broker that listens there. If it asks for a user and a password, " + change +
           "sasl_ssl, and its \"sasl.mechanism\"; these two belong into a user mapping.";
  return "Check that it is a Kafka broker that listens there.";
}

std::string hint_for_refusal(const kafka::Properties& properties, const kafka::Error& error) {
  const std::string_view text = error.what();
  if (text.find("current SASL state") != text.npos)
    return std::string("This port takes no SASL: set the server's \"security.protocol\" to ") +
           (security_protocol(properties).ends_with("ssl") ? "ssl" : "plaintext") + ", or use the port that does.";
  if (text.find("mechanism handshake failed") != text.npos)
    return "Set the server's \"sasl.mechanism\" to one of those that the broker supports.";
  return error.hint();
}

std::string describe_security(const kafka::Properties& properties) {
  const auto mechanism = kafka::sasl_mechanism(properties);
  return "security.protocol " + security_protocol(properties) + (mechanism ? ", mechanism " + *mechanism : "");
}

}  // namespace kafka_fdw::fdw
