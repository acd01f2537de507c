#include "kafka/properties.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <vector>

#include "kafka/error.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

constexpr Property refused_by_pattern = {"", PropertyClass::never, "Internal to the client library"};
constexpr std::array<std::string_view, 6> refused_prefixes = {"test.",         "ut_",         "internal.",
                                                              "offset.store.", "ssl.engine.", "interceptors"};

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string hint_for_unknown(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Property& property : all_properties()) {
    if (property.property_class != PropertyClass::never) names.push_back(property.name);
  }
  std::string_view closest = closest_name(name, names);
  return closest.empty() ? "" : "Perhaps you meant \"" + std::string(closest) + "\".";
}

void check_maximum(const Property& property, std::string_view value) {
  if (property.maximum == 0) return;
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  bool too_large = error == std::errc::result_out_of_range || (error == std::errc() && number > property.maximum);
  if (too_large) {
    throw Error(ErrorClass::bad_property,
                "\"" + std::string(property.name) + "\" can be at most " + std::to_string(property.maximum));
  }
}

}  // namespace

const Property* find_property(std::string_view name) noexcept {
  auto properties = all_properties();
  auto found = std::ranges::lower_bound(properties, name, {}, &Property::name);
  if (found != properties.end() && found->name == name) return &*found;
  bool refused = name.ends_with("_cb") ||
                 std::ranges::any_of(refused_prefixes, [&](auto prefix) { return name.starts_with(prefix); });
  return refused ? &refused_by_pattern : nullptr;
}

PropertyClass required_class(const Property& property, std::string_view value) noexcept {
  bool mechanism = property.name == "sasl.mechanism" || property.name == "sasl.mechanisms";
  if (!mechanism) return property.property_class;
  auto is = [&](std::string_view name) {
    return value.size() == name.size() && strncasecmp(value.data(), name.data(), name.size()) == 0;
  };
  bool own_secret = is("PLAIN") || is("SCRAM-SHA-256") || is("SCRAM-SHA-512");
  return own_secret ? property.property_class : PropertyClass::superuser;
}

std::string_view closest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view closest;
  size_t least = std::max<size_t>(1, name.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    size_t lengths = std::max(candidate.size(), name.size()) - std::min(candidate.size(), name.size());
    if (lengths >= least) continue;
    size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      closest = candidate;
    }
  }
  return closest;
}

void check_property(std::string_view name, std::string_view value) {
  const Property* property = find_property(name);
  std::string key(name);
  if (property == nullptr)
    throw Error(ErrorClass::bad_property, "unknown property \"" + key + "\"", "", hint_for_unknown(name));
  if (property->property_class == PropertyClass::never) {
    throw Error(ErrorClass::bad_property, "property \"" + key + "\" cannot be set", std::string(property->doc));
  }
  if (value.find('\0') != std::string_view::npos) {
    throw Error(ErrorClass::bad_property, "invalid value for property \"" + key + "\"", "It contains a zero byte.");
  }
  check_maximum(*property, value);
  ConfHandle scratch(rd_kafka_conf_new());
  char reason[512];
  auto result = rd_kafka_conf_set(scratch.get(), key.c_str(), std::string(value).c_str(), reason, sizeof(reason));
  if (result == RD_KAFKA_CONF_OK) return;
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    throw Error(ErrorClass::bad_property,
                "property \"" + key + "\" is not known to librdkafka " + rd_kafka_version_str());
  }
  bool secret = property->property_class == PropertyClass::secret;
  throw Error(ErrorClass::bad_property, "invalid value for property \"" + key + "\"", secret ? "" : reason);
}

Properties fetch_properties(size_t fetch_buffer) {
  // One response may hold an eighth, and two brokers may be answering when the queue, a quarter, has just become full.
  size_t queue = std::clamp<size_t>(fetch_buffer / 4, size_t{1} << 20, size_t{1} << 30);
  size_t response = std::clamp<size_t>(fetch_buffer / 8, size_t{1} << 20, size_t{1} << 28);
  return {
      {"queued.max.messages.kbytes", std::to_string(queue / 1024)},
      {"queued.min.messages", "1000000"},
      {"fetch.max.bytes", std::to_string(response)},
      {"fetch.message.max.bytes", std::to_string(std::min<size_t>(response, size_t{4} << 20))},
  };
}

}  // namespace kafka_fdw::kafka
