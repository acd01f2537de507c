#include "fdw/table.h"

#include <algorithm>
#include <optional>

#include "fdw/handler.h"
#include "fdw/options.h"

extern "C" {
#include "catalog/pg_class.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace kafka_fdw::fdw {

namespace {

using pg::ColumnRole;
using pg::RowColumn;

struct NamedRole {
  const char* option;
  ColumnRole role;
};

constexpr NamedRole named_roles[] = {
    {"partition", ColumnRole::partition},   {"offset", ColumnRole::offset},
    {"timestamp", ColumnRole::timestamp},   {"key", ColumnRole::key},
    {"headers", ColumnRole::headers},       {"payload", ColumnRole::payload},
    {"tombstone", ColumnRole::tombstone},   {"junk", ColumnRole::junk},
    {"junk_error", ColumnRole::junk_error}, {"deleted", ColumnRole::deleted},
};

const std::string* find(const OptionValues& options, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto option = options.find(name); option != options.end()) return &option->second;
  return nullptr;
}

/// Looked for in the key where an option says so, and in the value where one says so or none says anything.
void make_row_key(RowColumn& column, const OptionValues& options) {
  column.whole_key = column.role == ColumnRole::key;
  const bool in_key = column.whole_key || column.role == ColumnRole::key_field;
  if (in_key && find(options, {"field", "json"}) == nullptr) column.path.clear();
  column.role = ColumnRole::row_key;
}

RowColumn read_column(const OptionValues& options, const char* name) {
  RowColumn column{.role = ColumnRole::field,
                   .needed = true,
                   .path = name,
                   .key_path = {},
                   .force_null = is_set(options, "force_null"),
                   .force_not_null = is_set(options, "force_not_null")};
  if (const std::string* path = find(options, {"field", "json"})) column.path = *path;
  if (const std::string* path = find(options, {"key_field"})) {
    column.role = ColumnRole::key_field;
    column.key_path = *path;
  }
  if (const std::string* path = find(options, {"before"})) {
    column.role = ColumnRole::before;
    column.path = *path;
  }
  for (const NamedRole& named : named_roles)
    if (is_set(options, named.option)) column.role = named.role;
  if (is_set(options, "row_key")) make_row_key(column, options);
  return column;
}

[[noreturn]] void refuse_type(Form_pg_attribute attribute, const char* option, const char* types) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                    errmsg("column \"%s\" with option \"%s\" cannot have type %s", NameStr(attribute->attname), option,
                           format_type_be(attribute->atttypid)),
                    errhint("Its type must be %s.", types)));
  });
  pg_unreachable();
}

void check_type(const RowColumn& column, Form_pg_attribute attribute) {
  const bool key = column.role == ColumnRole::key;
  const char* types = key ? nullptr : pg::wrong_type_for_role(column.role, attribute->atttypid);
  if (types != nullptr)
    refuse_type(attribute, std::ranges::find(named_roles, column.role, &NamedRole::role)->option, types);
}

[[noreturn]] void refuse_option(const char* column, const char* option, const char* wants) {
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("option \"%s\" of column \"%s\" is for tables with %s", option, column, wants)));
  });
  pg_unreachable();
}

/// What the column shows of the key must be what keys of the format have.
void check_key(const RowColumn& column, Form_pg_attribute attribute, decode::KeyFormat::Kind format) {
  using Kind = decode::KeyFormat::Kind;
  if (!column.key_path.empty() && format != Kind::json)
    refuse_option(NameStr(attribute->attname), "key_field", "key_format json");
  if ((column.role != ColumnRole::key && !column.whole_key) || format != Kind::raw) return;
  if (const char* types = pg::wrong_type_for_role(ColumnRole::key, attribute->atttypid))
    refuse_type(attribute, "key", types);
}

void check_envelope(const RowColumn& column, Form_pg_attribute attribute, const decode::Format& format) {
  using decode::Envelope;
  const char* name = NameStr(attribute->attname);
  if (column.role == ColumnRole::before && format.envelope != Envelope::debezium)
    refuse_option(name, "before", "envelope debezium");
  if (format.envelope != Envelope::none) return;
  if (column.role == ColumnRole::row_key) refuse_option(name, "row_key", "an envelope");
  if (column.role == ColumnRole::deleted) refuse_option(name, "deleted", "an envelope");
}

void check_forcing(const RowColumn& column, decode::Format::Kind kind, const char* name) {
  if ((!column.force_null && !column.force_not_null) ||
      (kind == decode::Format::Kind::csv && column.role == ColumnRole::field))
    return;
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("option \"%s\" of column \"%s\" is for fields of the format csv",
                           column.force_null ? "force_null" : "force_not_null", name)));
  });
}

