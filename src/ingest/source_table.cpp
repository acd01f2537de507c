#include "ingest/source_table.h"

#include <algorithm>

#include "ingest/attributes.h"
#include "ingest/fail.h"
#include "ingest/fence.h"
#include "ingest/lookup.h"
#include "ingest/state.h"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
}

namespace kafka_fdw::ingest {

namespace {

struct SourceColumn {
  Attribute attribute;
  std::string option;  ///< of the column, a boolean; empty: a field
};

/// The type that a metadata column of the source gets; the statement's assignment casts it to the stream's.
Oid metadata_type(const std::string& option, Oid wanted) {
  if (option == "partition") return INT4OID;
  if (option == "offset") return INT8OID;
  if (option == "headers") return JSONBOID;
  if (option == "key") return wanted == BYTEAOID ? BYTEAOID : TEXTOID;
  return wanted == TIMESTAMPOID || wanted == INT8OID ? wanted : TIMESTAMPTZOID;
}

SourceColumn metadata_column(const Attribute& attribute) {
  SourceColumn column{.attribute = {.name = attribute.name}, .option = attribute.name.substr(strlen("kafka_"))};
  column.attribute.type = metadata_type(column.option, attribute.type);
  column.attribute.collation = pg::call([&] { return get_typcollation(column.attribute.type); });
  return column;
}

/// A domain's constraints are left to the statement's assignment: a field that is missing would slip past them here.
SourceColumn field_column(const Attribute& attribute) {
  SourceColumn column{.attribute = attribute, .option = {}};
  column.attribute.type = pg::call([&] { return getBaseTypeAndTypmod(attribute.type, &column.attribute.typmod); });
  column.attribute.generated = false;
  column.attribute.identity_always = false;
  return column;
}

std::vector<SourceColumn> source_columns(const Consumer& consumer) {
  std::vector<SourceColumn> columns;
  std::vector<size_t> fields;
  for (const Attribute& attribute : filled_columns(attributes_of(consumer.stream), consumer.columns)) {
    if (is_metadata_name(attribute.name)) {
      columns.push_back(metadata_column(attribute));
    } else {
      fields.push_back(columns.size());
      columns.push_back(field_column(attribute));
    }
  }
  if (consumer.format == "json" && fields.size() == 1) {
    SourceColumn& only = columns[fields[0]];
    if (only.attribute.type == JSONOID || only.attribute.type == JSONBOID) only.option = "payload";
  }
  return columns;
}

std::string definition(const SourceColumn& column) {
  const Attribute& a = column.attribute;
  std::string text =
      pg::quoted(a.name) + " " + pg::call([&] {
        return format_type_extended(a.type, a.typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
      });
  if (!column.option.empty()) text += " OPTIONS (" + pg::quoted(column.option) + " 'true')";
  const bool collated = OidIsValid(a.collation) && a.collation != pg::call([&] { return get_typcollation(a.type); });
  if (collated) text += std::string(" COLLATE ") + pg::call([&] { return generate_collation_name(a.collation); });
  return text;
}

std::string table_options(const Consumer& consumer) {
  std::string options =
      "topic " + pg::quoted_literal(consumer.topic) + ", format " + pg::quoted_literal(consumer.format);
  if (consumer.delimiter) options += ", delimiter " + pg::quoted_literal(*consumer.delimiter);
  if (consumer.format == "text" || consumer.format == "csv") options += ", strict 'true'";
  return options;
}

bool same_column(const Attribute& a, const Attribute& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod && a.collation == b.collation;
}

/// All columns anew: text and csv go by position, so adding one in the middle would not do.
void replace_columns(pg::Spi& spi, const Consumer& consumer, const std::vector<Attribute>& old,
                     const std::vector<SourceColumn>& wanted) {
  std::string actions;
  const auto add = [&](const std::string& action) { actions += (actions.empty() ? "" : ", ") + action; };
  for (const Attribute& attribute : old) add("DROP COLUMN " + pg::quoted(attribute.name));
  for (const SourceColumn& column : wanted) add("ADD COLUMN " + definition(column));
  spi.execute("ALTER FOREIGN TABLE " + pg::qualified_name(consumer.source) + " " + actions);
}

bool sync_columns(pg::Spi& spi, const Consumer& consumer) {
  if (!consumer.owns_source) return false;
  // One of the consumer's workers at a time, and before the locks of looking at it: two that both went from those to
  // ALTER's lock would deadlock.
  pg::call([&] { LockRelationOid(consumer.source, ShareUpdateExclusiveLock); });
  if (pg::call([&] { return get_rel_name(consumer.source); }) == nullptr) return false;
  const std::vector<Attribute> old = attributes_of(consumer.source);
  const std::vector<SourceColumn> wanted = source_columns(consumer);
  const auto same = [](const Attribute& a, const SourceColumn& b) { return same_column(a, b.attribute); };
  if (std::ranges::equal(old, wanted, same)) return false;
  replace_columns(spi, consumer, old, wanted);
  return true;
}

/// The stream's identity, by its stored name where it was dropped and made again.
Oid find_stream(const Consumer& consumer) {
  if (pg::call([&] { return get_rel_name(consumer.stream); }) != nullptr) return consumer.stream;
  const Oid again = resolve_relation(consumer.stream_name);
  if (!OidIsValid(again))
    fail(ERRCODE_UNDEFINED_TABLE, "the stream " + consumer.stream_name + " does not exist any more",
         "Create it again, or call kafka_consume_drop.");
  return again;
}

}  // namespace

Oid make_source(pg::Spi& spi, const Consumer& consumer) {
  const char* name = nullptr;
  const char* schema = nullptr;
  const std::string label = "kafka_" + std::to_string(consumer.id);
  pg::call([&] {
    name = quote_identifier(makeObjectName(get_rel_name(consumer.stream), nullptr, label.c_str()));
    schema = quote_identifier(get_namespace_name(get_rel_namespace(consumer.stream)));
  });
  const std::string qualified = std::string(schema) + "." + name;
  std::string columns;
  for (const SourceColumn& column : source_columns(consumer))
    columns += (columns.empty() ? "" : ", ") + definition(column);
  spi.execute("CREATE FOREIGN TABLE " + qualified + " (" + columns + ") SERVER " + pg::quoted(consumer.server) +
              " OPTIONS (" + table_options(consumer) + ")");
  return resolve_relation(qualified);
}

void drop_source(pg::Spi& spi, const Consumer& consumer) {
  if (!consumer.owns_source || pg::call([&] { return get_rel_name(consumer.source); }) == nullptr) return;
  spi.execute("DROP FOREIGN TABLE " + pg::qualified_name(consumer.source));
}

bool sync_source(pg::Spi& spi, const Consumer& consumer) {
  Consumer now = consumer;
  now.stream = find_stream(consumer);
  now.stream_name = pg::qualified_name(now.stream);
  const bool moved = now.stream != consumer.stream || now.stream_name != consumer.stream_name;
  const bool synced = sync_columns(spi, now);
  // Last: whoever has the stream locked must not wait for this row.
  if (moved)
    run_as_owner(
        spi, "UPDATE $S.pipeline_kafka_consumers SET stream = $2, stream_name = $3 WHERE id = $1",
        {pg::Param::int8(now.id), pg::Param::oid(now.stream), pg::Param::text(std::string_view(now.stream_name))});
  return synced || moved;
}

bool sync_source_softly(pg::Spi& spi, const Consumer& consumer) {
  if (!try_lock_stream(find_stream(consumer))) throw StreamLocked{};
  return sync_source(spi, consumer);
}

bool takes_documents(const Consumer& consumer) {
  int fields = 0;
  bool json = false;
  for (const Attribute& attribute : filled_columns(attributes_of(consumer.stream), consumer.columns)) {
    if (is_metadata_name(attribute.name)) continue;
    ++fields;
    const Oid type = pg::call([&] { return getBaseType(attribute.type); });
    json = type == JSONOID || type == JSONBOID;
  }
  return json && fields == 1;
}

}  // namespace kafka_fdw::ingest
