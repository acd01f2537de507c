#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decode/decoder.h"
#include "kafka/message.h"
#include "pg/boundary.h"
#include "pg/datum.h"
#include "pg/row_shape.h"

extern "C" {
#include "access/tupdesc.h"
}

namespace kafka_fdw::pg {

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
    int field;  ///< its place in row_; -1: not decoded from the value
    int key;    ///< its place in key_row_; -1: not decoded from the key
    TypeInput input;
  };
  /// What a message says about a row.
  enum class Effect : uint8_t { none, row, deletion };

  void mark_needed();
  void add_column(const RowColumn& column, Form_pg_attribute attribute, MemoryContext context);
  int add_to_value(const RowColumn& column, Form_pg_attribute attribute);
  int add_to_key(const RowColumn& column, Form_pg_attribute attribute);
  void add_deletion();
  void make_decoders();
  bool soft() const noexcept { return soft_; }
  bool from_key(const Cell& cell) const noexcept;
  const decode::Value& value_of(const Cell& cell) const noexcept;
  bool absent(const Cell& cell, const kafka::Message& message) const noexcept;
  bool may_be_absent(const Cell& cell, const kafka::Message& message) const noexcept;
  void check_absent(Cell& cell) const;
  bool certain(const Cell& cell) const noexcept;
  bool checks_fields() const noexcept;
  int field_encoding(const Cell& cell) const noexcept;
  void read_headers(const kafka::Message& message);
  std::string_view delimited_text(std::string_view value) const;
  void decode(const kafka::Message& message);
  template <class Decode>
  void decode_part(const std::vector<int>& attributes, Decode decode);
  Effect effect_of(const kafka::Message& message) const noexcept;
  void fill(const kafka::Message& message, Datum* values, bool* nulls);
  Datum convert(Cell& cell, const kafka::Message& message);
  void convert_softly(Cell& cell, const kafka::Message& message, Datum* value, bool* null);
  void keep_error(int sqlstate, const char* message);
  void fill_junk(const kafka::Message& message, Datum* values, bool* nulls);
  void name_column(ErrorData& error) const;
  void describe_place(std::string_view topic, const kafka::Message& message) const;
  void show_message(const Error& error, const kafka::Message& message) const;

  RowShape shape_;
  TupleDesc descriptor_;
  std::vector<Cell> cells_;
  std::vector<decode::Column> value_columns_;  ///< decoded from the value, needed or not
  std::vector<decode::Column> key_columns_;    ///< from the key
  std::vector<int> value_attributes_;          ///< theirs; -1: none
  std::vector<int> key_attributes_;
  std::vector<decode::Value> row_;
  std::vector<decode::Value> key_row_;
  std::unique_ptr<decode::Decoder> decoder_;           ///< null: no needed column is decoded from the value
  std::unique_ptr<decode::Decoder> key_decoder_;       ///< null: none from the key
  int deletion_ = -1;                                  ///< what says whether the row is deleted: its place in row_
  std::optional<std::vector<kafka::Header>> headers_;  ///< of the message, sorted by name
  bool soft_;                                          ///< what does not decode is kept rather than raised
  int headers_attribute_ = -1;                         ///< -1: not needed
  int junk_attribute_ = -1;                            ///< -1: not needed
  int junk_error_attribute_ = -1;                      ///< -1: not needed
  int current_attribute_ = -1;  ///< being converted, for the error's context; -1: the message as a whole
  // Of the row being built:
  Effect effect_ = Effect::row;
  bool at_key_ = false;            ///< the key is being looked at, not the value
  std::optional<RowError> error_;  ///< the first, where errors are kept
  bool broken_ = false;            ///< the message as a whole is in error
  char* reasons_ = nullptr;        ///< all of them, one a line, if a column shows them
  Counters counters_;
};

}  // namespace kafka_fdw::pg
