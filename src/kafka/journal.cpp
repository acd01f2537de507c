#include "kafka/journal.h"

#include <algorithm>

#include "kafka/error.h"

namespace kafka_fdw::kafka {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)"
/// becomes "127.0.0.1:9: Connect failed: Connection refused".
std::string shortened(std::string text) {
  replace_all(text, "/bootstrap:", ":");
  if (size_t at = text.rfind(" (after "); at != std::string::npos && text.ends_with(")")) text.resize(at);
  size_t from = text.find("Connect to ipv");
  size_t to = text.find(" failed", from == std::string::npos ? 0 : from);
  if (from != std::string::npos && to != std::string::npos) text.replace(from, to - from, "Connect");
  return text;
}

}  // namespace

Journal::Journal(const Properties& properties) {
  if (auto brokers = properties.find("bootstrap.servers"); brokers != properties.end()) brokers_ = brokers->second;
  for (const auto& [name, value] : properties) {
    const Property* property = find_property(name);
    if (property != nullptr && property->property_class == PropertyClass::secret && !value.empty())
      secrets_.push_back(value);
  }
  // A secret that contains another one goes first, or its rest would stay.
  std::ranges::sort(secrets_, std::greater(), &std::string::size);
}

void Journal::note_success() noexcept {
  reached_ = true;
  trouble_.clear();
}

void Journal::note_trouble(std::string_view trouble) { trouble_ = shortened(redacted(trouble)); }

std::string Journal::redacted(std::string_view text) const {
  std::string result(text);
  for (const std::string& secret : secrets_) replace_all(result, secret, "********");
  return result;
}

void Journal::throw_unanswered(const std::string& what) const {
  if (reached_ && trouble_.empty()) throw Error(ErrorClass::timed_out, what, "The brokers are " + brokers_ + ".");
  std::string reason = trouble_;
  if (reason.starts_with(brokers_ + ": ")) reason.erase(0, brokers_.size() + 2);
  throw Error(ErrorClass::unreachable,
              "could not reach any Kafka broker at " + brokers_ + (reason.empty() ? "" : ": " + reason), what);
}

}  // namespace kafka_fdw::kafka
