#include <charconv>

#include "ingest/arguments.h"
#include "ingest/fail.h"
#include "ingest/state.h"

extern "C" {
PG_FUNCTION_INFO_V1(kafka_add_broker);
PG_FUNCTION_INFO_V1(kafka_remove_broker);
}

namespace kafka_fdw::ingest {

namespace {

constexpr std::string_view default_port = "9092";
constexpr std::string_view digits = "0123456789";
constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
constexpr std::string_view address_characters = "0123456789abcdefABCDEF:.%";

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_port(std::string_view text) {
  int port = 0;
  if (!consists_of(text, digits)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

/// host:port, [address]:port; with the port that brokers have where none is given.
std::string parse_broker(const std::string& text) {
  const std::string_view broker = text;
  const bool bracketed = broker.starts_with('[');
  const size_t host_end = bracketed ? broker.find(']') : broker.find(':');
  const std::string_view host = broker.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
  std::string_view rest = host_end == std::string_view::npos ? "" : broker.substr(host_end + (bracketed ? 1 : 0));
  const bool host_is_good = bracketed ? host_end != std::string_view::npos && consists_of(host, address_characters)
                                      : consists_of(host, name_characters);
  if (rest.empty() && host_is_good) return text + ":" + std::string(default_port);
  if (host_is_good && rest.starts_with(':') && is_port(rest.substr(1))) return text;
  fail(ERRCODE_INVALID_PARAMETER_VALUE, "invalid broker: \"" + text + "\"",
       "A broker is host, host:port or [IPv6 address]:port.");
}

/// As the caller, whose privileges on the table decide.
void add_broker(const std::string& host) {
  const std::string broker = parse_broker(host);
  pg::Spi spi;
  spi.execute("INSERT INTO " + table("pipeline_kafka_brokers") + " (host) VALUES ($1) ON CONFLICT (host) DO NOTHING",
              {pg::Param::text(std::string_view(broker))});
}

void remove_broker(const std::string& host) {
  const std::string broker = parse_broker(host);
  pg::Spi spi;
  const pg::Rows rows =
      spi.execute("DELETE FROM " + table("pipeline_kafka_brokers") + " WHERE host OPERATOR(pg_catalog.=) $1",
                  {pg::Param::text(std::string_view(broker))});
  if (rows.processed() == 0) fail(ERRCODE_UNDEFINED_OBJECT, "broker \"" + broker + "\" is not registered");
}

}  // namespace

}  // namespace kafka_fdw::ingest

Datum kafka_add_broker(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry([&] {
    add_broker(required_text(fcinfo, 0, "host"));
    return static_cast<Datum>(0);
  });
}

Datum kafka_remove_broker(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw::ingest;
  return kafka_fdw::pg::entry([&] {
    remove_broker(required_text(fcinfo, 0, "host"));
    return static_cast<Datum>(0);
  });
}
