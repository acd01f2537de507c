#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

using namespace std::string_literals;

const Format json;

Format strict_json() {
  Format format;
  format.strict = true;
  return format;
}

Row decode(const std::vector<Column>& columns, std::string_view message) { return decode_row(json, columns, message); }
Row decode_strict(const std::vector<Column>& columns, std::string_view message) {
  return decode_row(strict_json(), columns, message);
}

/// What the value at "a" gives for a column of `type`.
std::string field(Type type, const std::string& value) {
  Row row = decode({column("a", type)}, "{\"a\": " + value + " }");
  return row.empty() ? "no row" : row[0];
}

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

const std::vector<Column> a = {column("a")};

TEST(JsonFormat, FindsFieldsByNameInAnyOrder) {
  std::vector<Column> columns = {column("id", Type::int8), column("url"), column("ok", Type::boolean)};
  auto decoder = make_decoder(json, columns);
  EXPECT_EQ(decode_row(*decoder, 3, R"({"id": 1, "url": "x", "ok": true})"), (Row{"integer 1", "text x", "true"}));
  EXPECT_EQ(decode_row(*decoder, 3, R"({"ok":false,"more":{"id":9},"id":2})"), (Row{"integer 2", "missing", "false"}));
  EXPECT_EQ(decode_row(*decoder, 3, R"({"idx":7,"i":8,"":9,"url":null})"), (Row{"missing", "null", "missing"}));
  EXPECT_EQ(decode_row(*decoder, 3, "{}"), (Row{"missing", "missing", "missing"}));
  EXPECT_EQ(decode_row(*decoder, 3, R"({"id": 1, "url": "x", "ok": true})"), (Row{"integer 1", "text x", "true"}));
}

TEST(JsonFormat, MatchesKeysThatAreWrittenWithEscapes) {
  EXPECT_EQ(decode(a, R"({"\u0061": "x"})"), (Row{"text x"}));
  EXPECT_EQ(decode({column("a\"b\\\n")}, R"({"a\"b\\\n": "x"})"), (Row{"text x"}));
  EXPECT_EQ(decode({column("ä€😀")}, R"({"\u00e4\u20AC\ud83d\ude00": "x"})"), (Row{"text x"}));
  EXPECT_EQ(decode({column("ä")}, "{\"ä\": \"x\"}"), (Row{"text x"}));
  auto decoder = make_decoder(json, a);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(decode_row(*decoder, 1, R"({"b\"": 1, "\u0061": "x"})"), (Row{"text x"}));
}

TEST(JsonFormat, OfDuplicatesTheLastWins) {
  EXPECT_EQ(decode(a, R"({"a": "x", "b": 1, "a": "y"})"), (Row{"text y"}));
  EXPECT_EQ(decode(a, R"({"a": "x", "\u0061": null})"), (Row{"null"}));
  EXPECT_EQ(decode({column("/g/x"), column("/g/y")}, R"({"g": {"x": "1", "y": "2"}, "g": {"y": "3"}})"),
            (Row{"missing", "text 3"}));
  EXPECT_EQ(decode({column("/g/x"), column("/g")}, R"({"g": {"x": "1"}, "g": 5})"), (Row{"missing", "text 5"}));
  EXPECT_EQ(decode({column("/g/h/x")}, R"({"g": {"h": {"x": "1"}, "h": {}}})"), (Row{"missing"}));
}

TEST(JsonFormat, FollowsPointers) {
  const char* message =
      R"({"geo": {"city": "Ulm", "at": [1.5, {"n": "x"}]}, "a": [["0"], "1"], "a/b": "s", "m~n": "t", "": "e"})";
  EXPECT_EQ(decode({column("/geo/city"), column("/geo/at/1/n"), column("/a/0/0"), column("/a/1")}, message),
            (Row{"text Ulm", "text x", "text 0", "text 1"}));
  EXPECT_EQ(decode({column("/a~1b"), column("/m~0n"), column("a/b"), column("m~n"), column("/"), column("")}, message),
            (Row{"text s", "text t", "text s", "text t", "text e", "text e"}));
  EXPECT_EQ(decode({column("/geo/none"), column("/geo/city/x"), column("/a/2"), column("/a/00"), column("/a/-"),
                    column("/geo/at/x")},
                   message),
            (Row{"missing", "missing", "missing", "missing", "missing", "missing"}));
  EXPECT_EQ(decode({column("/o/0"), column("/o/01")}, R"({"o": {"01": "y", "0": "x"}})"), (Row{"text x", "text y"}));
}

