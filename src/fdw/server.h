#pragma once

#include <string>

#include "fdw/connection.h"

/// Servers as the callers of SQL functions name them.
namespace kafka_fdw::fdw {

/// The server of that name. Throws pg::Error 42704 where there is none, 42809 for one of another wrapper, 42501 where
/// the current user may not use it.
Oid find_server(const std::string& name);

/// How the current user connects to it: find_server and load_connection.
Connection connect_to_server(const std::string& name);

}  // namespace kafka_fdw::fdw
