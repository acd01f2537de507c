#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

Column part(Part part, const std::string& path, Type type = Type::text) {
  Column result = column(path, type);
  result.part = part;
  return result;
}

Format upsert() {
  Format format;
  format.envelope = Envelope::upsert;
  return format;
}

Row decode_key(KeyFormat::Kind kind, const std::vector<Column>& columns, std::string_view key, bool unwrap = false) {
  return decode_row(*make_key_decoder({.kind = kind, .unwrap = unwrap}, columns), columns.size(), key);
}

/// What a column shows of a key in JSON.
std::string sole(std::string_view key, Type type = Type::text, bool unwrap = false) {
  return decode_key(KeyFormat::Kind::json, {part(Part::sole, "id", type)}, key, unwrap)[0];
}
std::string document(std::string_view key, Type type = Type::text) {
  return decode_key(KeyFormat::Kind::json, {part(Part::document, "", type)}, key)[0];
}

TEST(KeyFormat, TextAndRawGiveTheWholeKey) {
  for (auto kind : {KeyFormat::Kind::raw, KeyFormat::Kind::text})
    EXPECT_EQ(decode_key(kind, {column("a", Type::int8), column("b")}, "12"), (Row{"integer 12", "text 12"}));
}

TEST(KeyFormat, FieldsOfAKeyInJsonAreFoundByName) {
  const std::vector<Column> columns = {column("a", Type::int8), column("b"), column("/c/d")};
  EXPECT_EQ(decode_key(KeyFormat::Kind::json, columns, R"({"b": "x", "a": 1, "c": {"d": 2}})"),
            (Row{"integer 1", "text x", "text 2"}));
  EXPECT_EQ(decode_key(KeyFormat::Kind::json, columns, "5"), (Row{"missing", "missing", "missing"}));
}

TEST(KeyFormat, ASoleFieldIsTheKeyItselfOrItsOneField) {
  EXPECT_EQ(sole("12", Type::int8), "integer 12");
  EXPECT_EQ(sole(R"( "a\nb" )"), "text a\nb");
  EXPECT_EQ(sole("true", Type::boolean), "true");
  EXPECT_EQ(sole("[1]", Type::json), "input [1]");
  EXPECT_EQ(sole(R"({"id": 1})", Type::int8), "integer 1");
  EXPECT_EQ(sole(R"({"key": 1})", Type::int8), "integer 1");
  EXPECT_EQ(sole(R"({"key": {"x": 1}})"), R"(text {"x": 1})");
  EXPECT_EQ(sole(R"({"other": 1, "id": 2})", Type::int8), "integer 2");
  EXPECT_EQ(sole(R"({"id": 2, "other": 1})", Type::int8), "integer 2");
  EXPECT_EQ(sole(R"({"one": 1, "two": 2})"), "missing");
  EXPECT_EQ(sole("{}"), "missing");
  EXPECT_EQ(sole("null"), "null");
}

TEST(KeyFormat, ADocumentIsTheWholeKey) {
  EXPECT_EQ(document(R"({"a": 1})", Type::json), R"(input {"a": 1})");
  EXPECT_EQ(document(R"({"a": 1} )"), R"(text {"a": 1})");
  EXPECT_EQ(document(R"("a")"), "text a");
  EXPECT_EQ(document(R"("a")", Type::json), R"(input "a")");
  EXPECT_EQ(document("7", Type::int4), "integer 7");
  EXPECT_EQ(document("null", Type::json), "null");
}

TEST(KeyFormat, AKeyThatIsNoJsonIsAnError) {
  for (const char* key : {"abc", "1 2", "\"x", "{\"a\": 1", "[1", "{} {}", "nul"})
    EXPECT_EQ(sole(key).substr(0, 5), "22P02") << key;
  EXPECT_EQ(sole(""), "22P02 empty message");
  EXPECT_EQ(sole("\"\xff\"").substr(0, 5), "22021");
}

TEST(KeyFormat, IsUnwrappedWhereAsked) {
  const char* wrapped = R"({"schema": {"type": "struct"}, "payload": {"id": 4}})";
  EXPECT_EQ(sole(wrapped, Type::int8, true), "integer 4");
  EXPECT_EQ(sole(R"({"schema": {"type": "int64"}, "payload": 4})", Type::int8, true), "integer 4");
  EXPECT_EQ(sole(R"({"payload": "x", "schema": null})", Type::text, true), "text x");
  EXPECT_EQ(sole(wrapped), "missing");
  EXPECT_EQ(sole(R"({"payload": {"id": 4}})", Type::text, true), R"(text {"id": 4})");
}

TEST(UpsertEnvelope, SaysWhetherTheRowIsDeleted) {
  const std::vector<Column> columns = {part(Part::identity, "id", Type::int8), column("name"),
                                       part(Part::deletion, "")};
  EXPECT_EQ(decode_row(upsert(), columns, R"({"id": 1, "name": "x"})"), (Row{"integer 1", "text x", "false"}));
  EXPECT_EQ(decode_row(upsert(), columns, "{}"), (Row{"missing", "missing", "false"}));
  EXPECT_EQ(decode_row(upsert(), columns, " null "), (Row{"missing", "missing", "true"}));
  EXPECT_EQ(decode_row(upsert(), columns, "nul"), (Row{"22P02 expected a JSON object"}));
  EXPECT_EQ(decode_row(upsert(), columns, "1"), (Row{"22P02 expected a JSON object"}));
}

TEST(UpsertEnvelope, FindsTheRowInAWrapper) {
  const std::vector<Column> columns = {column("name"), part(Part::deletion, "")};
  const Row row{"text x", "false"};
  EXPECT_EQ(decode_row(upsert(), columns, R"({"schema": {}, "payload": {"name": "x"}})"), row);
  EXPECT_EQ(decode_row(upsert(), columns, R"({"payload": {"name": "x"}, "schema": {"fields": [{"name": 1}]}})"), row);
  EXPECT_EQ(decode_row(upsert(), columns, R"({"schema": null, "payload": null})"), (Row{"missing", "true"}));
  EXPECT_EQ(decode_row(upsert(), columns, R"({"schema": {}, "payload": 1})"), (Row{"22P02 expected a JSON object"}));
}

TEST(UpsertEnvelope, ARowMayHaveFieldsOfTheNamesOfAWrapper) {
  const std::vector<Column> columns = {column("name"), part(Part::deletion, "")};
  for (const char* message :
       {R"({"schema": {}, "payload": {"name": "y"}, "name": "x"})", R"({"payload": {"name": "y"}, "name": "x"})",
        R"({"schema": "public", "name": "x"})", R"({"schema": {}, "schema": {}, "name": "x"})"})
    EXPECT_EQ(decode_row(upsert(), columns, message), (Row{"text x", "false"})) << message;
  EXPECT_EQ(decode_row(upsert(), {column("payload"), column("schema")}, R"({"schema": {}, "payload": {"name": "x"}})"),
            (Row{R"(text {"name": "x"})", "text {}"}));
}

TEST(UpsertEnvelope, WithoutAnEnvelopeNothingIsUnwrapped) {
  EXPECT_EQ(decode_row(Format{}, {column("name")}, R"({"schema": {}, "payload": {"name": "x"}})"), (Row{"missing"}));
}

}  // namespace
}  // namespace kafka_fdw::decode
