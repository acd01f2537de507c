#include "decode/field_parser.h"

#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

std::string parse(Type type, std::string_view text) { return show(parse_field(type, text)); }

void expect_input(Type type, std::initializer_list<const char*> texts) {
  for (const char* text : texts) EXPECT_EQ(parse(type, text), std::string("input ") + text);
}

TEST(ParseInteger, TakesSignDigitsAndSpacesAround) {
  EXPECT_EQ(parse(Type::int4, "42"), "integer 42");
  EXPECT_EQ(parse(Type::int4, "+42"), "integer 42");
  EXPECT_EQ(parse(Type::int4, "-0"), "integer 0");
  EXPECT_EQ(parse(Type::int4, "007"), "integer 7");
  EXPECT_EQ(parse(Type::int4, " \t\n\v\f\r-42 \t\n\v\f\r"), "integer -42");
}

TEST(ParseInteger, KeepsWithinTheRangeOfTheType) {
  EXPECT_EQ(parse(Type::int2, "32767"), "integer 32767");
  EXPECT_EQ(parse(Type::int2, "-32768"), "integer -32768");
  EXPECT_EQ(parse(Type::int4, "-2147483648"), "integer -2147483648");
  EXPECT_EQ(parse(Type::int8, "9223372036854775807"), "integer 9223372036854775807");
  expect_input(Type::int2, {"32768", "-32769"});
  expect_input(Type::int4, {"2147483648", "-2147483649"});
  expect_input(Type::int8, {"9223372036854775808", "-9223372036854775809", "99999999999999999999999"});
}

TEST(ParseInteger, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(Type::int4,
               {"", " ", "+", "-", "+-1", "++1", "1.0", "1e3", "0x10", "0b1", "1_000", "1 2", "1a", "\xC2\xA0 1"});
}

TEST(ParseBoolean, TakesUniquePrefixesOfAnyCase) {
  for (const char* text : {"t", "tr", "tru", "true", "TRUE", "Y", "ye", "yes", "on", "oN", "1", " true\n"}) {
    EXPECT_EQ(parse(Type::boolean, text), "true") << text;
  }
  for (const char* text : {"f", "fa", "fals", "false", "False", "n", "no", "of", "off", "OFF", "0", "\t0 "}) {
    EXPECT_EQ(parse(Type::boolean, text), "false") << text;
  }
}

TEST(ParseBoolean, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(Type::boolean, {"", " ", "o", "2", "01", "truee", "yess", "nop", "offf", "null", "t f", "11"});
}

TEST(ParseFloating, RoundsFromTheDigitsOnce) {
  EXPECT_EQ(parse(Type::float8, "0.1"), "floating 0.1");
  EXPECT_EQ(parse(Type::float8, "1e308"), "floating 1e+308");
  EXPECT_EQ(parse(Type::float8, "+.5"), "floating 0.5");
  EXPECT_EQ(parse(Type::float8, "5."), "floating 5");
  EXPECT_EQ(parse(Type::float8, "-0"), "floating -0");
  EXPECT_EQ(parse(Type::float8, "0e999999"), "floating 0");
  EXPECT_EQ(parse(Type::float8, " 2.5E-3\n"), "floating 0.0025");
  EXPECT_EQ(parse(Type::float8, "9007199254740993"), "floating 9007199254740992");
  EXPECT_EQ(parse_field(Type::float4, "0.1").floating, static_cast<double>(0.1f));
  // Between two floats and closer to the upper one, though its double is exactly in the middle.
  EXPECT_EQ(parse_field(Type::float4, "1.00000005960464477540").floating, static_cast<double>(1.00000012f));
}

TEST(ParseFloating, LeavesOverflowUnderflowAndDenormalNumbersToTheInputFunction) {
  expect_input(Type::float8, {"1e400", "-1e400", "1e-400", "4.9e-324", "2e-308", "0.1e-400"});
  expect_input(Type::float4, {"1e39", "1e-46", "1e-40"});
}

TEST(ParseFloating, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(Type::float8, {"", "-", ".", "-.", "e5", "1e", "1e+", "NaN", "inf", "-Infinity", "nan", "0x1p3", "1_0",
                              "1,5", "1 2", "--1", "+-1", "-+1"});
}

TEST(ParseNumeric, KeepsTheScaleThatWasWritten) {
  EXPECT_EQ(parse(Type::numeric, "1.50"), "decimal 150 scale 2");
  EXPECT_EQ(parse(Type::numeric, "-12"), "decimal -12 scale 0");
  EXPECT_EQ(parse(Type::numeric, "0.000"), "decimal 0 scale 3");
  EXPECT_EQ(parse(Type::numeric, " 007.1 "), "decimal 71 scale 1");
  EXPECT_EQ(parse(Type::numeric, "-999999999999999.999"), "decimal -999999999999999999 scale 3");
}

TEST(ParseNumeric, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(Type::numeric, {"",
                               "-",
                               ".",
                               "-.",
                               "+1",
                               ".5",
                               "5.",
                               "-.5",
                               "-0",
                               "-0.00",
                               "1e3",
                               "1.2.3",
                               "1a",
                               "NaN",
                               "1_0",
                               "0x1",
                               "1 2",
                               "1234567890123456789",
                               "0.123456789012345678",
                               "- 1"});
}

