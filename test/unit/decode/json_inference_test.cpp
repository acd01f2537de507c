#include "decode/json_inference.h"

#include <gmock/gmock.h>

#include <random>

#include "decode/decoder.h"

namespace kafka_fdw::decode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* name_of(Type type) {
  constexpr const char* names[] = {"boolean", "int2",      "int4",        "int8", "float4", "float8", "numeric", "text",
                                   "date",    "timestamp", "timestamptz", "uuid", "json",   "bytea",  "other"};
  return names[static_cast<size_t>(type)];
}

std::vector<std::string> show(const JsonInference::Result& result) {
  std::vector<std::string> shown;
  for (const InferredField& field : result.fields) {
    std::string text;
    for (const std::string& key : field.path) text += (text.empty() ? "" : "/") + key;
    shown.push_back(text + ' ' + name_of(field.type));
  }
  return shown;
}

std::vector<std::string> infer(std::initializer_list<std::string> messages, bool flatten = false) {
  JsonInference inference(flatten);
  for (const std::string& message : messages) inference.add(message);
  return show(inference.result(1000));
}

std::vector<std::string> flatten(std::initializer_list<std::string> messages) { return infer(messages, true); }

TEST(JsonInference, GivesFieldsInTheOrderInWhichTheyWereMet) {
  EXPECT_THAT(infer({R"({"b": 1, "a": "x"})", R"({"a": "y", "c": true, "b": 2})"}),
              ElementsAre("b int4", "a text", "c boolean"));
}

TEST(JsonInference, WidensTypesOverTheMessages) {
  EXPECT_THAT(infer({R"({"n": 1, "m": 1, "d": "2024-01-01", "x": 1, "j": 1})",
                     R"({"n": 3000000000, "m": 1.5, "d": "2024-01-01 10:00:00", "x": "1", "j": [1]})",
                     R"({"n": null, "m": 9223372036854775808})"}),
              ElementsAre("n int8", "m numeric", "d timestamp", "x text", "j json"));
}

TEST(JsonInference, TakesAFieldThatIsAlwaysNullForText) {
  EXPECT_THAT(infer({R"({"a": null})"}), ElementsAre("a text"));
}

TEST(JsonInference, KeepsNestedObjectsWhole) {
  EXPECT_THAT(infer({R"({"geo": {"city": "Oslo", "deep": {"x": [1]}}, "tags": ["a"]})"}),
              ElementsAre("geo json", "tags json"));
}

TEST(JsonInference, FlattensNestedObjectsAtTheirPlace) {
  EXPECT_THAT(flatten({R"({"geo": {"city": "Oslo", "deep": {"x": 1}}, "n": 1})", R"({"geo": null, "n": 2})",
                       R"({"geo": {"zip": 7, "deep": {"x": 1.5}}})"}),
              ElementsAre("geo/city text", "geo/deep/x numeric", "geo/zip int4", "n int4"));
}

TEST(JsonInference, FlattensNothingThatIsNotAlwaysAnObject) {
  EXPECT_THAT(flatten({R"({"a": {"x": 1}, "b": [{"x": 1}], "c": {}})", R"({"a": "none", "c": {}})"}),
              ElementsAre("a json", "b json", "c json"));
}

TEST(JsonInference, FlattensNoObjectWhoseKeysAreData) {
  JsonInference inference(true);
  for (int i = 0; i < 200; ++i)
    inference.add(R"({"by_user": {"user-)" + std::to_string(i) + R"(": 1}, "point": {"x": 1}})");
  EXPECT_THAT(show(inference.result(1000)), ElementsAre("by_user json", "point/x int4"));
}

TEST(JsonInference, FlattensOnlySoDeep) {
  std::string message = "1";
  for (int i = 0; i < 900; ++i) message.insert(0, R"({"a": )").append("}");
  const auto shown = flatten({message});
  ASSERT_EQ(shown.size(), 1);
  EXPECT_EQ(shown[0], "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a json");
}

TEST(JsonInference, TakesTheLastOfDuplicateKeysHoweverTheyAreWritten) {
  EXPECT_THAT(infer({R"({"a": "x", "a": 1})"}), ElementsAre("a int4"));
  EXPECT_THAT(infer({R"({"a": "x", "\u0061": true})"}), ElementsAre("a boolean"));
  EXPECT_THAT(flatten({R"({"g": {"old": 1}, "g": {"new": 1}})"}), ElementsAre("g/new int4"));
}

TEST(JsonInference, TellsKeysApartThatDifferByCaseOnly) {
  EXPECT_THAT(infer({R"({"Id": 1, "id": "x", "ID": true})"}), ElementsAre("Id int4", "id text", "ID boolean"));
}

