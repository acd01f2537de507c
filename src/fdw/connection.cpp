#include "fdw/connection.h"

#include "fdw/catalog.h"
#include "fdw/options.h"
#include "kafka/identity.h"
#include "module.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace kafka_fdw::fdw {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds drain_time{1000};

/// What the connection is read from, copied out of the catalog.
struct CatalogEntries {
  ForeignServer* server;
  MappingOptions mapping;
  bool own;  ///< the server is the extension's
};

CatalogEntries read_catalog(Oid server, Oid user) {
  CatalogEntries entries{};
  entries.server = GetForeignServer(server);
  entries.mapping = look_up_mapping(server, user);
  entries.own = belongs_to_extension(entries.server);
  return entries;
}

void refuse_options_of_own_server(const CatalogEntries& entries) {
  if (!entries.own || (entries.server->options == NIL && entries.mapping.options == NIL)) return;
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("the server \"%s\" takes neither options nor user mappings", entries.server->servername),
                    errdetail("It belongs to the extension, and pg_dump would not carry them."),
                    errhint("Make a server of your own with CREATE SERVER … FOREIGN DATA WRAPPER kafka_fdw.")));
  });
}

[[noreturn]] void throw_secret_missing(const CatalogEntries& entries, const kafka::Identity& identity) {
  const std::string server = "server \"" + std::string(entries.server->servername) + "\"";
  if (identity.of_process)
    throw kafka::Error(kafka::ErrorClass::authentication,
                       server + " would authenticate you as the server process, which is for superusers",
                       "With its options librdkafka uses a key, a ticket or a token of the server process.",
                       "A superuser may set \"password_required\" to false in your user mapping.");
  throw kafka::Error(
      kafka::ErrorClass::authentication, server + " requires a secret of your own",
      "The server demands authentication, and your user mapping has no \"" + std::string(identity.secret) + "\".",
      "Set \"" + std::string(identity.secret) + "\" in a user mapping.");
}

/// Whoever is no superuser proves an identity by a secret of the mapping, the one that the connection really uses.
void check_secret(const CatalogEntries& entries, const OptionValues& mapping, const kafka::Properties& properties,
                  Oid user) {
  const kafka::Identity identity = kafka::identity_of(properties);
  if (!identity.of_process) {
    if (identity.secret.empty()) return;
    if (const auto secret = mapping.find(identity.secret); secret != mapping.end() && !secret->second.empty()) return;
  }
  if (mapping.contains("password_required") && !is_set(mapping, "password_required")) return;
  if (!pg::call([&] { return superuser_arg(user); })) throw_secret_missing(entries, identity);
}

std::string find_brokers(const CatalogEntries& entries, const OptionValues& options) {
  if (const auto option = options.find("brokers"); option != options.end()) return option->second;
  std::string brokers = pg::call([&] { return static_cast<const char*>(registered_brokers(entries.server)); });
  if (brokers.empty())
    throw kafka::Error(kafka::ErrorClass::unreachable,
                       "server \"" + std::string(entries.server->servername) + "\" has no brokers",
                       "It has no option \"brokers\", and pipeline_kafka_brokers is empty.",
                       "Run SELECT kafka_add_broker('host:port').");
  return brokers;
}

std::string make_pool_key(Oid server, Oid mapping, Oid user, const kafka::Properties& properties) {
  std::string key = std::to_string(server) + ' ' + std::to_string(mapping) + ' ' + std::to_string(user);
  for (const auto& [name, value] : properties) key.append(1, '\0').append(name).append(1, '\0').append(value);
  return key;
}

void drop_pooled_clients(Datum, int, uint32) { kafka::Pool::instance().drop_all(); }

/// librdkafka's threads must not run on while the process takes down what they use.
void end_clients(int, Datum) {
  kafka::Pool::instance().drop_all();
  kafka::Reaper::drain(drain_time);
}

/// Once per process: a callback cannot be taken back.
void register_callbacks() {
  static bool registered = false;
  if (registered) return;
  pg::call([] {
    CacheRegisterSyscacheCallback(FOREIGNSERVEROID, drop_pooled_clients, 0);
    CacheRegisterSyscacheCallback(USERMAPPINGOID, drop_pooled_clients, 0);
    on_proc_exit(end_clients, 0);
  });
  registered = true;
}

}  // namespace

Connection load_connection(Oid server, Oid user, const kafka::Properties& table_properties, kafka::Reading reading) {
  const CatalogEntries entries = pg::call([&] { return read_catalog(server, user); });
  refuse_options_of_own_server(entries);
  const OptionValues server_options = read_options(entries.server->options);
  const OptionValues mapping_options = read_options(entries.mapping.options);

  Connection connection;
  connection.server_name = entries.server->servername;
  connection.properties = table_properties;
  connection.properties.merge(properties_of(server_options));
  connection.properties.merge(properties_of(mapping_options));
  check_secret(entries, mapping_options, connection.properties, user);
  connection.brokers = find_brokers(entries, server_options);
  connection.properties.insert_or_assign("bootstrap.servers", connection.brokers);
  connection.properties.merge(kafka::fetch_properties(fetch_buffer_bytes(), reading));
  connection.pool_key = make_pool_key(server, entries.mapping.mapping, user, connection.properties);
  return connection;
}

kafka::Lease lease_client(const Connection& connection) {
  register_callbacks();
  return kafka::Pool::instance().lease(connection.pool_key, connection.properties);
}

milliseconds connect_timeout() { return milliseconds(settings.connect_timeout_ms); }
milliseconds read_timeout() { return milliseconds(settings.read_timeout_ms); }
size_t fetch_buffer_bytes() { return static_cast<size_t>(settings.fetch_buffer_kb) * 1024; }

}  // namespace kafka_fdw::fdw
