#pragma once

#include <string_view>

#include "pg/boundary.h"

extern "C" {
#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"
}

namespace kafka_fdw::pg {

/// Turns JSON arrays into arrays and objects into composite types, as json_populate_record does. Plain data, owned by
/// a memory context.
struct NestedJson {
  FmgrInfo function{};      ///< json_populate_record
  TupleDesc row = nullptr;  ///< of one column, which has the name and the type
  HeapTuple empty_row = nullptr;
};

/// Null where the type is neither an array nor composite, nor a domain over one. May raise, as all below: inside a
/// guard.
NestedJson* look_up_nested_json(const char* name, Oid type, int32 typmod, MemoryContext context);

/// A JSON array or object, in the server's encoding.
Datum datum_of_nested_json(NestedJson& nested, std::string_view json);

}  // namespace kafka_fdw::pg
