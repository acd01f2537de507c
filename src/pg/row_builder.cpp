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

using decode::Value;

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

/// What a decoder is asked for, at that path of the key or the value.
decode::Column decoded_column(const RowColumn& column, const std::string& path, Form_pg_attribute attribute) {
  return {.name = to_utf8(NameStr(attribute->attname)),
          .path = to_utf8(path),
          .type = decode_type(attribute->atttypid, attribute->atttypmod),
          .needed = column.needed,
          .force_null = column.force_null,
          .force_not_null = column.force_not_null};
}

/// A leaf: inside a guard.
TypeInput look_up_column(Form_pg_attribute attribute, bool json, MemoryContext context) {
  TypeInput input = look_up_input(attribute->atttypid, attribute->atttypmod, context);
  if (json)
    input.nested = look_up_nested_json(NameStr(attribute->attname), attribute->atttypid, attribute->atttypmod, context);
  return input;
}

}  // namespace

RowBuilder::RowBuilder(RowShape shape, TupleDesc descriptor, MemoryContext context)
    : shape_(std::move(shape)), descriptor_(descriptor), soft_(shape_.keeps_errors()) {
  shape_.format.verify_utf8 = GetDatabaseEncoding() == PG_UTF8;
  mark_needed();
  for (size_t i = 0; i < shape_.columns.size(); ++i)
    add_column(shape_.columns[i], TupleDescAttr(descriptor, i), context);
  if (shape_.format.envelope != decode::Envelope::none) add_deletion();
  make_decoders();
}

/// Whether a message is junk, or deletes a row, must not depend on what else the query looks at.
void RowBuilder::mark_needed() {
  const auto looked_at = [this](auto is_it) {
    return std::ranges::any_of(shape_.columns, [&](const RowColumn& column) { return column.needed && is_it(column); });
  };
  const bool junk = looked_at(shows_junk);
  const bool deleted = looked_at([](const RowColumn& column) { return column.role == ColumnRole::deleted; });
  for (RowColumn& column : shape_.columns) column.needed |= junk || (deleted && column.role == ColumnRole::row_key);
}

void RowBuilder::add_column(const RowColumn& column, Form_pg_attribute attribute, MemoryContext context) {
  ColumnRole role = column.role;
  if (role == ColumnRole::none || role == ColumnRole::generated) return;
  // The one column of a raw message is the message.
  if (role == ColumnRole::field && shape_.format.kind == decode::Format::Kind::raw) role = ColumnRole::payload;
  const int index = attribute->attnum - 1;
  const bool in_value = role == ColumnRole::field ||
                        ((role == ColumnRole::before || role == ColumnRole::row_key) && !column.path.empty());
  const int field = in_value ? add_to_value(column, attribute) : -1;
  if (!column.needed) return;
  const bool whole_key = role == ColumnRole::key ? !shape_.shows_key_bytes(attribute->atttypid) : column.whole_key;
  const int key = whole_key || !column.key_path.empty() ? add_to_key(column, attribute) : -1;
  if (role == ColumnRole::junk) {
    junk_attribute_ = index;
  } else if (role == ColumnRole::junk_error) {
    junk_error_attribute_ = index;
  } else {
    if (role == ColumnRole::headers) headers_attribute_ = index;
    const bool json = (field >= 0 && shape_.format.kind == decode::Format::Kind::json) ||
                      (key >= 0 && shape_.key_format.kind == decode::KeyFormat::Kind::json);
    cells_.push_back({index, role, field, key, call([&] { return look_up_column(attribute, json, context); })});
  }
}

/// Its place in row_.
int RowBuilder::add_to_value(const RowColumn& column, Form_pg_attribute attribute) {
  decode::Column added = decoded_column(column, column.path, attribute);
  if (column.role == ColumnRole::row_key) added.part = decode::Part::identity;
  if (column.role == ColumnRole::before) added.part = decode::Part::before;
  if (shape_.format.envelope == decode::Envelope::debezium) added.refusal = debezium_refusal(attribute->atttypid);
  value_columns_.push_back(std::move(added));
  value_attributes_.push_back(attribute->attnum - 1);
  return static_cast<int>(value_columns_.size()) - 1;
}

/// Its place in key_row_.
int RowBuilder::add_to_key(const RowColumn& column, Form_pg_attribute attribute) {
  decode::Column added = decoded_column(column, column.key_path, attribute);
  if (column.key_path.empty())
    added.part = decode::Part::document;
  else if (shape_.has_one_key_field())
    added.part = decode::Part::sole;
  key_columns_.push_back(std::move(added));
  key_attributes_.push_back(attribute->attnum - 1);
  return static_cast<int>(key_columns_.size()) - 1;
}

