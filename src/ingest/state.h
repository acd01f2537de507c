#pragma once

#include <string>

#include "pg/spi.h"

namespace kafka_fdw::ingest {

/// Where the extension's objects are in this database, looked up by OID, not by search_path; renewed when the catalog
/// changes.
struct Extension {
  Oid oid = InvalidOid;  ///< InvalidOid: not installed (any more)
  Oid owner = InvalidOid;
  std::string schema;          ///< quoted as needed
  Oid consumers = InvalidOid;  ///< OID of the table pipeline_kafka_consumers
  Oid offsets = InvalidOid;    ///< and of pipeline_kafka_offsets
};

/// In a transaction. Throws pg::Error 55000 where the extension is not installed, but not from find_extension.
const Extension& extension();
Extension find_extension();

/// The name of one of the extension's tables, qualified and quoted: table("pipeline_kafka_offsets").
std::string table(const char* name);

/// `$S.` in the text becomes the extension's schema.
std::string with_schema(std::string sql);

/// Runs a statement on the state tables as the extension's owner, in a fresh snapshot, or in the active one if
/// read_only.
/// `$S.` in the text stands for the extension's schema.
pg::Rows run_as_owner(pg::Spi& spi, std::string sql, std::initializer_list<pg::Param> params = {},
                      bool read_only = false);

}  // namespace kafka_fdw::ingest
