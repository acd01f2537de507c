#pragma once

#include "pg/fail.h"

namespace kafka_fdw::ingest {

using pg::fail;
using pg::tell;

}  // namespace kafka_fdw::ingest
