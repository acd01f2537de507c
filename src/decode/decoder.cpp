#include "decode/decoder.h"

#include <simdjson.h>

#include "decode/debezium.h"
#include "decode/delimited_decoder.h"
#include "decode/field_parser.h"
#include "decode/json_decoder.h"

namespace kafka_fdw::decode {
namespace {

class RawDecoder final : public Decoder {
 public:
  explicit RawDecoder(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void decode(std::string_view message, std::span<Value> row) override {
    for (size_t i = 0; i < columns_.size(); ++i) {
      row[i] = Value{};
      const Type type = columns_[i].type == Type::bytea ? Type::text : columns_[i].type;
      if (columns_[i].needed) row[i] = parse_field(type, message);
    }
  }

 private:
  const std::vector<Column> columns_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const Format& format, std::vector<Column> columns) {
  switch (format.kind) {
    case Format::Kind::json:
      if (format.envelope == Envelope::debezium) return make_debezium_decoder(std::move(columns));
      return make_json_decoder({.strict = format.strict, .unwrap = format.envelope != Envelope::none},
                               std::move(columns));
    case Format::Kind::text:
      return make_text_decoder(format, std::move(columns));
    case Format::Kind::csv:
      return make_csv_decoder(format, std::move(columns));
    case Format::Kind::raw:
      return std::make_unique<RawDecoder>(std::move(columns));
  }
  throw std::invalid_argument("unknown format");
}

std::unique_ptr<Decoder> make_key_decoder(const KeyFormat& format, std::vector<Column> columns) {
  if (format.kind != KeyFormat::Kind::json) return std::make_unique<RawDecoder>(std::move(columns));
  return make_json_decoder({.any_document = true, .unwrap = format.unwrap}, std::move(columns));
}

bool is_utf8(std::string_view bytes) noexcept { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

}  // namespace kafka_fdw::decode
