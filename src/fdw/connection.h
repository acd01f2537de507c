#pragma once

#include <string>

#include "kafka/pool.h"
#include "kafka/properties.h"
#include "pg/boundary.h"

namespace kafka_fdw::fdw {

/// Everything that a client handle is made from: server, user mapping, properties, all checked.
struct Connection {
  std::string server_name;
  std::string brokers;           ///< for messages
  std::string pool_key;          ///< equal keys: the same handle serves
  kafka::Properties properties;  ///< those of server, mapping and table, the extension's own, and bootstrap.servers
};

/// Reads the catalog with the rights of `user`. USAGE on the server is the caller's to have checked.
/// Throws kafka::Error or pg::Error: no brokers anywhere, secrets missing (password_required), options on the server
/// pipeline_kafka.
Connection load_connection(Oid server, Oid user, const kafka::Properties& table_properties,
                           kafka::Reading reading = kafka::Reading::many);

/// A client for the connection out of the backend's pool; the pool is emptied when a server or a user mapping changes.
kafka::Lease lease_client(const Connection& connection);

/// The settings as durations; see module.cpp.
std::chrono::milliseconds connect_timeout();
std::chrono::milliseconds read_timeout();
size_t fetch_buffer_bytes();

}  // namespace kafka_fdw::fdw