/// Of JSON the decoder says what happens to the row; elsewhere only a tombstone deletes.
void RowBuilder::add_deletion() {
  if (shape_.format.kind != decode::Format::Kind::json || value_columns_.empty()) return;
  deletion_ = static_cast<int>(value_columns_.size());
  const bool needed = std::ranges::any_of(value_columns_, &decode::Column::needed) ||
                      std::ranges::any_of(cells_, [](const Cell& cell) { return cell.role == ColumnRole::deleted; });
  value_columns_.push_back(
      {.name = {}, .path = {}, .type = decode::Type::boolean, .needed = needed, .part = decode::Part::deletion});
  value_attributes_.push_back(-1);
}

void RowBuilder::make_decoders() {
  if (std::ranges::any_of(value_columns_, &decode::Column::needed)) {
    row_.resize(value_columns_.size());
    decoder_ = decode::make_decoder(shape_.format, std::move(value_columns_));
  }
  if (key_columns_.empty()) return;
  key_row_.resize(key_columns_.size());
  decode::KeyFormat format = shape_.key_format;
  format.unwrap = shape_.format.envelope != decode::Envelope::none;
  key_decoder_ = decode::make_key_decoder(format, std::move(key_columns_));
}

void RowBuilder::build(std::string_view topic, const kafka::Message& message, Datum* values, bool* nulls) {
  std::memset(nulls, true, static_cast<size_t>(descriptor_->natts) * sizeof(bool));
  if (cells_.empty()) return;
  current_attribute_ = -1;
  error_.reset();
  broken_ = false;
  reasons_ = nullptr;
  at_key_ = false;
  ErrorContext context([&, this] { describe_place(topic, message); });
  try {
    if (headers_attribute_ >= 0) read_headers(message);
    decode(message);
    effect_ = effect_of(message);
    fill(message, values, nulls);
  } catch (const Error& error) {
    name_column(*error.data());
    show_message(error, message);
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

void RowBuilder::show_message(const Error& error, const kafka::Message& message) const {
  const auto& shown = at_key_ ? message.key : message.value;
  if (error.data()->detail != nullptr || !shown || !shape_.shows_messages) return;
  error.set_detail(call([&] { return psprintf("%s: \"%s\"", at_key_ ? "Key" : "Message", excerpt(*shown)); }));
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

/// Decodes value and key into row_ and key_row_: as far as it did where errors are kept.
void RowBuilder::decode(const kafka::Message& message) {
  if (decoder_ != nullptr) {
    std::ranges::fill(row_, Value{});
    const bool json = shape_.format.kind == decode::Format::Kind::json;
    if (message.value) {
      ++counters_.decoded;
      decode_part(value_attributes_,
                  [&] { decoder_->decode(json ? *message.value : delimited_text(*message.value), row_); });
    }
  }
  if (key_decoder_ != nullptr) {
    std::ranges::fill(key_row_, Value{});
    const bool json = shape_.key_format.kind == decode::KeyFormat::Kind::json;
    at_key_ = true;
    if (message.key)
      decode_part(key_attributes_,
                  [&] { key_decoder_->decode(json ? *message.key : delimited_text(*message.key), key_row_); });
    at_key_ = false;
  }
}

/// `attributes`: of the decoder's columns.
template <class Decode>
void RowBuilder::decode_part(const std::vector<int>& attributes, Decode decode) {
  ErrorPtr error;
  try {
    decode();
    return;
  } catch (const decode::Error& e) {
    if (e.column() >= 0) current_attribute_ = attributes[static_cast<size_t>(e.column())];
    error = error_of_current_exception();
  } catch (const Error& e) {
    error = e.data();
  }
  if (at_key_) error->message = call([&] { return psprintf("%s, in the key of the message", error->message); });
  if (!soft()) throw Error(error);
  broken_ = true;
  keep_error(error->sqlerrcode, error->message);
}

/// A tombstone of Debezium's follows a deletion, and may be all that compaction has left of it; without a key it says
/// nothing.
RowBuilder::Effect RowBuilder::effect_of(const kafka::Message& message) const noexcept {
  if (shape_.format.envelope == decode::Envelope::none) return Effect::row;
  if (!message.value) {
    const auto names_row = [this](const Cell& cell) {
      return cell.role != ColumnRole::row_key ||
             (cell.key >= 0 && key_row_[static_cast<size_t>(cell.key)].kind > Value::Kind::null);
    };
    const bool deletes = shape_.format.envelope == decode::Envelope::upsert || std::ranges::all_of(cells_, names_row);
    return deletes ? Effect::deletion : Effect::none;
  }
  if (deletion_ < 0 || decoder_ == nullptr) return Effect::row;
  const Value& deletion = row_[static_cast<size_t>(deletion_)];
  if (deletion.kind != Value::Kind::boolean) return Effect::none;
  return deletion.boolean ? Effect::deletion : Effect::row;
}

/// Which row a message is about: an upsert says it by its key, Debezium by the value, where they say it.
bool RowBuilder::from_key(const Cell& cell) const noexcept {
  if (cell.key < 0 || cell.field < 0) return cell.key >= 0;
  if (shape_.format.envelope == decode::Envelope::debezium)
    return row_[static_cast<size_t>(cell.field)].kind <= Value::Kind::null;
  return key_row_[static_cast<size_t>(cell.key)].kind > Value::Kind::null;
}

/// Of a cell that is decoded.
const Value& RowBuilder::value_of(const Cell& cell) const noexcept {
  return from_key(cell) ? key_row_[static_cast<size_t>(cell.key)] : row_[static_cast<size_t>(cell.field)];
}

bool RowBuilder::absent(const Cell& cell, const kafka::Message& message) const noexcept {
  if (cell.field >= 0 || cell.key >= 0) return value_of(cell).kind <= Value::Kind::null;
  switch (cell.role) {
    case ColumnRole::row_key:
      return true;
    case ColumnRole::payload:
      return !message.value;
    case ColumnRole::key:
      return !message.key;
    case ColumnRole::timestamp:
      return message.timestamp_ms < 0;
    case ColumnRole::headers:
      return !headers_;
    case ColumnRole::deleted:
      return effect_ == Effect::none;
    default:
      return false;
  }
}

/// A tombstone has no field that a domain could miss, and a broken message is an error already.
bool RowBuilder::may_be_absent(const Cell& cell, const kafka::Message& message) const noexcept {
  if (broken_) return true;
  if (cell.role == ColumnRole::row_key) return effect_ == Effect::none;
  return !cell.input.domain || !message.value || effect_ != Effect::row;
}

/// A leaf: inside a guard.
void RowBuilder::check_absent(Cell& cell) const {
  if (cell.role != ColumnRole::row_key) return check_null(cell.input);
  const char* name = NameStr(TupleDescAttr(descriptor_, cell.attribute)->attname);
  if (cell.key < 0)
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("the value of the message gives no \"%s\", which says what row it is about", name),
                    errhint("Where the message key gives it, key_format says how to read that.")));
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                  errmsg("neither key nor value of the message gives \"%s\", which says what row it is about", name)));
}