TEST(JsonInference, ReadsKeysAsTheDecoderDoes) {
  EXPECT_THAT(infer({R"({"": 1, "a\"b\\c\/d": 2, "\u00e9": 3, "\ud83d\ude00": 4, "a b": 5})"}),
              ElementsAre(" int4", "a\"b\\c/d int4", "é int4", "😀 int4", "a b int4"));
}

TEST(JsonInference, LeavesOutKeysThatNoOptionCanName) {
  JsonInference inference(false);
  inference.add(R"({"a\u0000b": 1, "\ud800": 2, "good": 3, ")" + std::string(5000, 'k') + R"(": 4})");
  const auto result = inference.result(1000);
  EXPECT_THAT(show(result), ElementsAre("good int4"));
  EXPECT_EQ(result.left_out, 3);
  EXPECT_FALSE(result.uncounted);
}

TEST(JsonInference, CountsMessagesThatAreNoObjects) {
  JsonInference inference(false);
  for (const char* message : {"", " ", "1", "[]", "null", "\"{}\"", "{", "{}}", "{\"a\":1} x", "{'a': 1}",
                              "{\"a\": 01}", "{\"a\": \"\xff\"}", "{\"a\": \"\n\"}", "{\"a\": tru}"})
    inference.add(message);
  inference.add(std::string_view("{\"a\0\": 1}", 9));
  inference.add(std::string_view("{\"a\": 1}\0", 9));
  EXPECT_EQ(inference.others(), 16);
  EXPECT_EQ(inference.objects(), 0);
  EXPECT_THAT(inference.result(1000).fields, IsEmpty());
  inference.add(" \n{} ");
  inference.add("\xEF\xBB\xBF{\"a\": 1}");
  EXPECT_EQ(inference.objects(), 2);
  EXPECT_THAT(show(inference.result(1000)), ElementsAre("a int4"));
}

TEST(JsonInference, OfTooManyFieldsKeepsThoseThatMostMessagesHave) {
  JsonInference inference(false);
  inference.add(R"({"a": 1, "b": 1, "c": 1, "d": 1})");
  inference.add(R"({"d": 1})");
  inference.add(R"({"b": 1})");
  const auto result = inference.result(3);
  EXPECT_THAT(show(result), ElementsAre("a int4", "b int4", "d int4"));
  EXPECT_EQ(result.left_out, 1);
}

TEST(JsonInference, RemembersNoMoreThanABoundOfKeys) {
  JsonInference inference(true);
  for (int i = 0; i < 300; ++i) {
    std::string message = "{";
    for (int j = 0; j < 100; ++j)
      message += (j == 0 ? "\"" : ", \"") + std::to_string(i * 100 + j) + R"(": {"x": null})";
    inference.add(message + "}");
  }
  const auto result = inference.result(1000);
  EXPECT_EQ(result.fields.size(), 1000);
  EXPECT_TRUE(result.uncounted);
  EXPECT_LT(result.left_out, 10000);
}

/// What is inferred of messages decodes them.
TEST(JsonInference, GivesColumnsThatTakeTheMessages) {
  constexpr const char* values[] = {"1",
                                    "3000000000",
                                    "1.5",
                                    "1e3",
                                    "true",
                                    "null",
                                    "\"x\"",
                                    "\"2024-01-01\"",
                                    "\"2024-01-01T10:00:00Z\"",
                                    "[1]",
                                    R"({"x": 1, "y": {"z": "a"}})",
                                    "{}"};
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> messages;
    for (int i = 0; i < 3; ++i) {
      std::string message = "{";
      for (const char* key : {"a", "b", "c"})
        message +=
            (message.size() == 1 ? "\"" : ", \"") + std::string(key) + "\": " + values[random() % std::size(values)];
      messages.push_back(message + "}");
    }
    JsonInference inference(round % 2 == 0);
    for (const std::string& message : messages) inference.add(message);
    std::vector<Column> columns;
    for (const InferredField& field : inference.result(1000).fields) {
      Column column;
      for (const std::string& key : field.path) column.path += '/' + key;
      column.type = field.type;
      columns.push_back(column);
    }
    const auto decoder = make_decoder({}, columns);
    std::vector<Value> row(columns.size());
    for (const std::string& message : messages) {
      decoder->decode(message, row);
      for (size_t i = 0; i < row.size(); ++i)
        EXPECT_TRUE(row[i].kind != Value::Kind::input || columns[i].type == Type::json ||
                    columns[i].type == Type::numeric)
            << message << ' ' << columns[i].path;
    }
  }
}

}  // namespace
}  // namespace kafka_fdw::decode
