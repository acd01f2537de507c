#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

using namespace std::string_literals;

Format text_format(bool strict = false) {
  Format format;
  format.kind = Format::Kind::text;
  format.strict = strict;
  return format;
}

Format csv_format(bool strict = false) {
  Format format;
  format.kind = Format::Kind::csv;
  format.delimiter = ',';
  format.null = "";
  format.strict = strict;
  return format;
}

const std::vector<Column> one = {column("a")};
const std::vector<Column> two = {column("a"), column("b")};

TEST(TextFormat, SplitsFieldsByPositionAndTypes) {
  std::vector<Column> columns = {column("i", Type::int4), column("t"), column("n", Type::numeric),
                                 column("o", Type::other)};
  EXPECT_EQ(decode_row(text_format(), columns, "1\tx y\t2.50\t{1,2}"),
            (Row{"integer 1", "text x y", "decimal 250 scale 2", "input {1,2}"}));
}

TEST(TextFormat, AllowsOneLineEnd) {
  for (const char* end : {"", "\n", "\r\n", "\r"}) {
    EXPECT_EQ(decode_row(text_format(), two, "x\ty"s + end), (Row{"text x", "text y"}));
    EXPECT_EQ(decode_row(text_format(), one, end), (Row{"text "}));
  }
}

TEST(TextFormat, RefusesLineBreaksInData) {
  EXPECT_EQ(decode_row(text_format(), one, "x\ny"), Row{"22P04 literal newline found in data"});
  EXPECT_EQ(decode_row(text_format(), one, "x\n\n"), Row{"22P04 literal newline found in data"});
  EXPECT_EQ(decode_row(text_format(), one, "x\n\r"), Row{"22P04 literal newline found in data"});
  EXPECT_EQ(decode_row(text_format(), one, "x\ry"), Row{"22P04 literal carriage return found in data"});
  EXPECT_EQ(decode_row(text_format(), one, "x\r\ny"), Row{"22P04 literal carriage return found in data"});
  EXPECT_EQ(decode_row(text_format(), one, "x\ty\nz"), Row{"22P04 literal newline found in data"});
}

TEST(TextFormat, UnescapesAsCopyDoes) {
  EXPECT_EQ(decode_row(text_format(), one, R"(\b\f\n\r\t\v\\.\q\")"), (Row{"text \b\f\n\r\t\v\\.q\""}));
  EXPECT_EQ(decode_row(text_format(), one, R"(\101\1012\60x\x41\x4a4\x4G\xg)"), (Row{"text AA20xAJ4\x04Gxg"}));
  EXPECT_EQ(decode_row(text_format(), one, R"(\477\8)"), (Row{"text ?8"}));
  EXPECT_EQ(decode_row(text_format(), two, "a\\\tb\\\nc\\\r\td"), (Row{"text a\tb\nc\r", "text d"}));
}

TEST(TextFormat, AnEscapedLineBreakAtTheEndIsData) {
  EXPECT_EQ(decode_row(text_format(), one, "x\\\n"), (Row{"text x\n"}));
  EXPECT_EQ(decode_row(text_format(), one, "x\\\r\n"), (Row{"text x\r"}));
}

TEST(TextFormat, LeavesABackslashAtTheEndOut) {
  EXPECT_EQ(decode_row(text_format(), one, "x\\"), (Row{"text x"}));
  Format format = text_format();
  format.null = "";
  EXPECT_EQ(decode_row(format, one, "\\"), (Row{"null"}));
}

TEST(TextFormat, RefusesTheEndOfDataMarkerAnywhere) {
  for (const char* message : {"\\.", "\\.\n", "a\\.", "a\\.b", "\\\\\\."})
    EXPECT_EQ(decode_row(text_format(), one, message), Row{"22P04 end-of-copy marker found in data"});
}

TEST(TextFormat, ComparesNullBeforeUnescaping) {
  EXPECT_EQ(decode_row(text_format(), two, "\\N\t\\\\N"), (Row{"null", "text \\N"}));
  Format format = text_format();
  format.null = "NULL";
  EXPECT_EQ(decode_row(format, two, "NULL\t\\NULL"), (Row{"null", "text NULL"}));
}

TEST(TextFormat, ChecksBytesThatEscapesMade) {
  EXPECT_EQ(decode_row(text_format(), one, R"(\303\244)"), (Row{"text \xC3\xA4"}));
  EXPECT_EQ(decode_row(text_format(), two, "x\t\\xff"),
            (Row{"text x", "22021 invalid byte sequence for encoding \"UTF8\""}));
  EXPECT_EQ(decode_row(text_format(), two, "x\t\\000"), (Row{"text x", "22021 invalid byte sequence: 0x00"}));
  EXPECT_EQ(decode_row(text_format(), one, "\\400"), Row{"22021 invalid byte sequence: 0x00"});
  Format latin = text_format();
  latin.verify_utf8 = false;
  EXPECT_EQ(decode_row(latin, one, "\\xff"), (Row{"text \xFF"}));
  EXPECT_EQ(decode_row(latin, one, "\\x0"), Row{"22021 invalid byte sequence: 0x00"});
}