/// Whether the conversion raises nothing but out of memory.
bool RowBuilder::certain(const Cell& cell) const noexcept {
  if (cell.field >= 0 || cell.key >= 0) {
    const Value& value = value_of(cell);
    if (value.kind >= Value::Kind::input || value.kind <= Value::Kind::bad) return false;
    return value.kind != Value::Kind::text || !checks_fields();
  }
  switch (cell.role) {
    case ColumnRole::row_key:
      return false;
    case ColumnRole::key:
    case ColumnRole::payload:
      return cell.input.type == BYTEAOID;
    case ColumnRole::timestamp:
      return cell.input.type == INT8OID;
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
        if (null && may_be_absent(cell, message)) continue;
        if (soft() && !certain(cell)) return;
        current_attribute_ = cell.attribute;
        at_key_ = from_key(cell);
        if (null) {
          check_absent(cell);
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

int RowBuilder::field_encoding(const Cell& cell) const noexcept {
  const bool json = from_key(cell) ? shape_.key_format.kind == decode::KeyFormat::Kind::json
                                   : shape_.format.kind == decode::Format::Kind::json;
  return json ? static_cast<int>(PG_UTF8) : GetDatabaseEncoding();
}

/// A leaf: inside a guard.
Datum RowBuilder::convert(Cell& cell, const kafka::Message& message) {
  if (cell.field >= 0 || cell.key >= 0) {
    Value value = value_of(cell);
    if (checks_fields() && value.kind >= Value::Kind::text)
      value.text = to_server_encoding(value.text, field_encoding(cell));
    return datum_of_value(cell.input, value);
  }
  switch (cell.role) {
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
    case ColumnRole::deleted:
      return BoolGetDatum(effect_ == Effect::deletion);
    default:
      break;
  }
  elog(ERROR, "column %d has no value of its own", cell.attribute + 1);
}

void RowBuilder::convert_softly(Cell& cell, const kafka::Message& message, Datum* value, bool* null) {
  current_attribute_ = cell.attribute;
  at_key_ = from_key(cell);
  const Value field = cell.field >= 0 || cell.key >= 0 ? value_of(cell) : Value{};
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
      check_absent(cell);
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
