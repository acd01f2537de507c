#include "decode/delimited_decoder.h"

#include <algorithm>

#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

bool is_line_break(std::string_view text) { return text == "\n" || text == "\r\n" || text == "\r"; }

}  // namespace

DelimitedDecoder::DelimitedDecoder(const Format& format, std::vector<Column> columns)
    : format_(format),
      columns_(std::move(columns)),
      any_needed_(std::any_of(columns_.begin(), columns_.end(), [](const Column& column) { return column.needed; })) {}

void DelimitedDecoder::decode(std::string_view message, std::span<Value> row) {
  std::fill(row.begin(), row.end(), Value{});
  if (!any_needed_ && !format_.strict) return;
  load(message);
  if (columns_.empty() && (message.empty() || is_line_break(message))) return;
  row_ = row;
  size_t fields = split(buffer_.data());
  if (!format_.strict) return;
  if (fields > columns_.size()) throw Error(sqlstate::bad_copy_file_format, "extra data after last expected column");
  if (fields < columns_.size()) {
    throw Error(sqlstate::bad_copy_file_format, "missing data for column \"" + columns_[fields].name + "\"",
                static_cast<int>(fields));
  }
}

void DelimitedDecoder::load(std::string_view message) {
  if (message.find('\0') != message.npos) {
    throw Error(sqlstate::character_not_in_repertoire, "invalid byte sequence: 0x00");
  }
  if (buffer_.capacity() > kept_buffer && message.size() < kept_buffer / 2) std::string().swap(buffer_);
  buffer_.assign(message);
}

void check_line_end(const char* c, const char* how) {
  if (*c == '\0') return;
  const char* behind = c + (c[0] == '\r' && c[1] == '\n' ? 2 : 1);
  if (*behind == '\0') return;
  const char* what = *c == '\n' ? " newline found in data" : " carriage return found in data";
  throw Error(sqlstate::bad_copy_file_format, std::string(how) + what);
}

ByteSet byte_set(std::initializer_list<char> bytes) {
  ByteSet set{};
  for (char c : bytes) set[static_cast<uint8_t>(c)] = true;
  return set;
}

}  // namespace kafka_fdw::decode
