#pragma once

#include <string>

#include "pg/boundary.h"

namespace kafka_fdw::pg {

/// Throws a pg::Error. The SQLSTATE is one of PostgreSQL's ERRCODE_ values.
[[noreturn]] void fail(int sqlstate, const std::string& message, const std::string& hint = {},
                       const std::string& detail = {});

/// A WARNING or a NOTICE for the client.
void tell(int level, const std::string& message, const std::string& hint = {});

}  // namespace kafka_fdw::pg