void check_roles_differ(const std::vector<RowColumn>& columns, Relation relation) {
  for (const NamedRole& named : named_roles) {
    const auto first = std::ranges::find(columns, named.role, &RowColumn::role);
    if (first == columns.end()) continue;
    const auto second = std::find_if(first + 1, columns.end(), [&](const auto& c) { return c.role == named.role; });
    if (second == columns.end()) continue;
    const auto name = [&](auto column) {
      return NameStr(TupleDescAttr(RelationGetDescr(relation), column - columns.begin())->attname);
    };
    pg::call([&] {
      ereport(ERROR,
              (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("columns \"%s\" and \"%s\" both have the option \"%s\"",
                                                                name(first), name(second), named.option)));
    });
  }
}

void check_raw_has_one_field(const std::vector<RowColumn>& columns, Relation relation) {
  const auto fields = std::ranges::count(columns, ColumnRole::field, &RowColumn::role);
  if (fields <= 1) return;
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("format raw has one column for the message, but table \"%s\" has %d",
                           RelationGetRelationName(relation), static_cast<int>(fields)),
                    errhint("Give the others metadata options, or drop them.")));
  });
}

/// The one field of a raw message is its payload, and has its types.
void check_raw(const RowColumn& column, Form_pg_attribute attribute) {
  if (column.role == ColumnRole::row_key && !column.path.empty())
    refuse_option(NameStr(attribute->attname), "row_key", "another format than raw, unless the key holds the column");
  const char* types = pg::wrong_type_for_role(ColumnRole::payload, attribute->atttypid);
  if (column.role != ColumnRole::field || types == nullptr) return;
  pg::call([&] {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                    errmsg("column \"%s\" cannot have type %s with format raw", NameStr(attribute->attname),
                           format_type_be(attribute->atttypid)),
                    errhint("Its type must be %s.", types)));
  });
}

void check_generated(const OptionValues& options, const char* name) {
  if (options.empty()) return;
  pg::call([&] {
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
             errmsg("generated column \"%s\" cannot have the option \"%s\"", name, options.begin()->first.c_str()),
             errhint("It shows what its expression gives, whatever the message holds.")));
  });
}

RowColumn load_column(Relation relation, Form_pg_attribute attribute, const TableFormat& formats) {
  if (attribute->attisdropped) return {};
  const Oid table = RelationGetRelid(relation);
  List* options = pg::call([&] { return GetForeignColumnOptions(table, attribute->attnum); });
  const OptionValues values = read_options(options);
  if (attribute->attgenerated != '\0') {
    check_generated(values, NameStr(attribute->attname));
    RowColumn column;
    column.role = ColumnRole::generated;
    return column;
  }
  RowColumn column = read_column(values, NameStr(attribute->attname));
  check_type(column, attribute);
  check_key(column, attribute, formats.key_format.kind);
  check_envelope(column, attribute, formats.format);
  check_forcing(column, formats.format.kind, NameStr(attribute->attname));
  if (formats.format.kind == decode::Format::Kind::raw) check_raw(column, attribute);
  return column;
}

}  // namespace

Table load_table(Relation relation) {
  Table table;
  table.relation = RelationGetRelid(relation);
  const ForeignTable* entry =
      pg::call([&] { return static_cast<const ForeignTable*>(GetForeignTable(table.relation)); });
  const OptionValues options = read_options(entry->options);
  table.server = entry->serverid;
  if (const auto topic = options.find("topic"); topic != options.end()) table.topic = topic->second;
  if (const auto start = options.find("start"); start != options.end()) table.start = start->second;
  table.properties = properties_of(options);
  if (const auto partitioner = options.find("key_partitioner"); partitioner != options.end())
    table.key_partitioner = partitioner->second == "murmur2" ? kafka::Partitioner::murmur2 : kafka::Partitioner::crc32;
  if (const auto disorder = options.find("max_timestamp_disorder"); disorder != options.end())
    table.max_timestamp_disorder = interval_of(disorder->second);

  const TableFormat format = parse_format(options);
  table.shape.format = format.format;
  table.shape.key_format = format.key_format;
  table.shape.encoding = format.encoding;
  table.shape.ignore_junk = is_set(options, "ignore_junk");
  TupleDesc descriptor = RelationGetDescr(relation);
  for (int i = 0; i < descriptor->natts; ++i)
    table.shape.columns.push_back(load_column(relation, TupleDescAttr(descriptor, i), format));
  check_roles_differ(table.shape.columns, relation);
  if (format.format.kind == decode::Format::Kind::raw) check_raw_has_one_field(table.shape.columns, relation);
  return table;
}

bool is_kafka_table(Oid relation) {
  return pg::call([&] {
    if (get_rel_relkind(relation) != RELKIND_FOREIGN_TABLE) return false;
    const ForeignServer* server = GetForeignServer(GetForeignTable(relation)->serverid);
    if (!OidIsValid(GetForeignDataWrapper(server->fdwid)->fdwhandler)) return false;
    return is_kafka_routine(GetFdwRoutineByServerId(server->serverid));
  });
}

}  // namespace kafka_fdw::fdw
