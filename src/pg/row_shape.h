#pragma once

#include <string>
#include <vector>

#include "decode/decoder.h"
#include "pg/boundary.h"

namespace kafka_fdw::pg {

/// Where the value of a column comes from.
enum class ColumnRole : uint8_t {
  field,       ///< decoded from the message's value; with an envelope, from the row as it is now
  partition,   ///< int
  offset,      ///< bigint
  timestamp,   ///< timestamptz, timestamp (UTC) or bigint (ms)
  key,         ///< the whole key: bytea, text or what it decodes to
  key_field,   ///< decoded from the message's key
  headers,     ///< jsonb
  payload,     ///< the whole value: bytea, text, json or jsonb
  tombstone,   ///< bool
  junk,        ///< text: the raw value of a message that did not decode
  junk_error,  ///< text: why it did not
  row_key,     ///< with an envelope, a part of what says which row the message is about: in the key, the value or both
  before,      ///< with the envelope debezium, a field of the row as it was before it changed, where that is told
  deleted,     ///< with an envelope, bool: whether the row is deleted; null: the message is about no row
  generated,   ///< computed from the others
  none         ///< a dropped column
};

struct RowColumn {
  ColumnRole role = ColumnRole::none;
  bool needed = true;      ///< false: nobody looks at it, it is left NULL
  std::string path;        ///< field, before, row_key: in the value, as decode::Column; empty: not there
  std::string key_path;    ///< key_field, row_key: in the key; empty: not there
  bool whole_key = false;  ///< row_key: it is the key
  bool force_null = false;
  bool force_not_null = false;
};

/// What a row of a topic looks like: one column per attribute of the tuple descriptor, dropped ones included.
struct RowShape {
  std::vector<RowColumn> columns;
  decode::Format format;
  decode::KeyFormat key_format;
  int encoding = 0;            ///< of text, csv and of keys and payloads as text: a pg_enc
  bool ignore_junk = false;    ///< what does not decode is NULL
  bool shows_messages = true;  ///< errors show the message: not to whom only a part of it was granted

  /// Whether what does not decode is kept rather than raised. That may take subtransactions.
  bool keeps_errors() const noexcept;

  /// Whether a whole key is shown to a column of the type as the bytes that it is, in the encoding.
  bool shows_key_bytes(Oid type) const noexcept;
  /// Whether just one column asks for a field of the key, so that a key without fields may be it.
  bool has_one_key_field() const noexcept;
};

/// Whether the column tells what did not decode.
bool shows_junk(const RowColumn& column) noexcept;

/// Says which types a column of that role may have (key: undecoded), or null where the type is one of them.
const char* wrong_type_for_role(ColumnRole role, Oid type);

/// The parser that decode has for the type, where it has one that needs no typmod.
decode::Type decode_type(Oid type, int32 typmod);

/// What of Debezium's JSON does not mean for the type what it would read in it.
decode::Refusal debezium_refusal(Oid type);

}  // namespace kafka_fdw::pg