TEST(JsonFormat, GivesAValueAndItsPartsAndOneValueTwice) {
  std::vector<Column> columns = {column("/g", Type::json), column("/g/x"), column("g"), column("/g/x", Type::int4)};
  EXPECT_EQ(decode(columns, R"({"g" : {"x": "1\u0032"} })"),
            (Row{R"(input {"x": "1\u0032"})", "text 12", R"(text {"x": "1\u0032"})", "integer 12"}));
}

TEST(JsonFormat, TakesNumbersFromTheirDigits) {
  EXPECT_EQ(field(Type::int4, "12"), "integer 12");
  EXPECT_EQ(field(Type::int8, "-9223372036854775808"), "integer -9223372036854775808");
  EXPECT_EQ(field(Type::int2, "32768"), "input 32768");
  EXPECT_EQ(field(Type::int8, "9223372036854775808"), "input 9223372036854775808");
  EXPECT_EQ(field(Type::int4, "1.0"), "input 1.0");
  EXPECT_EQ(field(Type::int4, "1e3"), "input 1e3");
  EXPECT_EQ(field(Type::float8, "0.1"), "floating 0.1");
  EXPECT_EQ(field(Type::float8, "1e400"), "input 1e400");
  EXPECT_EQ(field(Type::numeric, "1.50"), "decimal 150 scale 2");
  EXPECT_EQ(field(Type::numeric, "-0"), "input -0");
  EXPECT_EQ(field(Type::numeric, "1e400"), "input 1e400");
  EXPECT_EQ(field(Type::numeric, "1234567890.12345678901234567890"), "input 1234567890.12345678901234567890");
  EXPECT_EQ(field(Type::text, "1.50e+05"), "text 1.50e+05");
  EXPECT_EQ(field(Type::boolean, "1"), "true");
  EXPECT_EQ(field(Type::boolean, "2"), "input 2");
  EXPECT_EQ(field(Type::date, "20240101"), "input 20240101");
  EXPECT_EQ(field(Type::json, "1.50"), "input 1.50");
}

