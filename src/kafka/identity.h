#pragma once

#include <optional>
#include <string_view>

#include "kafka/properties.h"

namespace kafka_fdw::kafka {

/// What a client with certain properties proves its identity with.
struct Identity {
  bool of_process = false;       ///< with what the server process has: files, Kerberos tickets, tokens of a service
  std::string_view secret = {};  ///< the property whose value proves it; empty: none
};

/// Values are read as librdkafka reads them. Throws Error(bad_property) where it would refuse one.
Identity identity_of(const Properties& properties);

/// The SASL mechanism in use; nullopt: no SASL, empty: SASL with none chosen.
std::optional<std::string> sasl_mechanism(const Properties& properties);

}  // namespace kafka_fdw::kafka
