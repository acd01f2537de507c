#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decode/decoder.h"
#include "kafka/message.h"
#include "pg/boundary.h"
#include "pg/datum.h"

extern "C" {
#include "access/tupdesc.h"
}

namespace kafka_fdw::pg {

/// Where the value of a column comes from.
enum class ColumnRole : uint8_t {
  field,       ///< decoded from the message's value
  partition,   ///< int
  offset,      ///< bigint
  timestamp,   ///< timestamptz, timestamp (UTC) or bigint (ms)
  key,         ///< bytea or text
  headers,     ///< jsonb
  payload,     ///< the whole value: bytea, text, json or jsonb
  tombstone,   ///< bool
  junk,        ///< text: the raw value of a message that did not decode
  junk_error,  ///< text: why it did not
  generated,   ///< computed from the others
  none         ///< a dropped column
};

struct RowColumn {
  ColumnRole role = ColumnRole::none;
  bool needed = true;  ///< false: nobody looks at it, it is left NULL
  std::string path;    ///< field: as decode::Column
  bool force_null = false;
  bool force_not_null = false;
};

/// What a row of a topic looks like: one column per attribute of the tuple descriptor, dropped ones included.
struct RowShape {
  std::vector<RowColumn> columns;
  decode::Format format;
  int encoding = 0;            ///< of text, csv and of keys and payloads as text: a pg_enc
  bool ignore_junk = false;    ///< what does not decode is NULL
  bool shows_messages = true;  ///< errors show the message: not to whom only a part of it was granted

  /// Whether what does not decode is kept rather than raised. That may take subtransactions.
  bool keeps_errors() const noexcept;
};

/// Says which types a column of that role may have, or null where the type is one of them.
const char* wrong_type_for_role(ColumnRole role, Oid type);

/// Why a message did not become a row.
struct RowError {
  int sqlstate;
  std::string message;
  std::string column;  ///< empty: the message as a whole
};

/// Turns messages into the Datums of rows. Made once per scan.
/// An error names topic, partition, offset and column in its context and may show the message in its detail.
class RowBuilder {
 public:
  /// The memory context keeps the look-ups of input functions; it must outlive the builder.
  RowBuilder(RowShape shape, TupleDesc descriptor, MemoryContext context);

  /// Whether, from now on, what does not decode is told by error() and not raised, whatever the shape says.
  void collect_errors(bool collect) noexcept { soft_ = collect || shape_.keeps_errors(); }

  /// Fills values and nulls, one per attribute, in the current memory context.
  void build(std::string_view topic, const kafka::Message& message, Datum* values, bool* nulls);

  /// Of the last build, where errors are kept; the row has NULLs then.
  const std::optional<RowError>& error() const noexcept { return error_; }

  struct Counters {
    int64_t decoded = 0;   ///< messages whose value was decoded
    int64_t in_error = 0;  ///< messages that did not decode and gave NULLs instead
  };
  const Counters& counters() const noexcept { return counters_; }

 private:
  /// A needed column: what it shows, and how it becomes a Datum.
  struct Cell {
    int attribute;  ///< from 0
    ColumnRole role;
    int field;  ///< its place in row_; -1: not decoded
    TypeInput input;
  };

  void add_column(const RowColumn& column, Form_pg_attribute attribute, std::vector<decode::Column>& decoded,
                  MemoryContext context);
  bool soft() const noexcept { return soft_; }
  bool absent(const Cell& cell, const kafka::Message& message) const noexcept;
  bool certain(const Cell& cell) const noexcept;
  bool checks_fields() const noexcept;
  int field_encoding() const noexcept;
  void read_headers(const kafka::Message& message);
  std::string_view delimited_text(std::string_view value) const;
  void decode(const kafka::Message& message);
  void fill(const kafka::Message& message, Datum* values, bool* nulls);
  Datum convert(Cell& cell, const kafka::Message& message);
  void convert_softly(Cell& cell, const kafka::Message& message, Datum* value, bool* null);
  void keep_error(int sqlstate, const char* message);
  void fill_junk(const kafka::Message& message, Datum* values, bool* nulls);
  void name_column(ErrorData& error) const;
  void describe_place(std::string_view topic, const kafka::Message& message) const;

  RowShape shape_;
  TupleDesc descriptor_;
  std::vector<Cell> cells_;
  std::vector<decode::Value> row_;
  std::vector<int> field_attributes_;                  ///< per decoded column, needed or not
  std::unique_ptr<decode::Decoder> decoder_;           ///< null: no needed column is decoded
  std::optional<std::vector<kafka::Header>> headers_;  ///< of the message, sorted by name
  bool soft_;                                          ///< what does not decode is kept rather than raised
  int headers_attribute_ = -1;                         ///< -1: not needed
  int junk_attribute_ = -1;                            ///< -1: not needed
  int junk_error_attribute_ = -1;                      ///< -1: not needed
  int current_attribute_ = -1;  ///< being converted, for the error's context; -1: the message as a whole
  // Of the row being built, where errors are kept:
  std::optional<RowError> error_;  ///< the first
  bool broken_ = false;            ///< the message as a whole is in error
  char* reasons_ = nullptr;        ///< all of them, one a line, if a column shows them
  Counters counters_;
};

}  // namespace kafka_fdw::pg
