#include "pg/row_builder.h"

#include <algorithm>
#include <cstring>

#include "kafka/error.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
}

namespace kafka_fdw::pg {

namespace {

using decode::Type;
using decode::Value;

/// The parser that decode has for the type, where it has one that needs no typmod.
Type decode_type(Oid type, int32 typmod) {
  if (type == JSONOID || type == JSONBOID) return Type::json;
  if (typmod != -1) return Type::other;
  switch (type) {
    case BOOLOID:
      return Type::boolean;
    case INT2OID:
      return Type::int2;
    case INT4OID:
      return Type::int4;
    case INT8OID:
      return Type::int8;
    case FLOAT4OID:
      return Type::float4;
    case FLOAT8OID:
      return Type::float8;
    case NUMERICOID:
      return Type::numeric;
    case TEXTOID:
    case VARCHAROID:
      return Type::text;
    case DATEOID:
      return Type::date;
    case TIMESTAMPOID:
      return Type::timestamp;
    case TIMESTAMPTZOID:
      return Type::timestamptz;
    case UUIDOID:
      return Type::uuid;
    default:
      return Type::other;
  }
}

/// Errors that say that a value is bad, rather than that something else went wrong while it was looked at. Input
/// functions raise more than data exceptions: names that do not exist, syntax errors (tsvector), what a domain's own
/// function raises, and, in extensions, internal errors.
bool is_bad_value(int sqlstate) {
  if (sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE) return false;
  constexpr int categories[] = {ERRCODE_DATA_EXCEPTION,         ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
                                ERRCODE_INVALID_SCHEMA_NAME,    ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
                                ERRCODE_PROGRAM_LIMIT_EXCEEDED, ERRCODE_PLPGSQL_ERROR};
  return sqlstate == ERRCODE_INTERNAL_ERROR ||
         std::ranges::find(categories, ERRCODE_TO_CATEGORY(sqlstate)) != std::end(categories);
}

/// Names are in the server's encoding; decoders know nothing but UTF-8.
std::string to_utf8(std::string_view name) {
  return call([&] { return pg_server_to_any(name.data(), static_cast<int>(name.size()), PG_UTF8); });
}

bool shows_junk(const RowColumn& column) {
  return column.role == ColumnRole::junk || column.role == ColumnRole::junk_error;
}

/// A leaf: inside a guard.
TypeInput look_up_column(Form_pg_attribute attribute, bool json, MemoryContext context) {
  TypeInput input = look_up_input(attribute->atttypid, attribute->atttypmod, context);
  if (json)
    input.nested = look_up_nested_json(NameStr(attribute->attname), attribute->atttypid, attribute->atttypmod, context);
  return input;
}

}  // namespace

bool RowShape::keeps_errors() const noexcept { return ignore_junk || std::ranges::any_of(columns, shows_junk); }

const char* wrong_type_for_role(ColumnRole role, Oid type) {
  auto one_of = [type](std::initializer_list<Oid> types) { return std::ranges::find(types, type) != types.end(); };
  switch (role) {
    case ColumnRole::partition:
      return one_of({INT4OID}) ? nullptr : "integer";
    case ColumnRole::offset:
      return one_of({INT8OID}) ? nullptr : "bigint";
    case ColumnRole::timestamp:
      return one_of({TIMESTAMPTZOID, TIMESTAMPOID, INT8OID})
                 ? nullptr
                 : "timestamp with time zone, timestamp without time zone or bigint";
    case ColumnRole::key:
      return one_of({BYTEAOID, TEXTOID}) ? nullptr : "bytea or text";
    case ColumnRole::headers:
      return one_of({JSONBOID}) ? nullptr : "jsonb";
    case ColumnRole::payload:
      return one_of({BYTEAOID, TEXTOID, JSONOID, JSONBOID}) ? nullptr : "bytea, text, json or jsonb";
    case ColumnRole::tombstone:
      return one_of({BOOLOID}) ? nullptr : "boolean";
    case ColumnRole::junk:
    case ColumnRole::junk_error:
      return one_of({TEXTOID}) ? nullptr : "text";
    case ColumnRole::field:
    case ColumnRole::generated:
    case ColumnRole::none:
      return nullptr;
  }
  return nullptr;
}

RowBuilder::RowBuilder(RowShape shape, TupleDesc descriptor, MemoryContext context)
    : shape_(std::move(shape)), descriptor_(descriptor), soft_(shape_.keeps_errors()) {
  shape_.format.verify_utf8 = GetDatabaseEncoding() == PG_UTF8;
  bool junk_needed = false;
  for (const RowColumn& column : shape_.columns) junk_needed |= column.needed && shows_junk(column);
  std::vector<decode::Column> decoded;
  for (size_t i = 0; i < shape_.columns.size(); ++i) {
    RowColumn& column = shape_.columns[i];
    // Whether a message is junk must not depend on what else the query looks at.
    column.needed |= junk_needed;
    add_column(column, TupleDescAttr(descriptor, i), decoded, context);
  }
  const auto needed = [](const decode::Column& column) { return column.needed; };
  if (std::ranges::any_of(decoded, needed)) {
    row_.resize(decoded.size());
    decoder_ = decode::make_decoder(shape_.format, std::move(decoded));
  }
}

void RowBuilder::add_column(const RowColumn& column, Form_pg_attribute attribute, std::vector<decode::Column>& decoded,
                            MemoryContext context) {
  ColumnRole role = column.role;
  if (role == ColumnRole::none || role == ColumnRole::generated) return;
  // The one column of a raw message is the message.
  if (role == ColumnRole::field && shape_.format.kind == decode::Format::Kind::raw) role = ColumnRole::payload;
  const int index = attribute->attnum - 1;
  int field = -1;
  if (role == ColumnRole::field) {
    field = static_cast<int>(decoded.size());
    field_attributes_.push_back(index);
    decoded.push_back({to_utf8(NameStr(attribute->attname)), to_utf8(column.path),
                       decode_type(attribute->atttypid, attribute->atttypmod), column.needed, column.force_null,
                       column.force_not_null});
  }
  if (!column.needed) return;
  if (role == ColumnRole::junk) {
    junk_attribute_ = index;
  } else if (role == ColumnRole::junk_error) {
    junk_error_attribute_ = index;
  } else {
    if (role == ColumnRole::headers) headers_attribute_ = index;
    const bool json = field >= 0 && shape_.format.kind == decode::Format::Kind::json;
    cells_.push_back({index, role, field, call([&] { return look_up_column(attribute, json, context); })});
  }
}

void RowBuilder::build(std::string_view topic, const kafka::Message& message, Datum* values, bool* nulls) {
  std::memset(nulls, true, static_cast<size_t>(descriptor_->natts) * sizeof(bool));
  if (cells_.empty()) return;
  current_attribute_ = -1;
  error_.reset();
  broken_ = false;
  reasons_ = nullptr;
  ErrorContext context([&, this] { describe_place(topic, message); });
  try {
    if (headers_attribute_ >= 0) read_headers(message);
    if (decoder_ != nullptr && message.value) decode(message);
    fill(message, values, nulls);
  } catch (const Error& error) {
    name_column(*error.data());
    if (error.data()->detail == nullptr && message.value && shape_.shows_messages)
      error.set_detail(call([&] { return psprintf("Message: \"%s\"", excerpt(*message.value)); }));
    throw;
  }
  if (error_) fill_junk(message, values, nulls);
}

/// As a violated constraint names its column.
void RowBuilder::name_column(ErrorData& error) const {
  if (current_attribute_ < 0 || error.column_name != nullptr) return;
  const char* name = NameStr(TupleDescAttr(descriptor_, current_attribute_)->attname);
  error.column_name = call([&] { return MemoryContextStrdup(GetMemoryChunkContext(&error), name); });
}

void RowBuilder::describe_place(std::string_view topic, const kafka::Message& message) const {
  const int length = static_cast<int>(topic.size());
  const auto offset = static_cast<long long>(message.offset);
  if (current_attribute_ < 0)
    errcontext("topic \"%.*s\", partition %d, offset %lld", length, topic.data(), message.partition, offset);
  else
    errcontext("topic \"%.*s\", partition %d, offset %lld, column \"%s\"", length, topic.data(), message.partition,
               offset, NameStr(TupleDescAttr(descriptor_, current_attribute_)->attname));
}

/// Into headers_, sorted by name; absent where they cannot be parsed and errors are kept.
void RowBuilder::read_headers(const kafka::Message& message) {
  current_attribute_ = headers_attribute_;
  headers_.reset();
  try {
    headers_ = kafka::headers(message);
    std::ranges::stable_sort(*headers_, {}, &kafka::Header::name);
  } catch (const kafka::Error& error) {
    const char* reason = error.what();
    if (soft())
      keep_error(ERRCODE_INVALID_BINARY_REPRESENTATION, reason);
    else
      call([&] { ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg_internal("%s", reason))); });
  }
  current_attribute_ = -1;
}

