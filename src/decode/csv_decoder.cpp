#include "decode/delimited_decoder.h"
#include "decode/field_parser.h"
#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

class CsvDecoder final : public DelimitedDecoder {
 public:
  CsvDecoder(const Format& format, std::vector<Column> columns)
      : DelimitedDecoder(format, std::move(columns)),
        special_(byte_set({format.delimiter, format.quote, '\n', '\r', '\0'})) {}

 private:
  size_t split(char* in) override;
  char* unquote(size_t field, char*& in, char* out) const;
  void put(size_t field, std::string_view text, bool quoted);

  const ByteSet special_;  ///< where a field ends or a quoted part of it begins
};

size_t CsvDecoder::split(char* in) {
  for (size_t field = 0;; ++field) {
    char* begin = in;
    while (!contains(special_, *in)) ++in;
    char* out = in;
    bool quoted = false;
    while (*in == format().quote) {
      quoted = true;
      out = unquote(field, ++in, out);
      while (!contains(special_, *in)) *out++ = *in++;
    }
    if (needed(field)) put(field, std::string_view(begin, static_cast<size_t>(out - begin)), quoted);
    if (*in != format().delimiter) {
      check_line_end(in, "unquoted");
      return field + 1;
    }
    ++in;
  }
}

/// Copies what stands between two quotes to `out`, in place; `in` is moved behind the closing one.
char* CsvDecoder::unquote(size_t field, char*& in, char* out) const {
  const char quote = format().quote;
  const char escape = format().escape;
  for (;;) {
    char c = *in;
    if (c == '\0') {
      throw Error(sqlstate::bad_copy_file_format, "unterminated CSV quoted field",
                  needed(field) ? static_cast<int>(field) : -1);
    }
    ++in;
    if (c == escape && (*in == escape || *in == quote)) {
      c = *in++;
    } else if (c == quote) {
      return out;
    }
    *out++ = c;
  }
}

void CsvDecoder::put(size_t field, std::string_view text, bool quoted) {
  const Column& target = column(field);
  const bool is_null_text = text == format().null;
  const bool null = is_null_text && (quoted ? target.force_null : !target.force_not_null);
  if (null) {
    value(field).kind = Value::Kind::null;
  } else {
    value(field) = parse_field(target.type, text);
  }
}

}  // namespace

std::unique_ptr<Decoder> make_csv_decoder(const Format& format, std::vector<Column> columns) {
  return std::make_unique<CsvDecoder>(format, std::move(columns));
}

}  // namespace kafka_fdw::decode
