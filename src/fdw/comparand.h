#pragma once

#include "fdw/condition.h"

namespace kafka_fdw::fdw {

/// An integer or an array of integers, of 2, 4 or 8 bytes.
Comparand make_comparand(Oid type, Datum value, bool null);

}  // namespace kafka_fdw::fdw
