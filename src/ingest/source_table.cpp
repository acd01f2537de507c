#include "ingest/source_table.h"

#include <algorithm>

#include "ingest/attributes.h"
#include "ingest/fail.h"
#include "ingest/fence.h"
#include "ingest/lookup.h"
#include "ingest/source_columns.h"
#include "ingest/state.h"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
}

namespace kafka_fdw::ingest {

namespace {

std::string text_of(const Options& options) {
  std::string text;
  for (const auto& [name, value] : options)
    text += (text.empty() ? "" : ", ") + pg::quoted(name) + " " + pg::quoted_literal(value);
  return " OPTIONS (" + text + ")";
}

std::string definition(const SourceColumn& column) {
  const Attribute& a = column.attribute;
  std::string text =
      pg::quoted(a.name) + " " + pg::call([&] {
        return format_type_extended(a.type, a.typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
      });
  if (!column.options.empty()) text += text_of(column.options);
  const bool collated = OidIsValid(a.collation) && a.collation != pg::call([&] { return get_typcollation(a.type); });
  if (collated) text += std::string(" COLLATE ") + pg::call([&] { return generate_collation_name(a.collation); });
  return text;
}

Options options_of(List* definitions) {
  Options options;
  for (int i = 0; i < list_length(definitions); ++i) {
    auto* option = static_cast<DefElem*>(list_nth(definitions, i));
    const char* value = pg::call([&] { return static_cast<const char*>(defGetString(option)); });
    options.emplace_back(option->defname, value);
  }
  return options;
}

/// Whether the source has the column as it is wanted.
bool same_column(Oid source, const Attribute& a, const SourceColumn& wanted) {
  const Attribute& b = wanted.attribute;
  if (a.name != b.name || a.type != b.type || a.typmod != b.typmod || a.collation != b.collation) return false;
  List* options = pg::call([&] { return GetForeignColumnOptions(source, get_attnum(source, a.name.c_str())); });
  return options_of(options) == wanted.options;
}

std::string find(const Options& options, const std::string& name) {
  const auto found = std::ranges::find(options, name, &Options::value_type::first);
  return found == options.end() ? "" : found->second;
}

/// How the key is read depends on the stream's primary key. Empty where nothing changes.
std::string new_key_format(const Consumer& consumer) {
  if (consumer.envelope == Envelope::none) return {};
  List* options = pg::call([&] { return GetForeignTable(consumer.source)->options; });
  const std::string wanted = find(source_options(consumer), "key_format");
  return find(options_of(options), "key_format") == wanted ? std::string() : wanted;
}

/// All columns anew: text and csv go by position, so adding one in the middle would not do.
void replace_columns(pg::Spi& spi, const Consumer& consumer, const std::vector<Attribute>& old,
                     const std::vector<SourceColumn>& wanted, const std::string& key_format) {
  std::string actions;
  const auto add = [&](const std::string& action) { actions += (actions.empty() ? "" : ", ") + action; };
  for (const Attribute& attribute : old) add("DROP COLUMN " + pg::quoted(attribute.name));
  for (const SourceColumn& column : wanted) add("ADD COLUMN " + definition(column));
  if (!key_format.empty()) add("OPTIONS (SET key_format " + pg::quoted_literal(key_format) + ")");
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
  const auto same = [&](const Attribute& a, const SourceColumn& b) { return same_column(consumer.source, a, b); };
  const std::string key_format = new_key_format(consumer);
  if (std::ranges::equal(old, wanted, same) && key_format.empty()) return false;
  replace_columns(spi, consumer, old, wanted, key_format);
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
              text_of(source_options(consumer)));
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
