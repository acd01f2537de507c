#include "kafka/endpoint.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

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
  EXPECT_EQ(parse_endpoints("SASL_SSL://a:1")[0].protocol, "sasl_ssl");
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
  int descriptor() const { return socket_; }
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
  EndpointProbe probe({open.endpoint(), closed.endpoint()}, AddressFamily::any, Greet::nothing, 30s);
  const auto reports = finish(probe);
  EXPECT_EQ(reports[0].state, State::connected);
  EXPECT_THAT(reports[0].addresses, ElementsAre("127.0.0.1"));
  EXPECT_EQ(reports[1].state, State::refused);
  EXPECT_EQ(reports[1].reason, "Connection refused");
}

TEST(EndpointProbe, TellsWhichNameIsNone) {
  EndpointProbe probe({{"no such host", "9092"}}, AddressFamily::any, Greet::nothing, 30s);
  const auto reports = finish(probe);
  EXPECT_EQ(reports[0].state, State::unresolved);
  EXPECT_FALSE(reports[0].reason.empty());
}

TEST(EndpointProbe, HoldsToTheAddressFamily) {
  const Port open(true);
  EndpointProbe probe({open.endpoint()}, AddressFamily::v6, Greet::nothing, 30s);
  EXPECT_EQ(finish(probe)[0].state, State::unresolved);
}

TEST(EndpointProbe, MayGoBeforeItsThreads) {
  const Port open(true);
  for (int i = 0; i < 50; ++i)
    EndpointProbe probe({open.endpoint(), {"localhost", "1"}}, AddressFamily::any, Greet::as_client_with_sasl, 1ms);
}

Greeting greeting_at(const Port& port, Greet greet) {
  EndpointProbe probe({port.endpoint()}, AddressFamily::any, greet, 30s);
  for (;;) {
    probe.drain_events();
    const auto reports = probe.reports();
    if (reports[0].greeting != Greeting::none) return reports[0].greeting;
    pollfd waiting{.fd = probe.event_descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 30000) == 0) return Greeting::none;
  }
}

/// Takes one connection, answers each request with the next of the answers, and closes.
class Listener {
 public:
  explicit Listener(std::vector<std::string> answers)
      : thread_([this, answers = std::move(answers)] {
          const int peer = accept(port_.descriptor(), nullptr, nullptr);
          char request[100];
          for (const std::string& answer : answers) {
            if (read(peer, request, sizeof(request)) <= 0) break;
            EXPECT_EQ(write(peer, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
          }
          if (answers.empty()) {
            EXPECT_GT(read(peer, request, sizeof(request)), 0);
          }
          close(peer);
        }) {}
  ~Listener() { thread_.join(); }

  Greeting greeting(Greet greet) const { return greeting_at(port_, greet); }

 private:
  Port port_{true};
  std::thread thread_;
};

/// With the correlation that requests have.
std::string response(std::string_view body) {
  std::string framed("\0\0\0", 3);
  framed += static_cast<char>(4 + body.size());
  return framed.append("\0\0\0\1", 4).append(body);
}

const std::string versions = response(std::string_view("\0\0\0\0\0\0", 6));
const std::string illegal_state = response(std::string_view("\0\42\0\0\0\0", 6));
const std::string mechanism_taken = response(std::string_view("\0\0\0\0\0\1\0\5PLAIN", 13));
const std::string mechanism_unknown = response(std::string_view("\0\41\0\0\0\1\0\3XYZ", 11));

TEST(Greeting, IsWelcomeWhereTheListenerSpeaksAsTheClientDoes) {
  EXPECT_EQ(Listener({versions, illegal_state}).greeting(Greet::as_client_without_sasl), Greeting::welcome);
  EXPECT_EQ(Listener({versions}).greeting(Greet::as_client_with_sasl), Greeting::welcome);
  EXPECT_EQ(Listener({versions, ""}).greeting(Greet::as_client_without_sasl), Greeting::welcome);
}

TEST(Greeting, TellsWhoWantsToKnowTheClient) {
  EXPECT_EQ(Listener({versions, mechanism_taken}).greeting(Greet::as_client_without_sasl), Greeting::wants_sasl);
  EXPECT_EQ(Listener({versions, mechanism_unknown}).greeting(Greet::as_client_without_sasl), Greeting::wants_sasl);
}

TEST(Greeting, TellsWhoSpeaksTls) {
  const std::string alert("\x15\x03\x03\0\2\2\x50", 7);
  EXPECT_EQ(Listener({alert}).greeting(Greet::as_client_without_sasl), Greeting::tls);
  EXPECT_EQ(Listener({alert + alert}).greeting(Greet::as_client_with_sasl), Greeting::tls);
  EXPECT_EQ(Listener({}).greeting(Greet::as_client_with_sasl), Greeting::hung_up);
}

TEST(Greeting, TellsWhoSpeaksSomethingElse) {
  const std::string of_another_request = response("x").replace(7, 1, "\2");
  for (const std::string& answer : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("hi"),
                                    std::string("\xff\xff\xff\xff\0\0\0\1", 8), of_another_request})
    EXPECT_EQ(Listener({answer}).greeting(Greet::as_client_without_sasl), Greeting::other);
}

TEST(Greeting, ReadsAnswersThatComeInPieces) {
  Port port(true);
  std::thread server([&] {
    const int peer = accept(port.descriptor(), nullptr, nullptr);
    // A connection that is closed over what was not read may lose what was written.
    char request[64];
    EXPECT_GT(read(peer, request, sizeof(request)), 0);
    for (const char& byte : versions) {
      EXPECT_EQ(write(peer, &byte, 1), 1);
      std::this_thread::yield();
    }
    close(peer);
  });
  EXPECT_EQ(greeting_at(port, Greet::as_client_with_sasl), Greeting::welcome);
  server.join();
}

}  // namespace
}  // namespace kafka_fdw::kafka
