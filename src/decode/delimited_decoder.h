#pragma once

#include <array>
#include <string>

#include "decode/decoder.h"

namespace kafka_fdw::decode {

/// What text and csv share: one message is one row, fields by position. The rules are those of COPY FROM
/// (https://www.postgresql.org/docs/current/sql-copy.html) with a message in the place of a line: a newline, a carriage
/// return or both may end it, and the end-of-data marker `\.` means nothing: text unescapes it to a point, csv leaves
/// it.
class DelimitedDecoder : public Decoder {
 public:
  void decode(std::string_view message, std::span<Value> row) final;

 protected:
  DelimitedDecoder(const Format& format, std::vector<Column> columns);

  /// Fills row() with the fields of the line at `in`, which ends with the only zero byte there is, and returns how many
  /// it has. May write up to that byte: a field never gets longer by unescaping.
  virtual size_t split(char* in) = 0;

  const Format& format() const { return format_; }
  const Column& column(size_t field) const { return columns_[field]; }
  Value& value(size_t field) { return row_[field]; }
  bool needed(size_t field) const { return field < columns_.size() && columns_[field].needed; }

 private:
  void load(std::string_view message);

  const Format format_;
  const std::vector<Column> columns_;
  const bool any_needed_;
  std::span<Value> row_;
  std::string buffer_;
};

/// Throws if something follows the line break at `c`. `how` is the word of COPY's message.
void check_line_end(const char* c, const char* how);

std::unique_ptr<Decoder> make_text_decoder(const Format& format, std::vector<Column> columns);
std::unique_ptr<Decoder> make_csv_decoder(const Format& format, std::vector<Column> columns);

/// A set of bytes, for the inner loops.
using ByteSet = std::array<bool, 256>;
ByteSet byte_set(std::initializer_list<char> bytes);
inline bool contains(const ByteSet& set, char c) { return set[static_cast<uint8_t>(c)]; }

}  // namespace kafka_fdw::decode