/// The message's value in the server's encoding. Throws pg::Error, or decode::Error where errors are kept and need no
/// abort.
std::string_view RowBuilder::delimited_text(std::string_view value) const {
  const bool same = shape_.encoding == GetDatabaseEncoding();
  if (soft() && same && !pg_verify_mbstr(shape_.encoding, value.data(), static_cast<int>(value.size()), true))
    throw decode::Error(
        "22021", std::string("invalid byte sequence for encoding \"") + pg_encoding_to_char(shape_.encoding) + "\"");
  std::string_view text;
  const auto convert = [&] { text = to_server_encoding(value, shape_.encoding); };
  if (!soft() || same) {
    call(convert);
  } else if (ErrorPtr error = in_subtransaction([&] { call(convert); })) {
    throw Error(error);
  }
  return text;
}

/// Decodes the value into row_: as far as it did where the error is kept.
void RowBuilder::decode(const kafka::Message& message) {
  ++counters_.decoded;
  ErrorPtr error;
  std::ranges::fill(row_, Value{});
  try {
    const bool json = shape_.format.kind == decode::Format::Kind::json;
    decoder_->decode(json ? *message.value : delimited_text(*message.value), row_);
    return;
  } catch (const decode::Error& e) {
    if (e.column() >= 0) current_attribute_ = field_attributes_[static_cast<size_t>(e.column())];
    error = error_of_current_exception();
  } catch (const Error& e) {
    error = e.data();
  }
  if (!soft()) throw Error(error);
  broken_ = true;
  keep_error(error->sqlerrcode, error->message);
}