TEST(JsonFormat, TakesStringsAsTheTypesTextForm) {
  EXPECT_EQ(field(Type::int4, R"(" 12 ")"), "integer 12");
  EXPECT_EQ(field(Type::int4, R"("\u0031")"), "integer 1");
  EXPECT_EQ(field(Type::boolean, R"("yes")"), "true");
  EXPECT_EQ(field(Type::date, R"("2000-01-02")"), "date 1");
  EXPECT_EQ(field(Type::timestamptz, R"("2000-01-01T00:00:01Z")"), "timestamp 1000000");
  EXPECT_EQ(field(Type::uuid, R"("550e8400-e29b-41d4-a716-446655440000")"), "uuid 550e8400e29b41d4a716446655440000");
  EXPECT_EQ(field(Type::text, R"("a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00")"), "text a\"\\/\b\f\n\r\tä😀");
  EXPECT_EQ(field(Type::text, R"("")"), "text ");
  EXPECT_EQ(field(Type::other, R"j("(1,\"x\")")j"), "input (1,\"x\")");
  EXPECT_EQ(field(Type::bytea, R"("\\x00")"), "input \\x00");
}

TEST(JsonFormat, TakesLiterals) {
  EXPECT_EQ(field(Type::boolean, "true"), "true");
  EXPECT_EQ(field(Type::boolean, "false"), "false");
  EXPECT_EQ(field(Type::text, "true"), "text true");
  EXPECT_EQ(field(Type::int4, "true"), "input true");
  EXPECT_EQ(field(Type::json, "true"), "input true");
  for (Type type : {Type::boolean, Type::int4, Type::text, Type::json, Type::other})
    EXPECT_EQ(field(type, "null"), "null");
}

TEST(JsonFormat, KeepsTheJsonTextOfNestedValues) {
  const char* object = R"({"x" : [1, 2.0e5, "\u00e4"], "x": {}})";
  EXPECT_EQ(field(Type::json, object), std::string("input ") + object);
  EXPECT_EQ(field(Type::text, object), std::string("text ") + object);
  EXPECT_EQ(field(Type::int4, "[1,2]"), "input [1,2]");
  EXPECT_EQ(field(Type::other, "[1, 2]"), "nested [1, 2]");
  EXPECT_EQ(field(Type::other, "\"[1, 2]\""), "input [1, 2]");
  EXPECT_EQ(field(Type::json, R"("a\u0000")"), R"(input "a\u0000")");
}

TEST(JsonFormat, GarbageInAskedForValuesIsAnError) {
  for (const char* bad : {"12abc",      "01",        "+1",        "1.",
                          ".5",         "1e",        "-",         "nul",
                          "nulll",      "True",      "tru",       "truefalse",
                          "x",          "'x'",       "1\x01",     "0x1",
                          "NaN",        "1 2",       "\"a\"b",    "\"a\" \"b\"",
                          "[1,]",       "[,1]",      "[1 2]",     "[1",
                          "[01]",       "[tru]",     "{\"x\"}",   "{\"x\":}",
                          "{\"x\":1,}", "{x:1}",     "{\"x\" 1}", "{1:2}",
                          "[1}",        "{\"x\":1]", "[\"\\q\"]", "[\"\\u12g4\"]",
                          "]",          "",          ",",         ":",
                          "}"}) {
    for (Type type : {Type::text, Type::json, Type::int4}) {
      EXPECT_EQ(field(type, bad).substr(0, 18), "22P02 invalid JSON") << bad;
    }
  }
}

TEST(JsonFormat, ABadValueLeavesTheOthersWhatTheyAre) {
  const std::vector<Column> columns = {column("x"), column("a", Type::int4), column("b", Type::json), column("/b/0")};
  EXPECT_EQ(decode(columns, R"({"x": "X", "a": 1x, "b": [1]})"),
            (Row{"text X", "22P02 invalid JSON", "input [1]", "text 1"}));
  EXPECT_EQ(decode(columns, R"({"b": [1, tru], "a": "\u0000", "x": [1x], "x": "X"})"),
            (Row{"text X", "22P05 \\u0000 cannot be converted to text", "22P02 invalid JSON", "text 1"}));
  // Text that a string cannot be, json may well be.
  EXPECT_EQ(
      decode({column("a"), column("a", Type::json), column("a")}, R"({"a": "\ud800"})"),
      (Row{"22P02 invalid escape in a JSON string", "input \"\\ud800\"", "22P02 invalid escape in a JSON string"}));
}

TEST(JsonFormat, BadEscapesInAskedForStringsAreErrors) {
  for (const char* bad : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\u0041")", R"("\ud800\ud800")",
                          R"("\udc00\ud800")", R"("\q")", R"("\u12")", R"("\u12g4")"}) {
    EXPECT_EQ(field(Type::text, bad), "22P02 invalid escape in a JSON string") << bad;
  }
}

TEST(JsonFormat, ZeroCharactersHaveNoText) {
  for (Type type : {Type::text, Type::int4, Type::other, Type::bytea}) {
    EXPECT_EQ(field(type, R"("1\u0000")"), "22P05 \\u0000 cannot be converted to text");
  }
  EXPECT_EQ(field(Type::text, R"("1\\u0000")"), "text 1\\u0000");
}

TEST(JsonFormat, SkipsWhatNobodyAsksForByStructure) {
  EXPECT_EQ(decode(a, R"({"b": [nul, {"x" 01}], "c": "\ud800", "\ud800": 1, "a": "x"})"), (Row{"text x"}));
  EXPECT_EQ(decode({unneeded("b"), column("a")}, R"({"b": zzz, "a": "x"})"), (Row{"missing", "text x"}));
}

TEST(JsonFormat, RefusesWhatIsNotOneObject) {
  for (const char* message : {"[]", "1", "\"a\"", "null", "a", "[{\"a\":1}]", " x{}", "}"}) {
    EXPECT_EQ(decode(a, message), Row{"22P02 expected a JSON object"}) << message;
  }
  for (const char* message : {"{",           "{\"a\"",
                              "{\"a\":",     "{\"a\":1",
                              "{\"a\":1,",   "{\"a\":1,}",
                              "{,}",         "{\"a\" 1}",
                              "{\"a\":1} x", "{\"a\":1}{\"a\":2}",
                              "{}}",         "{} {}",
                              "{\"a\":\"",   "{\"a\":\"x\ny\"}",
                              "{\"b\":[}",   "{\"b\":[[[[}",
                              "{\"b\":{}",   "{a:1}",
                              "{1:1}",       "{\"b\":1 \"a\":2}",
                              "{\"b\":1]"}) {
    EXPECT_EQ(decode(a, message)[0].substr(0, 18), "22P02 invalid JSON") << message;
  }
  EXPECT_EQ(decode(a, "{}\0"s), Row{"22P02 invalid JSON"});
}

TEST(JsonFormat, RefusesEmptyMessages) {
  for (const char* message : {"", " \n\t\r ", "\xEF\xBB\xBF"})
    EXPECT_EQ(decode(a, message), Row{"22P02 empty message"});
}

TEST(JsonFormat, AllowsSpaceAroundAndAByteOrderMarkInFront) {
  EXPECT_EQ(decode(a, " \r\n\t{ \"a\" : \"x\" } \n"), (Row{"text x"}));
  EXPECT_EQ(decode(a, "\xEF\xBB\xBF{\"a\":\"x\"}"), (Row{"text x"}));
  EXPECT_EQ(decode(a, "\xEF\xBB\xBF\xEF\xBB\xBF{}"), Row{"22P02 expected a JSON object"});
}

TEST(JsonFormat, RefusesInvalidUtf8Anywhere) {
  for (const char* bad : {"\x80", "\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const Row expected = {"22021 invalid byte sequence for encoding \"UTF8\""};
    EXPECT_EQ(decode(a, "{\"a\": \"x\", \"b\": \""s + bad + "\"}"), expected);
    EXPECT_EQ(decode(a, "{\"a\": \"x\"}"s + bad), expected);
    EXPECT_EQ(decode(a, "{\"a\": \"x"s + bad), expected);
    EXPECT_EQ(decode(a, bad), expected);
  }
}

TEST(JsonFormat, BoundsNesting) {
  EXPECT_EQ(field(Type::json, nested(1023)), "input " + nested(1023));
  EXPECT_EQ(field(Type::json, nested(1024)), "54001 JSON is nested too deeply");
  EXPECT_EQ(field(Type::text, nested(1'000'000)), "54001 JSON is nested too deeply");
  EXPECT_EQ(field(Type::text, std::string(1'000'000, '[')), "22P02 invalid JSON");
  EXPECT_EQ(decode(a, "{\"b\": " + nested(1'000'000) + ", \"a\": 1}"), (Row{"text 1"}));
  EXPECT_EQ(decode_strict({column("b")}, "{\"b\": " + nested(1023) + "}"), (Row{"text " + nested(1023)}));
  EXPECT_EQ(decode_strict({unneeded("b")}, "{\"b\": " + nested(1024) + "}"), Row{"54001 JSON is nested too deeply"});
}

TEST(JsonFormat, BoundsTheDepthOfPointers) {
  auto at_depth = [](size_t depth) {
    std::string pointer;
    std::string message = "1";
    for (size_t i = 0; i < depth; ++i) {
      pointer += "/x";
      message.insert(0, "{\"x\":").push_back('}');
    }
    return decode({column(pointer)}, message);
  };
  EXPECT_EQ(at_depth(1024), (Row{"text 1"}));
  EXPECT_EQ(at_depth(1025), Row{"54001 JSON is nested too deeply"});
}

TEST(JsonFormat, WithNoColumnAsksForNothing) {
  EXPECT_EQ(decode({}, "not json"), Row{});
  EXPECT_EQ(decode({unneeded("a")}, "not json"), (Row{"missing"}));
}

TEST(JsonFormat, DecodesMessagesOfAnySizeOneAfterTheOther) {
  auto decoder = make_decoder(json, a);
  for (size_t size : {0u, 1u, 31u, 64u, 4096u, 5000u, 1u << 20, 9u << 20, 10u, 2u << 20, 100'000u, 7u}) {
    const std::string text(size, 'x');
    EXPECT_EQ(decode_row(*decoder, 1, "{\"a\":\"" + text + "\\n\"}"), (Row{"text " + text + "\n"}));
  }
}

TEST(JsonFormat, GoesOnAfterABadMessage) {
  auto decoder = make_decoder(json, a);
  for (const char* bad : {"{\"a\": [", "{\"a\": \"\\ud800\"}", "\xFF", "[]", "{\"a\": 1x}", "{} {}"}) {
    EXPECT_EQ(decode_row(*decoder, 1, bad)[0].substr(0, 2), "22") << bad;
    EXPECT_EQ(decode_row(*decoder, 1, R"({"a": "x"})"), (Row{"text x"}));
  }
}

TEST(JsonFormat, RemembersOnlySoManyKeys) {
  auto decoder = make_decoder(json, {column("a"), column("k299"), column(std::string(300, 'k'))});
  std::string message = "{\"" + std::string(300, 'k') + "\": 0";
  for (int i = 0; i < 300; ++i) message += ", \"k" + std::to_string(i) + "\": " + std::to_string(i);
  message += ", \"a\": 1}";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(decode_row(*decoder, 3, message), (Row{"text 1", "text 299", "text 0"}));
}

TEST(JsonStrict, WantsEveryFieldAndNoOther) {
  std::vector<Column> columns = {column("a"), unneeded("b"), column("/g/x"), unneeded("/h/y")};
  EXPECT_EQ(decode_strict(columns, R"({"a": null, "b": 1, "g": {"x": 2, "z": 3}, "h": {"y": 4}})"),
            (Row{"null", "missing", "text 2", "missing"}));
  EXPECT_EQ(decode_strict(columns, R"({"b": 1, "g": {"x": 2}, "h": {"y": 4}})"), Row{"22P04 missing field \"a\" at 0"});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "g": {"x": 2}, "h": {"y": 4}})"), Row{"22P04 missing field \"b\" at 1"});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "b": 1, "g": {}, "h": {"y": 4}})"),
            Row{"22P04 missing field \"/g/x\" at 2"});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "b": 1, "g": {"x": 2}, "h": {}})"),
            Row{"22P04 missing field \"/h/y\" at 3"});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "c": 1})"), Row{"22P04 extra field \"c\""});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "/g/x": 1})"), Row{"22P04 extra field \"/g/x\""});
  EXPECT_EQ(decode_strict({}, "{}"), Row{});
  EXPECT_EQ(decode_strict({}, R"({"a": 1})"), Row{"22P04 extra field \"a\""});
}

