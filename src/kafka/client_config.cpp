#include "kafka/client_config.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "kafka/identity.h"

namespace kafka_fdw::kafka {
namespace {

struct Setting {
  const char* name;
  const char* value;
};

constexpr Setting default_settings[] = {
    {"client.id", "kafka_fdw"},
    {"isolation.level", "read_committed"},
    {"ssl.endpoint.identification.algorithm", "https"},
    {"enable.ssl.certificate.verification", "true"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    // The end of a partition behind a control record is told only after this time, and a fetch that waits at the end of
    // the log holds up the next reader of the same client.
    {"fetch.wait.max.ms", "1"},
    {"fetch.error.backoff.ms", "100"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.fast.interval.ms", "100"},
    // A reader asks for topics that exist: one that is unknown to the broker shall be an error soon.
    {"topic.metadata.propagation.max.ms", "1000"},
};

constexpr Setting fixed_settings[] = {
    {"enable.auto.commit", "false"},
    {"auto.commit.enable", "false"},
    {"enable.auto.offset.store", "false"},
    {"offset.store.method", "none"},
    {"auto.offset.reset", "error"},
    {"enable.partition.eof", "true"},
    {"allow.auto.create.topics", "false"},
    {"check.crcs", "true"},
    {"statistics.interval.ms", "0"},
    {"sasl.kerberos.min.time.before.relogin", "0"},  // else GSSAPI runs kinit in a shell
    {"log.queue", "true"},
};

/// Set where librdkafka has them.
constexpr Setting newer_settings[] = {
    {"fetch.queue.backoff.ms", "5"},
};

bool is_fixed_setting(std::string_view name) {
  return std::ranges::any_of(fixed_settings, [&](const Setting& setting) { return name == setting.name; });
}

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char reason[512];
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) == RD_KAFKA_CONF_OK) return;
  const Property* property = find_property(name);
  bool secret = property == nullptr || property->property_class == PropertyClass::secret;
  throw Error(ErrorClass::bad_property, "invalid value for property \"" + name + "\"", secret ? "" : reason);
}

int64_t number(const Properties& properties, std::string_view name, int64_t otherwise) {
  auto found = properties.find(name);
  if (found == properties.end()) return otherwise;
  const std::string& text = found->second;
  int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// librdkafka's own default would be Kerberos, as whoever the server process is.
void require_mechanism(const Properties& properties) {
  const auto mechanism = sasl_mechanism(properties);
  if (mechanism && mechanism->empty())
    throw Error(ErrorClass::bad_property,
                "security.protocol \"" + properties.find("security.protocol")->second + "\" needs \"sasl.mechanism\"");
}

void check_allowed(const std::string& name) {
  const Property* property = find_property(name);
  bool refused = property == nullptr || property->property_class == PropertyClass::never || is_fixed_setting(name);
  if (refused) throw Error(ErrorClass::bad_property, "property \"" + name + "\" cannot be set");
}

/// A fetch response must fit what may be received, and librdkafka holds message.max.bytes of producers against
/// fetch.max.bytes.
void reconcile_sizes(rd_kafka_conf_t* conf, const Properties& properties) {
  constexpr int64_t default_fetch = 52428800, default_receive = 100000000, default_message = 1000000;
  int64_t fetch = std::max(number(properties, "fetch.max.bytes", default_fetch), default_message);
  int64_t receive = std::max(number(properties, "receive.message.max.bytes", default_receive), fetch + 512);
  set(conf, "fetch.max.bytes", std::to_string(fetch));
  set(conf, "receive.message.max.bytes", std::to_string(receive));
}

}  // namespace

ConfHandle make_consumer_conf(const Properties& properties, ErrorListener& listener) {
  ConfHandle conf(rd_kafka_conf_new());
  require_mechanism(properties);
  for (const Setting& setting : default_settings) set(conf.get(), setting.name, setting.value);
  for (const Setting& setting : newer_settings) rd_kafka_conf_set(conf.get(), setting.name, setting.value, nullptr, 0);
  for (const auto& [name, value] : properties) {
    check_allowed(name);
    if (name != "message.max.bytes") set(conf.get(), name, value);
  }
  reconcile_sizes(conf.get(), properties);
  for (const Setting& setting : fixed_settings) set(conf.get(), setting.name, setting.value);
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
  rd_kafka_conf_set_opaque(conf.get(), &listener);
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
    static_cast<ErrorListener*>(opaque)->on_error(static_cast<rd_kafka_resp_err_t>(error), reason);
  });
  return conf;
}

}  // namespace kafka_fdw::kafka
