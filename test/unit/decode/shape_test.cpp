#include "decode/shape.h"

#include <gtest/gtest.h>

#include <string>

namespace kafka_fdw::decode {
namespace {

Shape of(const std::string& raw) { return shape_of_json(raw); }
Shape of_string(const std::string& text) { return of('"' + text + '"'); }

TEST(Shape, OfANumberIsTheNarrowestTypeThatHoldsIt) {
  for (const char* number : {"0", "-0", "7", "2147483647", "-2147483648"}) EXPECT_EQ(of(number), Shape::int4) << number;
  for (const char* number : {"2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808"})
    EXPECT_EQ(of(number), Shape::int8) << number;
  for (const char* number : {"9223372036854775808", "1.0", "1e3", "-1.5E+10", "1e-7"})
    EXPECT_EQ(of(number), Shape::numeric) << number;
}

TEST(Shape, OfANumberThatNumericDoesNotHoldIsText) {
  for (const char* number : {"1e200000", "1E-20000", "1e99999999999999999999"})
    EXPECT_EQ(of(number), Shape::text) << number;
  EXPECT_EQ(of(std::string(1000, '9')), Shape::numeric);
  EXPECT_EQ(of(std::string(1001, '9')), Shape::text);
}

TEST(Shape, OfAStringIsATypeThatItIsPlainlyWrittenAs) {
  EXPECT_EQ(of_string("2024-02-29"), Shape::date);
  EXPECT_EQ(of_string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), Shape::uuid);
  for (const char* text : {"2024-02-29T12:00:00", "2024-02-29 12:00:00.5", "2024-02-29T12:00"})
    EXPECT_EQ(of_string(text), Shape::timestamp) << text;
  for (const char* text : {"2024-02-29T12:00:00Z", "2024-02-29 12:00:00.123456789+02:00", "2024-02-29T12:00Z",
                           "2024-02-29T12:00:00.1234567-0330", "2024-02-29T12:00+02"})
    EXPECT_EQ(of_string(text), Shape::timestamptz) << text;
}

TEST(Shape, OfAnyOtherStringIsText) {
  for (const char* text :
       {"", "x", "7", "true", "2023-02-29", "2024-2-9", "20240229", "12:00:00", "2024-02-29T", "2024-02-29T25:00:00",
        "2024-02-29T12:00.5", "2024-02-29T12:00:00.1234567890Z", "2024-02-29T12:00:00 Europe/Paris",
        "2024-02-29T12:00:00Z and more", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "x0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "2024\\u002d02-29"})
    EXPECT_EQ(of_string(text), Shape::text) << text;
}

TEST(Shape, OfTheRestIsItsKind) {
  EXPECT_EQ(of("null"), Shape::nothing);
  EXPECT_EQ(of("true"), Shape::boolean);
  EXPECT_EQ(of("false"), Shape::boolean);
  EXPECT_EQ(of("{}"), Shape::object);
  EXPECT_EQ(of("[1]"), Shape::json);
}

TEST(Shape, WidensNumbersAmongThemselves) {
  EXPECT_EQ(widen(Shape::int4, Shape::int8), Shape::int8);
  EXPECT_EQ(widen(Shape::numeric, Shape::int4), Shape::numeric);
  EXPECT_EQ(widen(Shape::int8, Shape::numeric), Shape::numeric);
}

TEST(Shape, WidensADateToATimestampButNotAcrossZones) {
  EXPECT_EQ(widen(Shape::timestamp, Shape::date), Shape::timestamp);
  EXPECT_EQ(widen(Shape::date, Shape::timestamptz), Shape::text);
  EXPECT_EQ(widen(Shape::timestamp, Shape::timestamptz), Shape::text);
}

constexpr Shape all_shapes[] = {Shape::nothing, Shape::boolean, Shape::int4,      Shape::int8,
                                Shape::numeric, Shape::date,    Shape::timestamp, Shape::timestamptz,
                                Shape::uuid,    Shape::text,    Shape::object,    Shape::json};

TEST(Shape, WidensByNullToItself) {
  for (const Shape shape : all_shapes) EXPECT_EQ(widen(shape, Shape::nothing), shape);
}

TEST(Shape, MixedIsTextOrWithObjectsAndArraysJson) {
  EXPECT_EQ(widen(Shape::boolean, Shape::int4), Shape::text);
  EXPECT_EQ(widen(Shape::uuid, Shape::date), Shape::text);
  EXPECT_EQ(widen(Shape::numeric, Shape::date), Shape::text);
  EXPECT_EQ(widen(Shape::object, Shape::json), Shape::json);
  EXPECT_EQ(widen(Shape::object, Shape::int4), Shape::json);
  EXPECT_EQ(widen(Shape::text, Shape::json), Shape::json);
}

TEST(Shape, OfManyDoesNotDependOnTheirOrder) {
  for (const Shape a : all_shapes)
    for (const Shape b : all_shapes) {
      EXPECT_EQ(widen(a, b), widen(b, a));
      for (const Shape c : all_shapes) EXPECT_EQ(widen(widen(a, b), c), widen(a, widen(b, c)));
    }
}

TEST(Shape, OfNothingButNullIsAColumnOfText) {
  EXPECT_EQ(type_of_shape(Shape::nothing), Type::text);
  EXPECT_EQ(type_of_shape(Shape::object), Type::json);
  EXPECT_EQ(type_of_shape(Shape::int8), Type::int8);
}

}  // namespace
}  // namespace kafka_fdw::decode
