#include "decode/debezium.h"

#include "decode/json_decoder.h"
#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

/// The pointer to a field, whatever its own path is, within an object of the event.
std::string path_within(const char* object, const std::string& path) {
  std::string result = std::string("/") + object;
  if (path.starts_with('/')) return result + path;
  result += '/';
  for (const char c : path) {
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else
      result += c;
  }
  return result;
}

[[noreturn]] void throw_no_event(const std::string& why) {
  throw Error(sqlstate::data_exception, "no change event of Debezium: " + why);
}

class DebeziumDecoder final : public Decoder {
 public:
  explicit DebeziumDecoder(std::vector<Column> columns) : columns_(std::move(columns)), places_(columns_.size()) {
    std::vector<Column> parts(first_part);
    parts[op] = {.name = "op", .path = "op", .type = Type::text};
    parts[after] = {.name = "after", .path = "after", .type = Type::outline};
    parts[null_document] = {.name = {}, .path = {}, .part = Part::deletion};
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Part part = columns_[i].part;
      if (!columns_[i].needed || part == Part::deletion) continue;
      if (part != Part::before) places_[i].after = add_part(parts, columns_[i], "after");
      if (part != Part::field) places_[i].before = add_part(parts, columns_[i], "before");
    }
    parts_.resize(parts.size());
    event_ = make_json_decoder({.unwrap = true, .debezium = true}, std::move(parts));
  }

  void decode(std::string_view message, std::span<Value> row) override {
    std::fill(row.begin(), row.end(), Value{});
    event_->decode(message, parts_);
    const Change change = read_change();
    if (change == Change::none) return;
    for (size_t i = 0; i < columns_.size(); ++i) row[i] = value(i, change == Change::deletion);
  }

 private:
  enum class Change : uint8_t { none, row, deletion };
  /// The first columns of the inner decoder.
  enum : size_t { op, after, null_document, first_part };
  struct Places {
    int after = -1;
    int before = -1;
  };

  static int add_part(std::vector<Column>& parts, const Column& column, const char* object) {
    parts.push_back(column);
    parts.back().path = path_within(object, column.path);
    parts.back().part = Part::field;
    return static_cast<int>(parts.size()) - 1;
  }

  Change read_change() const {
    using Kind = Value::Kind;
    if (parts_[null_document].kind == Kind::boolean && parts_[null_document].boolean) return Change::none;
    if (parts_[op].kind != Kind::text)
      throw_no_event("it has no \"op\" (rows without before and after are for the envelope upsert)");
    const std::string_view code = parts_[op].text;
    if (code == "m") return Change::none;
    if (code == "d") return Change::deletion;
    if (code == "t")
      throw Error(sqlstate::data_exception,
                  "TRUNCATE of the captured table: what other partitions say would come before or after it by chance");
    if (code != "c" && code != "u" && code != "r") throw_no_event("its \"op\" is none of c, u, r, d, t and m");
    if (parts_[after].kind != Kind::boolean || !parts_[after].boolean) throw_no_event("its \"after\" is no object");
    return Change::row;
  }

  /// -1: the event does not tell.
  int place_of(size_t column, bool deletion) const {
    const Places& places = places_[column];
    if (columns_[column].part == Part::identity) return deletion ? places.before : places.after;
    if (deletion) return -1;
    return columns_[column].part == Part::before ? places.before : places.after;
  }

  Value value(size_t column, bool deletion) const {
    Value value;
    if (!columns_[column].needed) return value;
    if (columns_[column].part == Part::deletion) {
      value.kind = Value::Kind::boolean;
      value.boolean = deletion;
      return value;
    }
    const int place = place_of(column, deletion);
    return place < 0 ? value : parts_[static_cast<size_t>(place)];
  }

  const std::vector<Column> columns_;
  std::vector<Places> places_;
  std::vector<Value> parts_;
  std::unique_ptr<Decoder> event_;
};

}  // namespace

std::unique_ptr<Decoder> make_debezium_decoder(std::vector<Column> columns) {
  return std::make_unique<DebeziumDecoder>(std::move(columns));
}

}  // namespace kafka_fdw::decode
