#include "kafka/greeting.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

namespace kafka_fdw::kafka {
namespace {

// https://kafka.apache.org/protocol: what a client may ask before it has logged in, in versions that every broker
// takes.
constexpr int16_t api_versions = 18, api_versions_version = 0;
constexpr int16_t sasl_handshake = 17, sasl_handshake_version = 1;
constexpr int16_t illegal_sasl_state = 34;  ///< the listener is for clients that do not log in
constexpr int32_t correlation = 1;

constexpr char tls_alert = 0x15, tls_handshake = 0x16, tls_major = 0x03;  // how a TLS record begins: RFC 8446, 5.1

constexpr size_t header_size = 8;  ///< of a response: its size behind these four bytes, and the correlation
constexpr size_t largest_response = 1 << 16;
constexpr int slice_ms = 100;

void append(std::string& bytes, uint32_t number, size_t size) {
  for (size_t i = size; i > 0; --i) bytes += static_cast<char>(number >> (8 * (i - 1)));
}

uint32_t number_at(std::string_view bytes, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = at; i < at + size; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::string make_request(int16_t api, int16_t version, std::string_view body) {
  constexpr std::string_view client = "kafka_fdw";
  std::string request;
  append(request, static_cast<uint32_t>(api), 2);
  append(request, static_cast<uint32_t>(version), 2);
  append(request, static_cast<uint32_t>(correlation), 4);
  append(request, client.size(), 2);
  request.append(client).append(body);
  std::string framed;
  append(framed, static_cast<uint32_t>(request.size()), 4);
  return framed + request;
}

class Conversation {
 public:
  Conversation(int socket, const Deadline& deadline, const std::atomic<bool>& abandoned)
      : socket_(socket), deadline_(deadline), abandoned_(abandoned) {}

  /// The answer to a request is in response(), from its size on, where this is `welcome`.
  Greeting ask(const std::string& request);
  std::string_view response() const { return response_; }

 private:
  Greeting read_up_to(size_t size);

  int socket_;
  const Deadline& deadline_;
  const std::atomic<bool>& abandoned_;
  std::string response_;
};

Greeting Conversation::ask(const std::string& request) {
  response_.clear();
  // So few bytes always fit into what a new socket may send.
  if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) < 0) return Greeting::hung_up;
  const Greeting header = read_up_to(header_size);
  if (header != Greeting::welcome) return header;
  if ((response_[0] == tls_alert || response_[0] == tls_handshake) && response_[1] == tls_major) return Greeting::tls;
  const size_t size = number_at(response_, 0, 4);
  if (size < 4 || size > largest_response || number_at(response_, 4, 4) != correlation) return Greeting::other;
  return read_up_to(4 + size);
}

/// Until the response has so many bytes. A connection that ends within them has said something else.
Greeting Conversation::read_up_to(size_t size) {
  while (response_.size() < size) {
    pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, std::min(slice_ms, deadline_.remaining_ms())) == 0) {
      if (deadline_.over() || abandoned_.load()) return Greeting::none;
      continue;
    }
    char bytes[1024];
    const ssize_t count = recv(socket_, bytes, std::min(sizeof(bytes), size - response_.size()), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count > 0) {
      response_.append(bytes, static_cast<size_t>(count));
      continue;
    }
    const bool alert = response_.size() >= 2 && response_[0] == tls_alert && response_[1] == tls_major;
    return response_.empty() ? Greeting::hung_up : alert ? Greeting::tls : Greeting::other;
  }
  return Greeting::welcome;
}

}  // namespace

Greeting greet(int socket, bool sasl, const Deadline& deadline, const std::atomic<bool>& abandoned) {
  Conversation conversation(socket, deadline, abandoned);
  const Greeting greeting = conversation.ask(make_request(api_versions, api_versions_version, ""));
  if (greeting != Greeting::welcome || sasl) return greeting;
  constexpr std::string_view mechanism("\0\5PLAIN", 7);
  if (conversation.ask(make_request(sasl_handshake, sasl_handshake_version, mechanism)) != Greeting::welcome ||
      conversation.response().size() < header_size + 2)
    return Greeting::welcome;  // it does not know the question
  const uint32_t error = number_at(conversation.response(), header_size, 2);
  return error == illegal_sasl_state ? Greeting::welcome : Greeting::wants_sasl;
}

}  // namespace kafka_fdw::kafka
