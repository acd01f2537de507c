#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

Format debezium() {
  Format format;
  format.envelope = Envelope::debezium;
  return format;
}

Column part(Part part, const std::string& path, Type type = Type::text) {
  Column result = column(path, type);
  result.part = part;
  return result;
}

Column refusing(Refusal refusal, Type type = Type::other) {
  Column result = column("a", type);
  result.refusal = refusal;
  return result;
}

/// id as it names the row, id before, a name, whether the row is deleted.
const std::vector<Column> columns = {part(Part::identity, "id", Type::int8), part(Part::before, "id", Type::int8),
                                     column("name"), part(Part::deletion, "")};

Row decode(std::string_view message) { return decode_row(debezium(), columns, message); }

/// What a row that is now {"a": value} gives for the column.
std::string field(const Column& asked, const std::string& value) {
  const Row row = decode_row(debezium(), {asked}, R"({"op": "c", "after": {"a": )" + value + "}}");
  return row.empty() ? "no row" : row[0];
}

const Row nothing(4, "missing");

TEST(Debezium, TakesTheRowAsItIsNow) {
  EXPECT_EQ(decode(R"({"before": null, "after": {"id": 1, "name": "x"}, "source": {"id": 9}, "op": "c", "ts_ms": 5})"),
            (Row{"integer 1", "missing", "text x", "false"}));
  EXPECT_EQ(decode(R"({"before": {"id": 1, "name": "w"}, "after": {"id": 2, "name": null}, "op": "u"})"),
            (Row{"integer 2", "integer 1", "null", "false"}));
  EXPECT_EQ(decode(R"({"op": "r", "after": {"id": 3}})"), (Row{"integer 3", "missing", "missing", "false"}));
}

TEST(Debezium, ADeletionIsOfTheRowAsItWas) {
  EXPECT_EQ(decode(R"({"before": {"id": 1, "name": "w"}, "after": null, "op": "d"})"),
            (Row{"integer 1", "missing", "missing", "true"}));
  EXPECT_EQ(decode(R"({"before": null, "after": null, "op": "d"})"), (Row{"missing", "missing", "missing", "true"}));
}

TEST(Debezium, FindsTheEventInAWrapper) {
  const std::string event = R"({"before": null, "after": {"id": 1, "name": "x"}, "op": "c"})";
  const Row row{"integer 1", "missing", "text x", "false"};
  EXPECT_EQ(decode(R"({"schema": {"type": "struct", "fields": []}, "payload": )" + event + "}"), row);
  EXPECT_EQ(decode(R"({ "payload" : )" + event + R"(, "schema": null})"), row);
  EXPECT_EQ(decode(R"({"schema": null, "payload": null})"), nothing);
}

TEST(Debezium, SaysNothingOfARowInMessagesOfTheLogOrInNull) {
  EXPECT_EQ(decode(R"({"op": "m", "message": {"prefix": "p"}})"), nothing);
  EXPECT_EQ(decode("null"), nothing);
}

TEST(Debezium, RefusesWhatIsNoChangeOfARow) {
  EXPECT_EQ(decode(R"({"id": 1, "name": "x"})"),
            (Row{"22000 no change event of Debezium: it has no \"op\" (rows without before and after are for the "
                 "envelope upsert)"}));
  EXPECT_EQ(decode(R"({"op": "z", "after": {"id": 1}})"),
            (Row{"22000 no change event of Debezium: its \"op\" is none of c, u, r, d, t and m"}));
  EXPECT_EQ(decode(R"({"op": "u", "after": null})"),
            (Row{"22000 no change event of Debezium: its \"after\" is no object"}));
  EXPECT_EQ(decode(R"({"op": "u", "after": "x"})"), decode(R"({"op": "u"})"));
  EXPECT_EQ(decode(R"({"op": "t", "before": null, "after": null})")[0].substr(0, 14), "22000 TRUNCATE");
  EXPECT_EQ(decode("[]"), (Row{"22P02 expected a JSON object"}));
}

TEST(Debezium, TakesJsonOutOfItsString) {
  EXPECT_EQ(field(column("a", Type::json), R"("{\"b\": [1]}")"), R"(input {"b": [1]})");
  EXPECT_EQ(field(column("a", Type::json), R"({"b": "2"})"), R"(input {"b": "2"})");
  EXPECT_EQ(field(column("a", Type::json), "null"), "null");
}

TEST(Debezium, TakesDaysSince1970ForADate) {
  EXPECT_EQ(field(column("a", Type::date), "0"), "date -10957");
  EXPECT_EQ(field(column("a", Type::date), "19723"), "date 8766");
  EXPECT_EQ(field(column("a", Type::date), R"("2024-01-01")"), "date 8766");
  for (const char* number : {"1.5", "-2440589", "2145042906", "99999999999999999999"})
    EXPECT_EQ(field(column("a", Type::date), number), "22000 a number of Debezium's for a date is no days since 1970");
  EXPECT_EQ(field(column("a", Type::date), "-2440588"), "date -2451545");
}

TEST(Debezium, RefusesNumbersWhoseUnitIsNotKnown) {
  const Column time = refusing(Refusal::numbers, Type::timestamp);
  EXPECT_EQ(field(time, "1704067200000").substr(0, 34), "22000 a number of Debezium's for a");
  EXPECT_EQ(field(time, R"("2024-01-01T00:00:00Z")"), "timestamp 757382400000000");
  EXPECT_EQ(field(refusing(Refusal::numbers), "[\"1\", 2]").substr(0, 13), "22000 a numbe");
  EXPECT_EQ(field(refusing(Refusal::numbers), "[\"1\", \"\\\"2\"]"), "nested [\"1\", \"\\\"2\"]");
  EXPECT_EQ(field(time, "null"), "null");
}

TEST(Debezium, RefusesStringsThatMayBeEncoded) {
  EXPECT_EQ(field(refusing(Refusal::strings, Type::bytea), R"("AQID")").substr(0, 14), "22000 a string");
  EXPECT_EQ(field(refusing(Refusal::strings), "true"), "input true");
}

TEST(Debezium, RefusesValuesThatAreLeftOut) {
  for (const char* value : {R"("__debezium_unavailable_value")", R"("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==")",
                            R"(["__debezium_unavailable_value"])"})
    EXPECT_EQ(field(column("a"), value).substr(0, 27), "22000 Debezium has left out") << value;
  EXPECT_EQ(field(column("a"), R"("not __debezium_unavailable_value")"), "text not __debezium_unavailable_value");
}

TEST(Debezium, FindsFieldsByAnyName) {
  const std::string message = R"({"op": "c", "after": {"a/b": "x", "m~n": "y", "op": "z", "g": {"h": "w"}}})";
  EXPECT_EQ(
      decode_row(debezium(), {column("a/b"), column("m~n"), column("op"), column("/g/h"), unneeded("g")}, message),
      (Row{"text x", "text y", "text z", "text w", "missing"}));
}

}  // namespace
}  // namespace kafka_fdw::decode
