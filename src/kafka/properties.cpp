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

/// librdkafka would also take blanks, signs, hexadecimal numbers and what follows a number.
bool is_plain_number(std::string_view value) {
  constexpr std::string_view digits = "0123456789";
  const size_t point = std::min(value.find('.'), value.size());
  const std::string_view whole = value.substr(0, point), fraction = value.substr(std::min(point + 1, value.size()));
  return !whole.empty() && whole.find_first_not_of(digits) == std::string_view::npos &&
         fraction.find_first_not_of(digits) == std::string_view::npos;
}

void check_maximum(const Property& property, std::string_view value) {
  if (property.maximum == 0) return;
  if (!is_plain_number(value))
    throw Error(ErrorClass::bad_property, "invalid value for property \"" + std::string(property.name) + "\"",
                "It must be a number in decimal digits, without sign or blanks.");
  int64_t number = 0;
  const auto error = std::from_chars(value.data(), value.data() + value.size(), number).ec;
  if (error == std::errc::result_out_of_range || number > property.maximum) {
    throw Error(ErrorClass::bad_property,
                "\"" + std::string(property.name) + "\" can be at most " + std::to_string(property.maximum));
  }
}

/// A conf that has nothing but this property set. Throws Error(bad_property).
ConfHandle conf_with(const Property& property, const std::string& name, const std::string& value) {
  ConfHandle scratch(rd_kafka_conf_new());
  char reason[512];
  auto result = rd_kafka_conf_set(scratch.get(), name.c_str(), value.c_str(), reason, sizeof(reason));
  if (result == RD_KAFKA_CONF_OK) return scratch;
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    throw Error(ErrorClass::bad_property,
                "property \"" + name + "\" is not known to librdkafka " + rd_kafka_version_str());
  }
  bool secret = property.property_class == PropertyClass::secret;
  throw Error(ErrorClass::bad_property, "invalid value for property \"" + name + "\"", secret ? "" : reason);
}

/// Throws Error(bad_property) where the policy lets nobody set it.
const Property& settable_property(std::string_view name) {
  const Property* property = find_property(name);
  if (property == nullptr)
    throw Error(ErrorClass::bad_property, "unknown property \"" + std::string(name) + "\"", "", hint_for_unknown(name));
  if (property->property_class == PropertyClass::never) {
    throw Error(ErrorClass::bad_property, "property \"" + std::string(name) + "\" cannot be set",
                std::string(property->doc));
  }
  return *property;
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
  return !mechanism || is_password_mechanism(value) ? property.property_class : PropertyClass::superuser;
}

bool is_password_mechanism(std::string_view mechanism) noexcept {
  auto is = [&](std::string_view name) {
    return mechanism.size() == name.size() && strncasecmp(mechanism.data(), name.data(), name.size()) == 0;
  };
  return is("PLAIN") || is("SCRAM-SHA-256") || is("SCRAM-SHA-512");
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
  const Property& property = settable_property(name);
  std::string key(name);
  if (value.find('\0') != std::string_view::npos) {
    throw Error(ErrorClass::bad_property, "invalid value for property \"" + key + "\"", "It contains a zero byte.");
  }
  check_maximum(property, value);
  conf_with(property, key, std::string(value));
}

std::string canonical_value(std::string_view name, std::string_view value) {
  const std::string key(name);
  const ConfHandle conf = conf_with(settable_property(name), key, std::string(value));
  size_t size = 0;
  if (rd_kafka_conf_get(conf.get(), key.c_str(), nullptr, &size) != RD_KAFKA_CONF_OK) return {};
  std::string result(size, '\0');
  rd_kafka_conf_get(conf.get(), key.c_str(), result.data(), &size);
  result.resize(result.find('\0'));
  return result;
}

Properties fetch_properties(size_t fetch_buffer, Reading reading) {
  // One response may hold an eighth, and two brokers may be answering when the queue, a quarter, has just become full.
  size_t queue = std::clamp<size_t>(fetch_buffer / 4, size_t{1} << 20, size_t{1} << 30);
  size_t response = std::clamp<size_t>(fetch_buffer / 8, size_t{1} << 20, size_t{1} << 28);
  const bool few = reading == Reading::few;
  return {
      {"queued.max.messages.kbytes", std::to_string(queue / 1024)},
      {"queued.min.messages", few ? "1000" : "1000000"},
      {"fetch.max.bytes", std::to_string(response)},
      // Of one partition. A batch of messages comes whole, however large.
      {"fetch.message.max.bytes", std::to_string(few ? size_t{32} << 10 : std::min(response, size_t{4} << 20))},
  };
}

}  // namespace kafka_fdw::kafka
