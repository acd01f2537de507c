#include "kafka/endpoint.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <mutex>
#include <system_error>

#include "kafka/event.h"
#include "kafka/helper_thread.h"
#include "kafka/queries.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

using State = EndpointReport::State;

using Addresses = std::unique_ptr<addrinfo, Destroy<freeaddrinfo>>;

class Socket {
 public:
  explicit Socket(const addrinfo& address)
      : descriptor_(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  const size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

Endpoint parse_address(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t bracket = std::min(text.find(']'), text.size());
    const std::string_view rest = text.substr(std::min(bracket + 1, text.size()));
    return {std::string(text.substr(1, bracket - 1)), std::string(rest.starts_with(':') ? rest.substr(1) : "9092")};
  }
  const size_t host_end = text.rfind(':');
  const bool bare_v6 = host_end != text.find(':');
  if (host_end == text.npos || bare_v6) return {std::string(text), "9092"};
  return {std::string(text.substr(0, host_end)), std::string(text.substr(host_end + 1))};
}

Endpoint parse_endpoint(std::string_view text) {
  const size_t mark = text.find("://");
  if (mark == text.npos) return parse_address(text);
  Endpoint endpoint = parse_address(text.substr(mark + 3));
  std::ranges::transform(text.substr(0, mark), std::back_inserter(endpoint.protocol),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return endpoint;
}

std::string numeric(const addrinfo& address) {
  char host[NI_MAXHOST];
  const int error = getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof(host), nullptr, 0, NI_NUMERICHOST);
  return error == 0 ? host : "?";
}

/// strerror is not for threads.
std::string describe(int error) { return std::generic_category().message(error); }

}  // namespace

std::string Endpoint::name() const { return (host.find(':') == host.npos ? host : '[' + host + ']') + ':' + port; }

std::vector<Endpoint> parse_endpoints(std::string_view brokers) {
  std::vector<Endpoint> endpoints;
  while (!brokers.empty()) {
    const size_t comma = std::min(brokers.find(','), brokers.size());
    const std::string_view part = trim(brokers.substr(0, comma));
    brokers.remove_prefix(std::min(comma + 1, brokers.size()));
    if (part.empty()) continue;
    Endpoint endpoint = parse_endpoint(part);
    if (std::ranges::find(endpoints, endpoint) == endpoints.end()) endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

/// Outlives the probe as long as a thread needs it.
struct EndpointProbe::Shared {
  explicit Shared(std::chrono::milliseconds timeout) : deadline(timeout) {}

  void run(size_t place, const Endpoint& endpoint, AddressFamily family, Greet greeting) noexcept;
  void try_addresses(size_t place, const Endpoint& endpoint, AddressFamily family, Greet greeting);
  Addresses resolve(size_t place, const Endpoint& endpoint, AddressFamily family);
  int connect_to(const Socket& made, const addrinfo& address) const;

  template <class Change>
  void change(size_t place, Change change) {
    {
      const std::lock_guard lock(mutex);
      change(reports[place]);
    }
    event.signal();
  }

  const Deadline deadline;
  Event event;
  std::atomic<bool> abandoned = false;
  std::mutex mutex;
  std::vector<EndpointReport> reports;  ///< guarded by mutex
};

void EndpointProbe::Shared::run(size_t place, const Endpoint& endpoint, AddressFamily family, Greet greeting) noexcept {
  try {
    try_addresses(place, endpoint, family, greeting);
  } catch (...) {
    // Without memory it stays at what was known: nobody has answered.
  }
}

void EndpointProbe::Shared::try_addresses(size_t place, const Endpoint& endpoint, AddressFamily family,
                                          Greet greeting) {
  const Addresses addresses = resolve(place, endpoint, family);
  if (addresses == nullptr) return;
  int error = 0;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    change(place, [&](EndpointReport& report) {
      report.state = State::connecting;
      report.addresses.push_back(numeric(*address));
    });
    const Socket made(*address);
    error = connect_to(made, *address);
    if (error != 0) continue;
    change(place, [](EndpointReport& report) { report.state = State::connected; });
    if (greeting == Greet::nothing) return;
    const Greeting answer = greet(made.descriptor(), greeting == Greet::as_client_with_sasl, deadline, abandoned);
    return change(place, [&](EndpointReport& report) { report.greeting = answer; });
  }
  if (error == ETIMEDOUT && deadline.over()) return;  // nobody has answered yet
  change(place, [&](EndpointReport& report) {
    report.state = State::refused;
    report.reason = describe(error);
  });
}

Addresses EndpointProbe::Shared::resolve(size_t place, const Endpoint& endpoint, AddressFamily family) {
  addrinfo hints{};
  hints.ai_family = family == AddressFamily::v4 ? AF_INET : family == AddressFamily::v6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found);
  if (error == 0) return Addresses(found);
  const std::string reason = error == EAI_SYSTEM ? describe(errno) : gai_strerror(error);
  change(place, [&](EndpointReport& report) {
    report.state = State::unresolved;
    report.reason = reason;
  });
  return nullptr;
}

/// The error's number, or 0.
int EndpointProbe::Shared::connect_to(const Socket& made, const addrinfo& address) const {
  constexpr int slice_ms = 100;  // so that a thread whose probe has gone ends soon
  if (made.descriptor() < 0) return errno;
  if (connect(made.descriptor(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{.fd = made.descriptor(), .events = POLLOUT, .revents = 0};
  while (poll(&waiting, 1, std::min(slice_ms, deadline.remaining_ms())) == 0)
    if (deadline.over() || abandoned.load()) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(made.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

EndpointProbe::EndpointProbe(std::vector<Endpoint> endpoints, AddressFamily family, Greet greeting,
                             std::chrono::milliseconds timeout)
    : shared_(std::make_shared<Shared>(timeout)) {
  shared_->reports.resize(endpoints.size());
  for (size_t place = 0; place < endpoints.size(); ++place) {
    auto body = [shared = shared_, place, endpoint = std::move(endpoints[place]), family,
                 greeting](const std::stop_token&) { shared->run(place, endpoint, family, greeting); };
    start_quiet_thread(std::move(body)).detach();
  }
}

EndpointProbe::~EndpointProbe() { shared_->abandoned.store(true); }

int EndpointProbe::event_descriptor() const noexcept { return shared_->event.descriptor(); }

void EndpointProbe::drain_events() noexcept { shared_->event.drain(); }

std::vector<EndpointReport> EndpointProbe::reports() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->reports;
}

}  // namespace kafka_fdw::kafka
