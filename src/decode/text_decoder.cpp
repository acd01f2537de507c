#include <algorithm>

#include "decode/delimited_decoder.h"
#include "decode/field_parser.h"
#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

int octal_digit(char c) { return c >= '0' && c <= '7' ? c - '0' : -1; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// A character behind a backslash that is not a number stands for a control character or for itself.
char escaped_letter(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

class TextDecoder final : public DelimitedDecoder {
 public:
  TextDecoder(const Format& format, std::vector<Column> columns)
      : DelimitedDecoder(format, std::move(columns)), special_(byte_set({format.delimiter, '\\', '\n', '\r', '\0'})) {}

 private:
  size_t split(char* in) override;
  void put(size_t field, char* begin, char* end, bool escaped);
  const BadField* unescape(std::string_view& text, char* begin, char* end) const;

  const ByteSet special_;  ///< where a field ends or an escape begins
};

size_t TextDecoder::split(char* in) {
  for (size_t field = 0;; ++field) {
    char* begin = in;
    char* end = nullptr;
    bool escaped = false;
    while (end == nullptr) {
      while (!contains(special_, *in)) ++in;
      if (*in != '\\') {
        end = in;
      } else if (in[1] == '\0') {
        end = in++;  // COPY leaves a backslash out that nothing follows
      } else if (in[1] == '.') {
        throw Error(sqlstate::bad_copy_file_format, "end-of-copy marker found in data");
      } else {
        escaped = true;
        in += 2;
      }
    }
    if (needed(field)) put(field, begin, end, escaped);
    if (*in != format().delimiter) {
      check_line_end(in, "literal");
      return field + 1;
    }
    ++in;
  }
}

void TextDecoder::put(size_t field, char* begin, char* end, bool escaped) {
  std::string_view text(begin, static_cast<size_t>(end - begin));
  if (text == format().null) {
    value(field).kind = Value::Kind::null;
    return;
  }
  if (escaped) {
    if (const BadField* fault = unescape(text, begin, end)) {
      value(field).kind = Value::Kind::bad;
      value(field).bad = fault;
      return;
    }
  }
  value(field) = parse_field(column(field).type, text);
}

/// Works in place. Numeric escapes can make bytes that the check of the whole message has not seen. Null, or what makes
/// the text none.
const BadField* TextDecoder::unescape(std::string_view& text, char* begin, char* end) const {
  bool made_zero = false;
  bool made_high = false;
  auto take_number = [&](char*& in, int (*digit)(char), int base, int most) {
    int byte = 0;
    for (int count = 0; count < most && in < end && digit(*in) >= 0; ++count) byte = byte * base + digit(*in++);
    byte &= 0xff;
    made_zero |= byte == 0;
    made_high |= byte >= 0x80;
    return static_cast<char>(byte);
  };
  char* out = std::find(begin, end, '\\');
  for (char* in = out; in < end;) {
    if (*in != '\\') {
      *out++ = *in++;
      continue;
    }
    ++in;
    if (octal_digit(*in) >= 0) {
      *out++ = take_number(in, octal_digit, 8, 3);
    } else if (*in == 'x' && in + 1 < end && hex_digit(in[1]) >= 0) {
      *out++ = take_number(++in, hex_digit, 16, 2);
    } else {
      *out++ = escaped_letter(*in++);
    }
  }
  text = std::string_view(begin, static_cast<size_t>(out - begin));
  if (made_zero) return &zero_byte;
  return made_high && format().verify_utf8 && !is_utf8(text) ? &invalid_utf8 : nullptr;
}

}  // namespace

std::unique_ptr<Decoder> make_text_decoder(const Format& format, std::vector<Column> columns) {
  return std::make_unique<TextDecoder>(format, std::move(columns));
}

}  // namespace kafka_fdw::decode
