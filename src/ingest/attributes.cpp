#include "ingest/attributes.h"

#include <algorithm>
#include <array>

#include "ingest/fail.h"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
}

namespace kafka_fdw::ingest {

std::vector<Attribute> attributes_of(Oid relation) {
  const TupleDesc descriptor = pg::call([&]() -> TupleDesc {
    Relation open = try_relation_open(relation, AccessShareLock);
    if (open == nullptr)
      ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation)));
    TupleDesc copy = CreateTupleDescCopyConstr(RelationGetDescr(open));
    relation_close(open, NoLock);
    return copy;
  });
  std::vector<Attribute> result;
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (attribute->attisdropped) continue;
    result.push_back({.name = NameStr(attribute->attname),
                      .type = attribute->atttypid,
                      .typmod = attribute->atttypmod,
                      .collation = attribute->attcollation,
                      .generated = attribute->attgenerated != '\0',
                      .identity_always = attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS});
  }
  return result;
}

const Attribute* find_attribute(const std::vector<Attribute>& attributes, const std::string& name) noexcept {
  const auto found = std::ranges::find(attributes, name, &Attribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

bool is_metadata_name(const std::string& name) noexcept {
  static constexpr std::array<std::string_view, 5> names = {"kafka_partition", "kafka_offset", "kafka_timestamp",
                                                            "kafka_key", "kafka_headers"};
  return std::ranges::find(names, std::string_view(name)) != names.end();
}

std::vector<Attribute> filled_columns(const std::vector<Attribute>& stream, const std::vector<std::string>& columns) {
  std::vector<Attribute> result;
  for (const std::string& name : columns) {
    const Attribute* attribute = find_attribute(stream, name);
    if (attribute == nullptr) fail(ERRCODE_UNDEFINED_COLUMN, "the stream has no column \"" + name + "\"");
    if (attribute->generated)
      fail(ERRCODE_INVALID_COLUMN_REFERENCE, "column \"" + name + "\" is a generated column", {},
           "A consumer cannot fill generated columns.");
    if (find_attribute(result, name) != nullptr)
      fail(ERRCODE_DUPLICATE_COLUMN, "column \"" + name + "\" specified more than once");
    result.push_back(*attribute);
  }
  for (const Attribute& attribute : stream) {
    const bool wanted = is_metadata_name(attribute.name) || (columns.empty() && !attribute.identity_always);
    if (wanted && !attribute.generated && find_attribute(result, attribute.name) == nullptr)
      result.push_back(attribute);
  }
  return result;
}

std::vector<std::string> strings_of(Datum array) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  pg::call([&] {
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    for (int i = 0; i < count; ++i) {
      if (nulls[i])
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a list of names must not contain nulls")));
    }
  });
  std::vector<std::string> result;
  result.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) result.emplace_back(pg::call([&] { return TextDatumGetCString(elements[i]); }));
  return result;
}

}  // namespace kafka_fdw::ingest
