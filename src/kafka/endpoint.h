#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/greeting.h"

namespace kafka_fdw::kafka {

/// Where a broker is said to be.
struct Endpoint {
  std::string host;
  std::string port;
  std::string protocol = {};  ///< in lower case; empty: none is given

  std::string name() const;  ///< host:port
  bool operator==(const Endpoint&) const = default;
};

/// A list of brokers as bootstrap.servers takes it: [protocol://]host[:port], comma separated, IPv6 in brackets; the
/// port is 9092 where none is given.
std::vector<Endpoint> parse_endpoints(std::string_view brokers);

enum class AddressFamily : uint8_t { any, v4, v6 };

/// What a client of TCP finds at an endpoint.
struct EndpointReport {
  enum class State : uint8_t {
    resolving,   ///< the name service has not answered yet
    unresolved,  ///< it knows no such host: `reason`
    connecting,  ///< nobody has answered at any of `addresses` yet
    refused,     ///< none of them takes connections: `reason`
    connected    ///< to the last one of `addresses`
  };
  State state = State::resolving;
  std::vector<std::string> addresses;  ///< as numbers
  std::string reason;
  Greeting greeting = Greeting::none;  ///< of who has connected, where greeting is asked for
};

/// What to say when connected.
enum class Greet : uint8_t { nothing, as_client_without_sasl, as_client_with_sasl };

/// Looks up endpoints, connects to them and greets who listens there, side by side, on threads of its own: a look-up
/// cannot be interrupted. They touch nothing but what they share with the probe, and are left alone when it goes; each
/// ends when its look-up does.
class EndpointProbe {
 public:
  EndpointProbe(std::vector<Endpoint> endpoints, AddressFamily family, Greet greeting,
                std::chrono::milliseconds timeout);
  ~EndpointProbe();
  EndpointProbe(const EndpointProbe&) = delete;
  EndpointProbe& operator=(const EndpointProbe&) = delete;

  /// Readable when a report may have changed. Drain it, look at the reports, then wait.
  int event_descriptor() const noexcept;
  void drain_events() noexcept;

  std::vector<EndpointReport> reports() const;  ///< as of now, in the order of the endpoints

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace kafka_fdw::kafka
