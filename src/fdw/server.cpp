#include "fdw/server.h"

#include "fdw/handler.h"
#include "pg/compat.h"
#include "pg/fail.h"

extern "C" {
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
}

namespace kafka_fdw::fdw {

namespace {

/// A leaf: may raise.
bool is_kafka_server(const ForeignServer* server) {
  if (!OidIsValid(GetForeignDataWrapper(server->fdwid)->fdwhandler)) return false;
  return is_kafka_routine(GetFdwRoutineByServerId(server->serverid));
}

}  // namespace

Oid find_server(const std::string& name) {
  bool kafka = false;
  const Oid server = pg::call([&] {
    const ForeignServer* found = GetForeignServerByName(name.c_str(), false);
    pg::check_server_usage(found->serverid, GetUserId());
    kafka = is_kafka_server(found);
    return found->serverid;
  });
  if (!kafka) pg::fail(ERRCODE_WRONG_OBJECT_TYPE, "\"" + name + "\" is not a server of kafka_fdw");
  return server;
}

Connection connect_to_server(const std::string& name) { return load_connection(find_server(name), GetUserId(), {}); }

}  // namespace kafka_fdw::fdw
