#include "pg/nested_json.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::pg {

namespace {

bool holds_values(Oid type) {
  const Oid base = getBaseType(type);
  return get_typtype(base) == TYPTYPE_COMPOSITE || OidIsValid(get_element_type(base));
}

/// The function asks its call for the type of its first argument: a record, which says itself what it is.
void look_up_function(FmgrInfo* function, MemoryContext context) {
  Node* any_record = reinterpret_cast<Node*>(makeNullConst(RECORDOID, -1, InvalidOid));
  FuncExpr* call = makeFuncExpr(F_JSON_POPULATE_RECORD, RECORDOID, list_make1(any_record), InvalidOid, InvalidOid,
                                COERCE_EXPLICIT_CALL);
  fmgr_info_cxt(F_JSON_POPULATE_RECORD, function, context);
  fmgr_info_set_expr(reinterpret_cast<Node*>(call), function);
}

}  // namespace

NestedJson* look_up_nested_json(const char* name, Oid type, int32 typmod, MemoryContext context) {
  if (!holds_values(type)) return nullptr;
  const MemoryContext caller = MemoryContextSwitchTo(context);
  auto* nested = static_cast<NestedJson*>(palloc0(sizeof(NestedJson)));
  look_up_function(&nested->function, context);
  nested->row = CreateTemplateTupleDesc(1);
  TupleDescInitEntry(nested->row, 1, name, type, typmod, 0);
  BlessTupleDesc(nested->row);
  Datum value = 0;
  bool null = true;
  nested->empty_row = heap_form_tuple(nested->row, &value, &null);
  MemoryContextSwitchTo(caller);
  return nested;
}

Datum datum_of_nested_json(NestedJson& nested, std::string_view json) {
  StringInfoData object;
  initStringInfo(&object);
  appendStringInfoChar(&object, '{');
  escape_json(&object, NameStr(TupleDescAttr(nested.row, 0)->attname));
  appendStringInfoChar(&object, ':');
  appendBinaryStringInfo(&object, json.data(), static_cast<int>(json.size()));
  appendStringInfoChar(&object, '}');
  const Datum text = PointerGetDatum(cstring_to_text_with_len(object.data, object.len));
  const Datum row = FunctionCall3(&nested.function, HeapTupleGetDatum(nested.empty_row), text, BoolGetDatum(false));
  HeapTupleData tuple{};
  tuple.t_data = DatumGetHeapTupleHeader(row);
  tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
  bool null = false;
  return heap_getattr(&tuple, 1, nested.row, &null);
}

}  // namespace kafka_fdw::pg
