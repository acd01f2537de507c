#include "fdw/check_hints.h"

#include "kafka/identity.h"

namespace kafka_fdw::fdw {

namespace {

std::string security_protocol(const kafka::Properties& properties) {
  const auto option = properties.find("security.protocol");
  return option == properties.end() ? "plaintext" : kafka::canonical_value(option->first, option->second);
}

}  // namespace

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
           "user "
           "mapping.";
  if (tls && (says("SSL") || says("PLAINTEXT")))
    return "This port seems to speak no TLS: " + change + (sasl ? "sasl_plaintext" : "plaintext") +
           ", or use the port that does.";
  if (!tls && says("SSL listener"))
    return "This port seems to speak TLS: " + change + (sasl ? "sasl_ssl" : "ssl or sasl_ssl") +
           ", or use the port without TLS.";
  if (says("SASL authentication"))
    return "The broker seems to ask for a user and a password: " + change + (tls ? "sasl_ssl" : "sasl_plaintext") +
           ", and its \"sasl.mechanism\"; user and password belong into a user mapping.";
  return "Check that it is a Kafka broker that listens there, with the server's \"security.protocol\".";
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
