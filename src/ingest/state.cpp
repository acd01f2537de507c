#include "ingest/state.h"

#include "ingest/fail.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace kafka_fdw::ingest {

namespace {

/// Valid only while the extension is installed: its absence is looked up every time.
Extension cached;
bool cached_valid = false;

void forget_relation(Datum, Oid relation) {
  if (relation == InvalidOid || relation == cached.consumers) cached_valid = false;
}

void forget_namespace(Datum, int, uint32) { cached_valid = false; }

void register_callbacks() {
  static bool registered = false;
  if (registered) return;
  pg::call([] {
    CacheRegisterRelcacheCallback(forget_relation, static_cast<Datum>(0));
    CacheRegisterSyscacheCallback(NAMESPACEOID, forget_namespace, static_cast<Datum>(0));
  });
  registered = true;
}

struct ExtensionRow {
  Oid oid;
  Oid owner;
  Oid schema;
  const char* schema_name;
};

/// A leaf: may raise. There is no system cache of extensions before PostgreSQL 18.
ExtensionRow read_extension() {
  ExtensionRow row{get_extension_oid("kafka_fdw", true), InvalidOid, InvalidOid, nullptr};
  if (!OidIsValid(row.oid)) return row;
  Relation relation = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(row.oid));
  SysScanDesc scan = systable_beginscan(relation, ExtensionOidIndexId, true, nullptr, 1, &key);
  HeapTuple tuple = systable_getnext(scan);
  if (HeapTupleIsValid(tuple)) {
    auto* form = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple));
    row.owner = form->extowner;
    row.schema = form->extnamespace;
    row.schema_name = quote_identifier(get_namespace_name(row.schema));
  } else {
    row.oid = InvalidOid;
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return row;
}

void refresh() {
  if (cached_valid) return;
  register_callbacks();
  Oid consumers = InvalidOid;
  Oid offsets = InvalidOid;
  const ExtensionRow row = pg::call([&] {
    const ExtensionRow found = read_extension();
    if (!OidIsValid(found.oid)) return found;
    consumers = get_relname_relid("pipeline_kafka_consumers", found.schema);
    offsets = get_relname_relid("pipeline_kafka_offsets", found.schema);
    return found;
  });
  cached = Extension{row.oid, row.owner, row.schema_name == nullptr ? "" : row.schema_name, consumers, offsets};
  cached_valid = OidIsValid(consumers) && OidIsValid(offsets);
}

}  // namespace

const Extension& extension() {
  refresh();
  if (!cached_valid)
    fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "extension \"kafka_fdw\" is not installed in this database",
         "Run CREATE EXTENSION kafka_fdw.");
  return cached;
}

Extension find_extension() {
  refresh();
  return cached_valid ? cached : Extension{};
}

std::string table(const char* name) { return extension().schema + "." + name; }

std::string with_schema(std::string sql) {
  const std::string schema = extension().schema + ".";
  for (size_t at = sql.find("$S."); at != std::string::npos; at = sql.find("$S.", at + schema.size()))
    sql.replace(at, 3, schema);
  return sql;
}

pg::Rows run_as_owner(pg::Spi& spi, std::string sql, std::initializer_list<pg::Param> params, bool read_only) {
  const std::string text = with_schema(std::move(sql));
  const pg::AsUser owner(extension().owner);
  return spi.execute(text.c_str(), params, read_only);
}

}  // namespace kafka_fdw::ingest
