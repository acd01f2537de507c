#include "kafka/identity.h"

#include <strings.h>

#include <algorithm>

namespace kafka_fdw::kafka {
namespace {

/// Each proves an identity that the user who brings no secret would only borrow.
constexpr std::string_view keys_in_files[] = {"ssl.key.location", "ssl.keystore.location"};
constexpr std::string_view tokens_of_process[] = {"sasl.oauthbearer.assertion.file",
                                                  "sasl.oauthbearer.assertion.private.key.file",
                                                  "sasl.oauthbearer.metadata.authentication.type"};
/// One property by two names.
constexpr std::string_view client_secrets[] = {"sasl.oauthbearer.client.secret",
                                               "sasl.oauthbearer.client.credentials.client.secret"};
constexpr std::string_view assertion_key = "sasl.oauthbearer.assertion.private.key.pem";

template <class Names>
bool contains_any(const Properties& properties, const Names& names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return properties.contains(name); });
}

std::string value_of(const Properties& properties, std::string_view name) {
  const auto found = properties.find(name);
  return found == properties.end() ? "" : canonical_value(name, found->second);
}

Identity identity_of_token(const Properties& properties) {
  if (contains_any(properties, tokens_of_process) || value_of(properties, "sasl.oauthbearer.method") != "oidc")
    return {.of_process = true};
  if (properties.contains(assertion_key)) return {.secret = assertion_key};
  return {.secret = properties.contains(client_secrets[1]) ? client_secrets[1] : client_secrets[0]};
}

}  // namespace

std::optional<std::string> sasl_mechanism(const Properties& properties) {
  if (!value_of(properties, "security.protocol").starts_with("sasl_")) return std::nullopt;
  // Two names of one property: it is set in the order of names, so that the last one holds.
  std::string mechanism = value_of(properties, "sasl.mechanisms");
  return mechanism.empty() ? value_of(properties, "sasl.mechanism") : mechanism;
}

Identity identity_of(const Properties& properties) {
  if (contains_any(properties, keys_in_files)) return {.of_process = true};
  const std::optional<std::string> mechanism = sasl_mechanism(properties);
  if (!mechanism) return {};
  if (is_password_mechanism(*mechanism)) return {.secret = "sasl.password"};
  if (strcasecmp(mechanism->c_str(), "OAUTHBEARER") == 0) return identity_of_token(properties);
  return {.of_process = true};
}

}  // namespace kafka_fdw::kafka
