#include <simdjson.h>

#include <random>

#include "decode/json_inference.h"
#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

const std::string json_message =
    R"({"id": 123, "s": "a\"b\u00e4\ud83d\ude00", "n": -1.50e3, "g": {"x": [1, {"y": null}, "z"], "t": true}, )"
    R"("k": [[], {}], "d": "2024-01-02T03:04:05Z"})";
const std::string text_message = "1\\t2\t\\N\t\\101\\x41\\\\\t2024-01-02 03:04:05\t-1.5e3\n";
const std::string csv_message = "1,\"a \"\"quoted\"\" b\",,\"two\nlines\",2024-01-02\r\n";

std::vector<Column> columns_of(Format::Kind kind) {
  if (kind != Format::Kind::json) {
    return {column("a", Type::int4), column("b"), column("c", Type::timestamp), column("d", Type::numeric),
            column("e", Type::date)};
  }
  return {column("id", Type::int8),
          column("s"),
          column("n", Type::numeric),
          column("g", Type::json),
          column("/g/x/1/y"),
          column("/g/x/2"),
          column("k"),
          column("d", Type::timestamptz),
          column("/s", Type::uuid)};
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string operator()(std::string text) {
    for (size_t i = 0, n = 1 + below(3); i < n && !text.empty(); ++i) {
      const size_t at = below(text.size());
      switch (below(6)) {
        case 0:
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
          break;
        case 1:
          text.resize(at);
          break;
        case 2:
          text[at] = "{}[]\",:\\ 0e-.tn\n\t\r"[below(18)];
          break;
        case 3:
          text.erase(at, 1 + below(4));
          break;
        case 4:
          text.insert(at, text.substr(below(text.size()), below(20)));
          break;
        default:
          text.insert(at, 1, static_cast<char>(below(256)));
      }
    }
    return text;
  }

 private:
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

  std::mt19937 random_;
};

/// Reads every byte of every value, so that a sanitizer sees a view that points nowhere.
void expect_row_or_known_error(Decoder& decoder, size_t columns, const std::string& message) {
  const Row row = decode_row(decoder, columns, message);
  if (row.size() == columns) return;
  const std::string state = row[0].substr(0, 5);
  EXPECT_TRUE(state == "22021" || state == "22P02" || state == "22P04" || state == "22P05") << row[0] << "\n"
                                                                                            << message;
}

void run(const Format& format, const std::string& valid) {
  const std::vector<Column> columns = columns_of(format.kind);
  auto decoder = make_decoder(format, columns);
  Mutator mutate(99);
  for (int i = 0; i < 20'000; ++i) expect_row_or_known_error(*decoder, columns.size(), mutate(valid));
}

TEST(MutatedMessages, GiveARowOrAnError) {
  for (bool strict : {false, true}) {
    Format format;
    format.strict = strict;
    run(format, json_message);
    format.kind = Format::Kind::text;
    run(format, text_message);
    format.kind = Format::Kind::csv;
    format.delimiter = ',';
    format.null = "";
    run(format, csv_message);
    format.escape = '\\';
    run(format, csv_message);
  }
}

Column part(Part part, const std::string& path) {
  Column result = column(path);
  result.part = part;
  return result;
}

TEST(MutatedMessages, SayWhatBecomesOfARowOrAreAnError) {
  const std::string event = R"({"before": {"id": 1}, "after": {"id": 2, "s": "x\n", "d": 19000}, "op": "u"})";
  const std::string wrapped = R"({"schema": {"type": "struct"}, "payload": )" + event + "}";
  const std::vector<Column> columns = {part(Part::identity, "id"), part(Part::before, "id"), column("s"),
                                       column("d", Type::date), part(Part::deletion, "")};
  auto debezium = make_decoder({.envelope = Envelope::debezium}, columns);
  auto key = make_key_decoder({.kind = KeyFormat::Kind::json, .unwrap = true}, {part(Part::sole, "id")});
  Mutator mutate(35);
  for (int i = 0; i < 20'000; ++i) {
    const std::string message = mutate(i % 2 == 0 ? event : wrapped);
    const Row row = decode_row(*debezium, columns.size(), message);
    EXPECT_TRUE(row.size() == columns.size() || row[0].starts_with("22")) << row[0] << "\n" << message;
    expect_row_or_known_error(*key, 1, message);
  }
}

/// simdjson's own full parse judges the same messages. It also refuses numbers beyond its types and lone surrogates,
/// which are JSON by its grammar.
TEST(MutatedMessages, StrictJsonIsWhatAFullParseTakes) {
  Format strict;
  strict.strict = true;
  const std::vector<Column> columns = columns_of(Format::Kind::json);
  auto decoder = make_decoder(strict, columns);
  simdjson::dom::parser parser;
  Mutator mutate(4711);
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string message = mutate(json_message);
    simdjson::dom::element element;
    const auto error = parser.parse(message).get(element);
    const std::string state = decode_row(*decoder, columns.size(), message)[0].substr(0, 5);
    const bool refused = state == "22P02" || state == "22021";
    if (error == simdjson::SUCCESS && element.is_object()) {
      EXPECT_FALSE(refused) << message;
      ++taken;
    } else if (error != simdjson::NUMBER_ERROR && error != simdjson::STRING_ERROR) {
      EXPECT_TRUE(refused) << message;
    }
  }
  EXPECT_GT(taken, 500);
}

TEST(MutatedMessages, AreFieldsToInferOrCounted) {
  JsonInference inference(true);
  Mutator mutate(1234);
  for (int i = 0; i < 20'000; ++i) inference.add(mutate(json_message));
  EXPECT_EQ(inference.objects() + inference.others(), 20'000);
  EXPECT_GT(inference.objects(), 500);
  EXPECT_LE(inference.result(1000).fields.size(), 1000);
}

}  // namespace
}  // namespace kafka_fdw::decode