TEST(TextFormat, FewerOrMoreFieldsAreErrorsOnlyWhenStrict) {
  EXPECT_EQ(decode_row(text_format(), two, "x"), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_row(text_format(), two, "x\ty\tz"), (Row{"text x", "text y"}));
  EXPECT_EQ(decode_row(text_format(true), two, "x"), Row{"22P04 missing data for column \"b\" at 1"});
  EXPECT_EQ(decode_row(text_format(true), two, "x\ty\tz"), Row{"22P04 extra data after last expected column"});
  EXPECT_EQ(decode_row(text_format(true), two, "x\ty"), (Row{"text x", "text y"}));
}

TEST(DelimitedFormats, TheFieldsBeforeAFaultAreThere) {
  EXPECT_EQ(decode_after_error(text_format(true), two, "x"), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_after_error(text_format(true), two, "x\ty\tz"), (Row{"text x", "text y"}));
  EXPECT_EQ(decode_after_error(text_format(), two, "x\t\\."), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_after_error(text_format(), two, "x\ny\tz"), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_after_error(csv_format(), two, "x,\"y"), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_after_error(csv_format(), two, "\"x,y"), (Row{"missing", "missing"}));
}

TEST(TextFormat, NoColumnsWantAnEmptyLineWhenStrict) {
  EXPECT_EQ(decode_row(text_format(true), {}, ""), Row{});
  EXPECT_EQ(decode_row(text_format(true), {}, "\r\n"), Row{});
  EXPECT_EQ(decode_row(text_format(true), {}, "x"), Row{"22P04 extra data after last expected column"});
  EXPECT_EQ(decode_row(text_format(), {}, "x"), Row{});
}

TEST(TextFormat, AColumnNobodyNeedsKeepsItsPlace) {
  EXPECT_EQ(decode_row(text_format(), {unneeded("a"), column("b")}, "\\xff\ty"), (Row{"missing", "text y"}));
  EXPECT_EQ(decode_row(text_format(true), {column("a"), unneeded("b")}, "x"),
            Row{"22P04 missing data for column \"b\" at 1"});
}

TEST(DelimitedFormats, RefuseZeroBytesAnywhere) {
  EXPECT_EQ(decode_row(text_format(), one, "x\0y"s), Row{"22021 invalid byte sequence: 0x00"});
  EXPECT_EQ(decode_row(csv_format(), one, "x,\0"s), Row{"22021 invalid byte sequence: 0x00"});
}

TEST(DelimitedFormats, LeaveTheMessageAlone) {
  const std::string text = "a\\tb";
  const std::string csv = R"("a""b")";
  EXPECT_EQ(decode_row(text_format(), one, text), (Row{"text a\tb"}));
  EXPECT_EQ(decode_row(csv_format(), one, csv), (Row{"text a\"b"}));
  EXPECT_EQ(text, "a\\tb");
  EXPECT_EQ(csv, R"("a""b")");
}

TEST(DelimitedFormats, GoOnAfterAHugeMessageAndAfterABadOne) {
  auto decoder = make_decoder(text_format(), one);
  const std::string huge(8 << 20, 'x');
  EXPECT_EQ(decode_row(*decoder, 1, huge), (Row{"text " + huge}));
  EXPECT_EQ(decode_row(*decoder, 1, "x\ny"), Row{"22P04 literal newline found in data"});
  EXPECT_EQ(decode_row(*decoder, 1, "y"), (Row{"text y"}));
}