bool RowBuilder::absent(const Cell& cell, const kafka::Message& message) const noexcept {
  switch (cell.role) {
    case ColumnRole::field:
      return !message.value || row_[static_cast<size_t>(cell.field)].kind <= Value::Kind::null;
    case ColumnRole::payload:
      return !message.value;
    case ColumnRole::key:
      return !message.key;
    case ColumnRole::timestamp:
      return message.timestamp_ms < 0;
    case ColumnRole::headers:
      return !headers_;
    default:
      return false;
  }
}

/// Whether the conversion raises nothing but out of memory.
bool RowBuilder::certain(const Cell& cell) const noexcept {
  switch (cell.role) {
    case ColumnRole::key:
    case ColumnRole::payload:
      return cell.input.type == BYTEAOID;
    case ColumnRole::timestamp:
      return cell.input.type == INT8OID;
    case ColumnRole::field: {
      const Value& value = row_[static_cast<size_t>(cell.field)];
      if (value.kind >= Value::Kind::input || value.kind <= Value::Kind::bad) return false;
      return value.kind != Value::Kind::text || !checks_fields();
    }
    default:
      return true;
  }
}

/// Whether decoded text may be none in the server's encoding: a JSON string is UTF-8, and an escape of COPY's text
/// format can make any byte. Where the server's encoding is UTF-8 the decoders have seen to it.
bool RowBuilder::checks_fields() const noexcept { return GetDatabaseEncoding() != PG_UTF8; }

void RowBuilder::fill(const kafka::Message& message, Datum* values, bool* nulls) {
  for (size_t i = 0; i < cells_.size(); ++i) {
    // One guard for as many columns as cannot fail; what can fail needs a way back of its own where errors are kept.
    call([&] {
      for (; i < cells_.size(); ++i) {
        Cell& cell = cells_[i];
        const bool null = absent(cell, message);
        // A tombstone has no field that a domain could miss, and a broken message is an error already.
        if (null && (!cell.input.domain || !message.value || broken_)) continue;
        if (soft() && !certain(cell)) return;
        current_attribute_ = cell.attribute;
        if (null) {
          check_null(cell.input);
          continue;
        }
        values[cell.attribute] = convert(cell, message);
        nulls[cell.attribute] = false;
      }
    });
    if (i < cells_.size())
      convert_softly(cells_[i], message, &values[cells_[i].attribute], &nulls[cells_[i].attribute]);
  }
  current_attribute_ = -1;
}