TEST(JsonStrict, FieldsThatAreThereStay) {
  Format strict;
  strict.strict = true;
  const std::vector<Column> columns = {column("a"), unneeded("b"), column("c")};
  EXPECT_EQ(decode_after_error(strict, columns, R"({"x": 1, "c": 3, "a": 1, "b": 2})"),
            (Row{"text 1", "missing", "text 3"}));
  EXPECT_EQ(decode_after_error(strict, columns, R"({"a": 1, "b": 2})"), (Row{"text 1", "missing", "missing"}));
  EXPECT_EQ(decode_after_error(strict, columns, R"({"a": 1, "": 2})"), (Row{"text 1", "missing", "missing"}));
}

TEST(JsonFormat, OfABrokenMessageNothingStays) {
  EXPECT_EQ(decode_after_error(Format{}, {column("a")}, R"({"a": 1, "b": 2)"), Row{"missing"});
}

TEST(JsonStrict, CutsLongKeysBetweenCharacters) {
  std::string key = "x";
  for (int i = 0; i < 40; ++i) key += "ä";
  EXPECT_EQ(decode_strict({}, "{\"" + key + "\": 1}"), Row{"22P04 extra field \"" + key.substr(0, 63) + "...\""});
}

TEST(JsonStrict, ChecksTheWholeMessage) {
  std::vector<Column> columns = {column("a"), unneeded("b")};
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "b": [nul]})"), Row{"22P02 invalid JSON"});
  EXPECT_EQ(decode_strict(columns, R"({"a": 1, "b": "\q"})"), Row{"22P02 invalid JSON"});
  EXPECT_EQ(decode_strict({}, "x"), Row{"22P02 expected a JSON object"});
}

TEST(IsUtf8, KnowsValidFromInvalid) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\0ä€😀"s));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_utf8("\xC3"));
}

}  // namespace
}  // namespace kafka_fdw::decode
