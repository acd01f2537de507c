#include "decode/decoder.h"

#include <simdjson.h>

#include "decode/delimited_decoder.h"
#include "decode/field_parser.h"
#include "decode/json_decoder.h"

namespace kafka_fdw::decode {
namespace {

class RawDecoder final : public Decoder {
 public:
  explicit RawDecoder(Column column) : column_(std::move(column)) {}

  void decode(std::string_view message, std::span<Value> row) override {
    row[0] = Value{};
    if (column_.needed) row[0] = parse_field(column_.type == Type::bytea ? Type::text : column_.type, message);
  }

 private:
  const Column column_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const Format& format, std::vector<Column> columns) {
  switch (format.kind) {
    case Format::Kind::json:
      return make_json_decoder(format, std::move(columns));
    case Format::Kind::text:
      return make_text_decoder(format, std::move(columns));
    case Format::Kind::csv:
      return make_csv_decoder(format, std::move(columns));
    case Format::Kind::raw:
      if (columns.size() != 1) throw std::invalid_argument("format raw has exactly one column");
      return std::make_unique<RawDecoder>(std::move(columns[0]));
  }
  throw std::invalid_argument("unknown format");
}

bool is_utf8(std::string_view bytes) noexcept { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

}  // namespace kafka_fdw::decode