int RowBuilder::field_encoding() const noexcept {
  return shape_.format.kind == decode::Format::Kind::json ? static_cast<int>(PG_UTF8) : GetDatabaseEncoding();
}

/// A leaf: inside a guard.
Datum RowBuilder::convert(Cell& cell, const kafka::Message& message) {
  switch (cell.role) {
    case ColumnRole::field: {
      Value value = row_[static_cast<size_t>(cell.field)];
      if (checks_fields() && value.kind >= Value::Kind::text)
        value.text = to_server_encoding(value.text, field_encoding());
      return datum_of_value(cell.input, value);
    }
    case ColumnRole::partition:
      return Int32GetDatum(message.partition);
    case ColumnRole::offset:
      return Int64GetDatum(message.offset);
    case ColumnRole::timestamp:
      return datum_of_timestamp(cell.input.type, message.timestamp_ms);
    case ColumnRole::key:
      return datum_of_bytes(cell.input, *message.key, shape_.encoding);
    case ColumnRole::headers:
      return datum_of_headers(*headers_);
    case ColumnRole::payload:
      return datum_of_bytes(cell.input, *message.value, shape_.encoding);
    case ColumnRole::tombstone:
      return BoolGetDatum(!message.value);
    case ColumnRole::junk:
    case ColumnRole::junk_error:
    case ColumnRole::generated:
    case ColumnRole::none:
      break;
  }
  elog(ERROR, "column %d has no value of its own", cell.attribute + 1);
}

void RowBuilder::convert_softly(Cell& cell, const kafka::Message& message, Datum* value, bool* null) {
  current_attribute_ = cell.attribute;
  const Value field = cell.field >= 0 ? row_[static_cast<size_t>(cell.field)] : Value{};
  if (field.kind == Value::Kind::bad) return keep_error(sqlstate_of(field.bad->sqlstate), field.bad->message);
  if (has_soft_input_errors && field.kind == Value::Kind::input && !cell.input.domain && !checks_fields() &&
      cell.input.type < FirstNormalObjectId) {
    SoftError error{};
    if (call([&] { return datum_of_input_softly(cell.input, field.text, value, &error); }))
      *null = false;
    else
      keep_error(error.sqlstate, error.message);
    return;
  }
  const bool is_null = absent(cell, message);
  const auto convert_or_check = [&] {
    if (is_null)
      check_null(cell.input);
    else
      *value = convert(cell, message);
  };
  if (ErrorPtr error = in_subtransaction([&] { call(convert_or_check); })) {
    if (!is_bad_value(error->sqlerrcode)) throw Error(error);
    keep_error(error->sqlerrcode, error->message);
  } else {
    *null = is_null;
  }
}

void RowBuilder::keep_error(int sqlstate, const char* message) {
  const char* column = current_attribute_ < 0 ? "" : NameStr(TupleDescAttr(descriptor_, current_attribute_)->attname);
  if (!error_) {
    ++counters_.in_error;
    error_ = RowError{.sqlstate = sqlstate, .message = message, .column = column};
  }
  if (junk_error_attribute_ < 0) return;
  reasons_ = call([&] {
    // Input functions quote the whole value.
    const char* reason = clipped(message);
    if (column[0] != '\0') reason = psprintf("column \"%s\": %s", column, reason);
    return reasons_ == nullptr ? pstrdup(reason) : psprintf("%s\n%s", reasons_, reason);
  });
}

void RowBuilder::fill_junk(const kafka::Message& message, Datum* values, bool* nulls) {
  call([&] {
    if (junk_attribute_ >= 0 && message.value) {
      values[junk_attribute_] = PointerGetDatum(cstring_to_text(printable(*message.value)));
      nulls[junk_attribute_] = false;
    }
    if (junk_error_attribute_ >= 0) {
      values[junk_error_attribute_] = PointerGetDatum(cstring_to_text(reasons_));
      nulls[junk_error_attribute_] = false;
    }
  });
}

}  // namespace kafka_fdw::pg