TEST(ParseDate, TakesFourTwoTwoDigits) {
  EXPECT_EQ(parse(Type::date, "2000-01-01"), "date 0");
  EXPECT_EQ(parse(Type::date, "1999-12-31"), "date -1");
  EXPECT_EQ(parse(Type::date, "2024-02-29"), "date 8825");
  EXPECT_EQ(parse(Type::date, "0001-01-01"), "date -730119");
  EXPECT_EQ(parse(Type::date, "9999-12-31"), "date 2921939");
}

TEST(ParseDate, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(
      Type::date,
      {"",           "2023-02-29", "2024-13-01",  "2024-00-10", "2024-01-00",    "2024-04-31",  "0000-01-01",
       "24-01-01",   "2024-1-1",   "02024-01-01", "2024/01/01", "2024-01-01 ",   " 2024-01-01", "2024-01-01 00:00:00",
       "2024-01-0a", "20240101",   "infinity",    "today",      "2024-01-01 BC", "-024-01-01"});
}

TEST(ParseTimestamp, TakesIsoWithSpaceOrT) {
  EXPECT_EQ(parse(Type::timestamp, "2000-01-01 00:00:00"), "timestamp 0");
  EXPECT_EQ(parse(Type::timestamp, "2000-01-02T03:04:05"), "timestamp 97445000000");
  EXPECT_EQ(parse(Type::timestamp, "1999-12-31 23:59:59.999999"), "timestamp -1");
  EXPECT_EQ(parse(Type::timestamp, "2000-01-01 00:00:00.5"), "timestamp 500000");
  EXPECT_EQ(parse(Type::timestamp, "2000-01-01 00:00:00.000001"), "timestamp 1");
  EXPECT_EQ(parse(Type::timestamp, "9999-12-31 23:59:59"), "timestamp 252455615999000000");
}

TEST(ParseTimestamp, WithoutTimeZoneIgnoresTheZone) {
  for (const char* zone : {"", "Z", "+02", "-0530", "+05:30", "+14", "-14:00"}) {
    EXPECT_EQ(parse(Type::timestamp, std::string("2000-01-01 00:00:00.25") + zone), "timestamp 250000") << zone;
  }
}

TEST(ParseTimestamptz, CountsTheZoneIn) {
  EXPECT_EQ(parse(Type::timestamptz, "2000-01-01T00:00:00Z"), "timestamp 0");
  EXPECT_EQ(parse(Type::timestamptz, "2000-01-01 02:00:00+02"), "timestamp 0");
  EXPECT_EQ(parse(Type::timestamptz, "1999-12-31 18:30:00-05:30"), "timestamp 0");
  EXPECT_EQ(parse(Type::timestamptz, "1999-12-31 18:30:00.000001-0530"), "timestamp 1");
}

TEST(ParseTimestamptz, LeavesATimeOfTheSessionsZoneToTheInputFunction) {
  expect_input(Type::timestamptz, {"2000-01-01 00:00:00", "2000-01-01T00:00:00.123"});
}

TEST(ParseTimestamp, LeavesEveryOtherFormToTheInputFunction) {
  for (Type type : {Type::timestamp, Type::timestamptz}) {
    expect_input(type, {"",
                        "2000-01-01",
                        "2000-01-01Z",
                        "2000-01-01 24:00:00Z",
                        "2000-01-01 00:60:00Z",
                        "2000-01-01 00:00:60Z",
                        "2000-01-01 00:00Z",
                        "2000-01-01 00:00:00.Z",
                        "2000-01-01 00:00:00.1234567Z",
                        "2000-01-01t00:00:00Z",
                        "2000-01-01  00:00:00Z",
                        "2000-01-01 00:00:00 Z",
                        "2000-01-01 00:00:00z",
                        "2000-01-01 00:00:00UTC",
                        "2000-01-01 00:00:00+1",
                        "2000-01-01 00:00:00+15",
                        "2000-01-01 00:00:00+14:01",
                        "2000-01-01 00:00:00+01:60",
                        "2000-01-01 00:00:00+01:",
                        "2000-01-01 00:00:00+01:3",
                        "2000-01-01 00:00:00+01:00:00",
                        "2000-01-01 00:00:00+013",
                        "2000-01-01 00:00:00ZZ",
                        "2000-02-30 00:00:00Z",
                        "0000-01-01 00:00:00Z",
                        "2000-01-01 1:00:00Z",
                        "infinity",
                        "now",
                        "2000-01-01 00:00:00+",
                        "2000-01-01 00:00:00+0a"});
  }
}

TEST(ParseUuid, TakesHyphenatedHexOfAnyCase) {
  EXPECT_EQ(parse(Type::uuid, "550e8400-e29b-41d4-a716-44665544000F"), "uuid 550e8400e29b41d4a71644665544000f");
}

TEST(ParseUuid, LeavesEveryOtherFormToTheInputFunction) {
  expect_input(Type::uuid, {"", "550e8400e29b41d4a716446655440000", "{550e8400-e29b-41d4-a716-446655440000}",
                            "550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-44665544000g",
                            "550e8400-e29b-41d4-a716-4466554400000", "550e8400-e29b-41d4-a716446655440000-",
                            " 550e8400-e29b-41d4-a716-446655440000"});
}

TEST(ParseText, IsTheTextItself) {
  EXPECT_EQ(parse(Type::text, ""), "text ");
  EXPECT_EQ(parse(Type::text, " x "), "text  x ");
}

TEST(ParseOther, IsForTheInputFunction) {
  expect_input(Type::json, {"", "{}"});
  expect_input(Type::bytea, {"\\x00"});
  expect_input(Type::other, {"", " 1 "});
}

}  // namespace
}  // namespace kafka_fdw::decode
