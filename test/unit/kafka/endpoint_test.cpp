#include "kafka/endpoint.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kafka_fdw::kafka {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using State = EndpointReport::State;

std::vector<std::string> names(std::string_view brokers) {
  std::vector<std::string> result;
  for (const Endpoint& endpoint : parse_endpoints(brokers)) result.push_back(endpoint.name());
  return result;
}

TEST(Endpoints, AreReadAsLibrdkafkaReadsThem) {
  EXPECT_THAT(names("a:1,b,c.example:9093"), ElementsAre("a:1", "b:9092", "c.example:9093"));
  EXPECT_THAT(names(" SASL_SSL://a:1 ,\tb:2\n"), ElementsAre("a:1", "b:2"));
  EXPECT_THAT(names("[::1]:1,[fe80::2],::3"), ElementsAre("[::1]:1", "[fe80::2]:9092", "[::3]:9092"));
  EXPECT_THAT(names("a:1,,a:1,"), ElementsAre("a:1"));
  EXPECT_THAT(names(""), IsEmpty());
  for (const char* odd : {":", "[", "[:", "]", "://", "a:b:c", "[]:"}) names(odd);
}

/// A loopback socket, which listens or refuses.
class Port {
 public:
  explicit Port(bool listening) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listening ? listen(socket_, 1) : 0, 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Port() { close(socket_); }
  Endpoint endpoint() const { return {"127.0.0.1", std::to_string(port_)}; }

 private:
  int socket_;
  int port_ = 0;
};

/// Waits until all are decided; fails the test where that takes too long.
std::vector<EndpointReport> finish(EndpointProbe& probe) {
  for (;;) {
    probe.drain_events();
    auto reports = probe.reports();
    const auto undecided = [](const EndpointReport& report) {
      return report.state == State::resolving || report.state == State::connecting;
    };
    if (std::ranges::none_of(reports, undecided)) return reports;
    pollfd waiting{.fd = probe.event_descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 30000) == 0) {
      ADD_FAILURE() << "no report";
      return reports;
    }
  }
}

TEST(EndpointProbe, TellsWhoTakesConnectionsAndWhoDoesNot) {
  const Port open(true), closed(false);
  EndpointProbe probe({open.endpoint(), closed.endpoint()}, AddressFamily::any, 30s);
  const auto reports = finish(probe);
  EXPECT_EQ(reports[0].state, State::connected);
  EXPECT_THAT(reports[0].addresses, ElementsAre("127.0.0.1"));
  EXPECT_EQ(reports[1].state, State::refused);
  EXPECT_EQ(reports[1].reason, "Connection refused");
}

TEST(EndpointProbe, TellsWhichNameIsNone) {
  EndpointProbe probe({{"no such host", "9092"}}, AddressFamily::any, 30s);
  const auto reports = finish(probe);
  EXPECT_EQ(reports[0].state, State::unresolved);
  EXPECT_FALSE(reports[0].reason.empty());
}

TEST(EndpointProbe, HoldsToTheAddressFamily) {
  const Port open(true);
  EndpointProbe probe({open.endpoint()}, AddressFamily::v6, 30s);
  EXPECT_EQ(finish(probe)[0].state, State::unresolved);
}

TEST(EndpointProbe, MayGoBeforeItsThreads) {
  const Port open(true);
  for (int i = 0; i < 50; ++i) EndpointProbe probe({open.endpoint(), {"localhost", "1"}}, AddressFamily::any, 1ms);
}

}  // namespace
}  // namespace kafka_fdw::kafka
