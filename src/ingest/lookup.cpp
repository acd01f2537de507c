#include "ingest/lookup.h"

#include "ingest/fail.h"
#include "ingest/state.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"
}

namespace kafka_fdw::ingest {

namespace {

/// A leaf: may raise.
RangeVar* parse_relation_name(const char* name) {
  return makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
}

/// The qualified names that a name may have stood for, as they are stored.
std::vector<std::string> possible_names(const std::string& name) {
  const char* relation = nullptr;
  List* schemas = pg::call([&] {
    const RangeVar* parsed = parse_relation_name(name.c_str());
    relation = parsed->relname;
    if (parsed->schemaname != nullptr) return list_make1(parsed->schemaname);
    List* names = NIL;
    ListCell* cell = nullptr;
    foreach (cell, fetch_search_path(true)) {
      char* schema = get_namespace_name(lfirst_oid(cell));
      if (schema != nullptr) names = lappend(names, schema);
    }
    return names;
  });
  std::vector<std::string> result;
  result.reserve(static_cast<size_t>(list_length(schemas)));
  for (int i = 0; i < list_length(schemas); ++i)
    result.push_back(pg::qualified_name(static_cast<const char*>(list_nth(schemas, i)), relation));
  return result;
}

std::optional<Consumer> find_without_stream(pg::Spi& spi, const std::string& stream, const std::string& topic) {
  const std::vector<std::string> names = possible_names(stream);
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT id FROM $S.pipeline_kafka_consumers
       WHERE topic = $1 AND stream_name = ANY ($2) AND NOT EXISTS (SELECT FROM pg_class WHERE oid = stream)
       ORDER BY id LIMIT 1)",
                                     {pg::Param::text(std::string_view(topic)), pg::Param::texts(names)});
  if (rows.empty()) return std::nullopt;
  return load_consumer(spi, *rows.integer(0, 1));
}

bool may_act_for_owner(const Consumer& consumer) {
  return pg::call([&] {
    if (superuser()) return true;
    const Oid owner = get_role_oid(consumer.owner.c_str(), true);
    return OidIsValid(owner) && pg::may_act_as(GetUserId(), owner);
  });
}

}  // namespace

Oid resolve_relation(const std::string& name) {
  return pg::call([&] {
    if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos) {
      const Oid oid = DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(name.c_str())));
      return get_rel_name(oid) == nullptr ? InvalidOid : oid;
    }
    return RangeVarGetRelid(parse_relation_name(name.c_str()), NoLock, true);
  });
}

std::optional<Consumer> look_up_consumer(pg::Spi& spi, Oid relation, const std::string& stream,
                                         const std::string& topic) {
  if (OidIsValid(relation)) {
    if (auto consumer = find_consumer(spi, relation, topic)) return consumer;
  }
  return find_without_stream(spi, stream, topic);
}

Consumer require_consumer(pg::Spi& spi, const std::string& stream, const std::string& topic) {
  const Oid relation = resolve_relation(stream);
  if (auto consumer = look_up_consumer(spi, relation, stream, topic)) return *consumer;
  if (!OidIsValid(relation)) fail(ERRCODE_UNDEFINED_TABLE, "relation \"" + stream + "\" does not exist");
  fail(ERRCODE_UNDEFINED_OBJECT, "there is no consumer of topic \"" + topic + "\" into stream \"" + stream + "\"",
       "Make one with kafka_consume_begin.");
}

std::vector<ConsumerId> manageable_consumers(pg::Spi& spi) {
  const pg::Rows rows = run_as_owner(spi, R"(
      SELECT c.id FROM $S.pipeline_kafka_consumers c LEFT JOIN pg_roles r ON r.rolname = c.owner
       WHERE coalesce(pg_has_role($1, r.oid, $2), $3) ORDER BY c.id)",
                                     {pg::Param::oid(GetUserId()), pg::Param::text(pg::acting_privileges),
                                      pg::Param::boolean(pg::call([] { return superuser(); }))});
  std::vector<ConsumerId> result;
  for (size_t i = 0; i < rows.size(); ++i) result.push_back(*rows.integer(i, 1));
  return result;
}

Oid owner_of(const Consumer& consumer) {
  const Oid owner = pg::call([&] { return get_role_oid(consumer.owner.c_str(), true); });
  if (!OidIsValid(owner))
    fail(ERRCODE_UNDEFINED_OBJECT,
         "role \"" + consumer.owner + "\", the owner of " + describe(consumer) + ", does not exist");
  return owner;
}

bool owner_is_current_user(const Consumer& consumer) {
  return pg::call([&] { return get_role_oid(consumer.owner.c_str(), true) == GetUserId(); });
}

void check_may_change(const Consumer& consumer) {
  if (!may_act_for_owner(consumer)) fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of " + describe(consumer));
}

void check_may_see(const Consumer& consumer) {
  const bool monitors = pg::call([] { return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR); });
  if (!monitors && !may_act_for_owner(consumer))
    fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for " + describe(consumer));
}

std::string describe(const Consumer& consumer) {
  return "consumer " + std::to_string(consumer.id) + " of topic \"" + consumer.topic + "\" into " +
         consumer.stream_name;
}

}  // namespace kafka_fdw::ingest
