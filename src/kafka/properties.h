#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace kafka_fdw::kafka {

/// Who may set a librdkafka property, and where. What the table does not list is refused.
enum class PropertyClass : uint8_t { never, fixed, superuser, secret, server, table };

struct Property {
  std::string_view name;
  PropertyClass property_class;
  std::string_view doc;  ///< one line, for the documentation
  int64_t maximum = 0;   ///< largest value that a table may ask for; 0: librdkafka's own limit
};

/// Every property that we know, sorted by name.
std::span<const Property> all_properties() noexcept;

/// Null where the property is not listed. Prefixes that the policy names as a whole (test.mock.*, ssl.engine.*) are
/// found as `never`.
const Property* find_property(std::string_view name) noexcept;

/// The class that the policy asks for with this value: choosing a SASL mechanism that acts as the server process itself
/// (its Kerberos tickets, its tokens) is for superusers, though the property is a server's.
PropertyClass required_class(const Property& property, std::string_view value) noexcept;

/// Whether a SASL mechanism proves the identity by a password.
bool is_password_mechanism(std::string_view mechanism) noexcept;

/// The candidate nearest to `name` by edit distance, or empty where none is near enough to be meant.
std::string_view closest_name(std::string_view name, std::span<const std::string_view> candidates);

/// Property names and values as they are given to a client, in an order of their own (so that equal sets compare
/// equal).
using Properties = std::map<std::string, std::string, std::less<>>;

/// Whether librdkafka takes this value for this property, without an effect: never calls into librdkafka for a property
/// of class `never`. Throws Error(bad_property) that says what is wrong, without the value where the property is a
/// secret.
void check_property(std::string_view name, std::string_view value);

/// The value as librdkafka understands it, which leaves out blanks and ignores case where a name is chosen out of a
/// list. Throws as check_property does.
std::string canonical_value(std::string_view name, std::string_view value);

/// What a client is for.
enum class Reading : uint8_t {
  many,  ///< it fetches much at a time, and ahead
  few    ///< up to about a thousand messages: a fetch brings little that nobody asked for
};

/// Properties that keep a reader within `fetch_buffer` bytes: the queue and what is on its way from up to two brokers
/// take half of it, the rest is for the batch that the caller holds.
Properties fetch_properties(size_t fetch_buffer, Reading reading);

}  // namespace kafka_fdw::kafka