TEST(CsvFormat, SplitsQuotedAndUnquotedFields) {
  EXPECT_EQ(decode_row(csv_format(), two, "x,y"), (Row{"text x", "text y"}));
  EXPECT_EQ(decode_row(csv_format(), two, R"("a,b"," c ")"), (Row{"text a,b", "text  c "}));
  EXPECT_EQ(decode_row(csv_format(), one, R"(a"b,c"d"e")"), (Row{"text ab,cde"}));
  EXPECT_EQ(decode_row(csv_format(), one, R"("say ""hi""")"), (Row{"text say \"hi\""}));
  EXPECT_EQ(decode_row(csv_format(), one, "\\.\n"), (Row{"text \\."}));
  EXPECT_EQ(decode_row(csv_format(), one, R"(\n\x)"), (Row{"text \\n\\x"}));
}

TEST(CsvFormat, AllowsOneLineEnd) {
  for (const char* end : {"", "\n", "\r\n", "\r"}) {
    EXPECT_EQ(decode_row(csv_format(), two, "x,\"y\""s + end), (Row{"text x", "text y"}));
  }
}

TEST(CsvFormat, KeepsLineBreaksInQuotesAndRefusesOthers) {
  EXPECT_EQ(decode_row(csv_format(), two, "\"a\nb\r\nc\",d\n"), (Row{"text a\nb\r\nc", "text d"}));
  EXPECT_EQ(decode_row(csv_format(), one, "a\nb"), Row{"22P04 unquoted newline found in data"});
  EXPECT_EQ(decode_row(csv_format(), one, "a\rb"), Row{"22P04 unquoted carriage return found in data"});
}

TEST(CsvFormat, RefusesAnUnterminatedQuotedField) {
  EXPECT_EQ(decode_row(csv_format(), two, "x,\"y"), Row{"22P04 unterminated CSV quoted field at 1"});
  EXPECT_EQ(decode_row(csv_format(), one, "\"y\n"), Row{"22P04 unterminated CSV quoted field at 0"});
  EXPECT_EQ(decode_row(csv_format(), one, "x,y,\"z"), Row{"22P04 unterminated CSV quoted field"});
  EXPECT_EQ(decode_row(csv_format(), one, "\"y\"\""), Row{"22P04 unterminated CSV quoted field at 0"});
}

TEST(CsvFormat, EscapesOnlyQuotesAndEscapesInQuotes) {
  Format format = csv_format();
  format.quote = '\'';
  format.escape = '\\';
  EXPECT_EQ(decode_row(format, one, R"('a\'b\\c\n')"), (Row{R"(text a'b\c\n)"}));
  EXPECT_EQ(decode_row(format, one, R"(a\b)"), (Row{R"(text a\b)"}));
  EXPECT_EQ(decode_row(format, one, R"('a''b')"), (Row{"text ab"}));
  EXPECT_EQ(decode_row(format, one, R"('a\)"), Row{"22P04 unterminated CSV quoted field at 0"});
}

TEST(CsvFormat, NullIsUnquotedUnlessForced) {
  std::vector<Column> columns = {column("a"), column("b"), column("c"), column("d")};
  columns[1].force_null = true;
  columns[2].force_not_null = true;
  columns[3].force_null = columns[3].force_not_null = true;
  EXPECT_EQ(decode_row(csv_format(), columns, ",,,"), (Row{"null", "null", "text ", "text "}));
  EXPECT_EQ(decode_row(csv_format(), columns, R"("","","","")"), (Row{"text ", "null", "text ", "null"}));
  Format format = csv_format();
  format.null = "NULL";
  EXPECT_EQ(decode_row(format, columns, R"(NULL,"NULL",NULL,"NULL")"), (Row{"null", "null", "text NULL", "null"}));
  EXPECT_EQ(decode_row(format, two, R"(N"ULL",)"), (Row{"text NULL", "text "}));
}

TEST(CsvFormat, AnEmptyMessageIsOneEmptyField) {
  EXPECT_EQ(decode_row(csv_format(), two, ""), (Row{"null", "missing"}));
}

TEST(CsvFormat, FewerOrMoreFieldsAreErrorsOnlyWhenStrict) {
  EXPECT_EQ(decode_row(csv_format(), two, "x"), (Row{"text x", "missing"}));
  EXPECT_EQ(decode_row(csv_format(), two, "x,y,z"), (Row{"text x", "text y"}));
  EXPECT_EQ(decode_row(csv_format(true), two, "x"), Row{"22P04 missing data for column \"b\" at 1"});
  EXPECT_EQ(decode_row(csv_format(true), two, "x,y,"), Row{"22P04 extra data after last expected column"});
}

TEST(RawFormat, GivesTheWholeMessage) {
  Format raw;
  raw.kind = Format::Kind::raw;
  EXPECT_EQ(decode_row(raw, one, "a\tb\n"), (Row{"text a\tb\n"}));
  EXPECT_EQ(decode_row(raw, one, ""), (Row{"text "}));
  EXPECT_EQ(decode_row(raw, {column("a", Type::int4)}, "12"), (Row{"integer 12"}));
  EXPECT_EQ(decode_row(raw, {column("a", Type::bytea)}, "\\x\0\xff"s), (Row{"text \\x\0\xff"s}));
  EXPECT_EQ(decode_row(raw, {column("a", Type::json)}, "{}"), (Row{"input {}"}));
  EXPECT_EQ(decode_row(raw, {unneeded("a")}, "x"), (Row{"missing"}));
}

TEST(RawFormat, GivesItToEveryColumn) {
  Format raw;
  raw.kind = Format::Kind::raw;
  EXPECT_EQ(decode_row(raw, {column("a"), unneeded("b"), column("c", Type::int4)}, "7"),
            (Row{"text 7", "missing", "integer 7"}));
}

}  // namespace
}  // namespace kafka_fdw::decode
