#include "fdw/catalog.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_user_mapping.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace kafka_fdw::fdw {

namespace {

/// The handler is in the extension's schema, whatever the wrapper is called.
Oid handler_of(const ForeignServer* server) { return GetForeignDataWrapper(server->fdwid)->fdwhandler; }

}  // namespace

bool belongs_to_extension(const ForeignServer* server) {
  const Oid extension = getExtensionOfObject(ForeignServerRelationId, server->serverid);
  return OidIsValid(extension) && extension == getExtensionOfObject(ProcedureRelationId, handler_of(server));
}

MappingOptions look_up_mapping(Oid server, Oid user) {
  HeapTuple tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
  if (!HeapTupleIsValid(tuple))
    tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server));
  if (!HeapTupleIsValid(tuple)) return {InvalidOid, NIL};
  bool null = false;
  const Datum options = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &null);
  const MappingOptions mapping{reinterpret_cast<Form_pg_user_mapping>(GETSTRUCT(tuple))->oid,
                               null ? NIL : untransformRelOptions(options)};
  ReleaseSysCache(tuple);
  return mapping;
}

char* registered_brokers(const ForeignServer* server) {
  StringInfoData brokers;
  initStringInfo(&brokers);
  const Oid relation = get_relname_relid("pipeline_kafka_brokers", get_func_namespace(handler_of(server)));
  if (!OidIsValid(relation)) return brokers.data;
  const AttrNumber host = get_attnum(relation, "host");
  Relation table = table_open(relation, AccessShareLock);
  SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  while (HeapTuple tuple = systable_getnext(scan)) {
    bool null = false;
    const Datum value = heap_getattr(tuple, host, RelationGetDescr(table), &null);
    if (null) continue;
    appendStringInfo(&brokers, "%s%s", brokers.len == 0 ? "" : ",", TextDatumGetCString(value));
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return brokers.data;
}

}  // namespace kafka_fdw::fdw
