"""Typed fields against PostgreSQL's own input functions, and what JSON may hold that no type has."""

import json
import random

import psycopg
import pytest
from psycopg import sql
from support.copying import CopyReference

SEED = 20261122
MUTATIONS = 60  # of each type

INTEGERS = ["0", "-0", "+1", " 42 ", "1_000", "0x10", "007", "1.0", "1e2", "-", "", " ", "32767", "32768", "-32768", "-32769",
            "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
            "-9223372036854775808", "-9223372036854775809", "99999999999999999999999", "1 2", "١"]
FLOATS = ["0", "-0", "+.5", "1.", ".", "1e400", "-1e400", "1e-400", "3.4028235e38", "3.5e38", "1e-45", "1e-46", "4.9e-324",
          "2.2250738585072014e-308", "0.1", "1.7976931348623157e308", "1.7976931348623159e308", "NaN", "nan", "inf",
          "-Infinity", "infinit", "1e", "1e+", "0x1p3", " 1.5 ", "1.5x", "", "16777217", "9007199254740993"]
MOMENTS = ["2026-11-22", "2026-11-22 10:11:12", "2026-11-22T10:11:12Z", "2026-11-22T10:11:12.123456789+02", "11/22/2026",
           "22/11/2026", "22.11.2026", "Nov 22 2026", "2026-11-22 24:00:00", "2026-11-22 23:59:60", "2026-11-22 25:00",
           "2026-02-29", "2024-02-29", "1900-02-29", "0001-01-01 BC", "4714-11-24 BC", "4714-11-23 BC", "294276-12-31",
           "294277-01-01", "5874897-12-31", "infinity", "-infinity", "now-ish", "epoch", "2026-11-22 10:11:12 Europe/Berlin",
           "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-11-22 10:11:12-15:59", "2026-11-22 10:11:12+16:00",
           "2026-11-22 10:11:12.9999995", "2026-11-22T10:11", "2026-11-22 10", "20261122", "20261122T101112", "2026-326", "",
           "2026-1-2", "26-11-22", "10000-01-01", "2026-11-22 10:11:12 PM", "1970-01-01 00:00:00+00", "1893-04-01 00:00:00",
           "2026-13-01", "2026-00-10", "2026-11-00", "2026-11-22 10:60:00", "2026-11-22 10:11:61", "2026-11-22T10:11:12z"]
TEXTS = {
    "int2": INTEGERS, "int4": INTEGERS, "int8": INTEGERS, "float4": FLOATS + INTEGERS, "float8": FLOATS + INTEGERS,
    "bool": ["t", "f", "true", "FALSE", " yes ", "n", "no", "on", "off", "of", "o", "1", "0", "2", "", "truee", "10", "y "],
    "numeric": FLOATS + INTEGERS + ["1.10", "1e1000", "1e200000", "-" + "9" * 60 + "." + "1" * 40, "1..2", "0.000", "-0.0"],
    "numeric(6,2)": FLOATS + ["1.005", "9999.99", "9999.995", "10000", "-0.004"],
    "date": MOMENTS, "timestamp": MOMENTS, "timestamptz": MOMENTS, "timestamp(3)": MOMENTS, "time": ["10:11", "24:00", "25:00"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
             "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "a0eebc99", "",
             "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 ", "a0eebc99_9c0b-4ef8-bb6d-6bb9bd380a11"],
    "text": ["", " ", "plain", "zwölf €\U0001f600", "\t\n\r\x01\x7f", "\\", '"', "a" * 3000],
    "varchar(5)": ["", "12345", "123456", "12345   ", "äöüßé", "äöüßéx", "\U0001f600" * 5, "\U0001f600" * 6],
    "char(3)": ["", "ab", "abc", "abcd", "abc  ", "äö"],
    "bit(3)": ["101", "10", "1011", "B101", "x5", "12", ""], "varbit(4)": ["", "1", "1011", "10110", "2"],
    "numeric(10,2)": INTEGERS + ["99999999.994", "99999999.995", "1e7", "-0.001"], "time(0)": ["10:11:12.5", "23:59:59.9", "24:00:01"],
    "timestamp(0)": MOMENTS, "timestamptz(0)": MOMENTS,
    "interval": ["1 day", "P1Y2M3DT4H5M6S", "-3:04", "1.5 weeks", "1 dya", "", "infinity", "10 years -3 mons", "1-2"],
    "interval hour to second(1)": ["1 day 2:03:04.56", "4", "1-2", "x", ""],
    "jsonb": ['{"a": 1}', "[1, 2", "1e400", "null", '"x"', "", "{}", '{"a":1,"a":2}', '"\\u0000"', '"\\ud800"', "tru"],
    "json": ['{"a": 1}', "[1, 2", "1e400", "null", '"x"', "", ' {"b" : 2} ', '{"a":1,"a":2}', "'x'"],
    "cidr": ["10.0.0.0/8", "10.0.0.1/8", "::/0", ""], "macaddr": ["08:00:2b:01:02:03", "08002b010203", "08002b01020"],
    "int4range": ["[1,5)", "empty", "[5,1]", "(,3]", "[1", "[a,b]", " [1 , 5 ] "],
    "tstzrange": ["[2026-01-01,2026-02-01)", "(,)", "[x,y]", ""], "int4multirange": ["{[1,2),[4,5)}", "{}", "{[2,1]}", ""],
    "point": ["(1,2)", "1,2", "(1)", ""], "box": ["(1,2),(3,4)", "1,2,3,4", "(1,2)", ""],
    "polygon": ["((0,0),(1,1),(1,0))", "(0,0),(1", "x"], "cube": ["(1,2),(3,4)", "1,2", "[1,2],[3]", "(1", ""],
    "tsvector": ["a b:2A", "'it''s'", "a:b", "'"], "xml": ["<a>x</a>", "<a>", "plain", "<a/><b/>"],
    "regtype": ["int4", "integer", "no_such_type", "numeric(3"], "pg_lsn": ["16/B374D848", "0/0", "G/0"],
    "pair": ["(1,a)", "(,)", '(2,"b c")', "(1)", "(x,y)", ""], "pair[]": ['{"(1,a)","(2,b)"}', "{NULL}", '{"(1)"}', "{"],
    "mood[]": ["{sad,ok}", "{}", "{glad}", ""], "numbers": ["{1,2}", "{}", "{1,2,3,4}", "{x}"],
    "inet": ["10.0.0.1", "10.0.0.0/8", "::1", "256.1.1.1", "", "fe80::1%eth0"],
    "int4[]": ["{}", "{1,2}", "{1,NULL}", "{{1},{2}}", "{1,x}", "1,2", "{1,2", "[2:3]={5,6}"],
    "bytea": ["\\x00ff", "\\xzz", "abc", "\\000\\134", "\\0", ""],
    "mood": ["sad", "ok", "happy", "Sad", "", "sad "],
    "positive": ["1", "0", "-1", "x", "2147483648"],
}
SETTINGS = [
    {"DateStyle": "ISO, MDY", "TimeZone": "UTC"},
    {"DateStyle": "SQL, DMY", "TimeZone": "Europe/Berlin"},
    {"DateStyle": "German, YMD", "TimeZone": "America/St_Johns", "IntervalStyle": "iso_8601"},
]
TYPES = """CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > 0) NOT NULL;
           CREATE TYPE pair AS (number int, word text); CREATE DOMAIN numbers AS int[] CHECK (cardinality(VALUE) < 4);
           CREATE EXTENSION cube"""
LETTERS = "0123456789+-.:eETZ, /x\"'{}äN"


def mutate(text, rng):
    place = rng.randint(0, len(text))
    chance = rng.random()
    if chance < 0.4:
        return text[:place] + rng.choice(LETTERS) + text[place:]
    if chance < 0.7:
        return text[:place] + text[place + 1:]
    return text[:place] + rng.choice(LETTERS) + text[place + 1:]


def texts_of(type_name):
    rng = random.Random(f"{SEED} {type_name}")
    texts = list(TEXTS[type_name])
    short = [text for text in texts if len(text) < 200]
    return texts + [mutate(rng.choice(short), rng) for _ in range(MUTATIONS)]


def csv_field(text):
    return ('"' + text.replace('"', '""') + '"').encode()


def json_field(text):
    return json.dumps({"v": text}, ensure_ascii=False).encode()


class Cases:
    """One topic with every text of every type, once for each format."""

    def __init__(self, broker, topic):
        self.texts = {type_name: texts_of(type_name) for type_name in TEXTS}
        self.first, self.topics = {}, {"csv": topic(), "json": topic()}
        everything = []
        for type_name, texts in self.texts.items():
            self.first[type_name] = len(everything)
            everything += texts
        broker.produce(self.topics["csv"], *map(csv_field, everything))
        broker.produce(self.topics["json"], *map(json_field, everything))

    def make_tables(self, session):
        for number, type_name in enumerate(self.texts):
            for file_format, name in self.topics.items():
                session.execute(sql.SQL("""
                    CREATE FOREIGN TABLE {} (offs bigint OPTIONS ("offset" 'true'), v {}, err text OPTIONS (junk_error 'true'))
                    SERVER pipeline_kafka OPTIONS (topic {}, format {})""").format(
                        sql.Identifier(f"{file_format}_{number}"), sql.SQL(type_name), sql.Literal(name),
                        sql.Literal(file_format)))

    def found(self, session, file_format, number, type_name):
        first, count = self.first[type_name], len(self.texts[type_name])
        rows = session.execute(f"SELECT v::text, err FROM {file_format}_{number} WHERE offs BETWEEN %s AND %s ORDER BY offs",
                               [first, first + count - 1]).fetchall()
        return ["error" if error else value for value, error in rows]


def expected_values(session, type_name, texts):
    reference = CopyReference(session, f"copied {type_name}", [("v", type_name)], {"format": "csv", "null": "nothing at all"})
    return [outcome[0] if isinstance(outcome, tuple) else "error" for outcome in reference.outcomes(map(csv_field, texts))]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings["DateStyle"])
def test_values_and_errors_are_those_of_the_input_functions(settings, db, broker, topic):
    print("seed", SEED)
    cases = Cases(broker, topic)
    session = db.connect(options="-c log_min_messages=panic")
    session.execute(TYPES)
    cases.make_tables(session)
    for name, value in settings.items():
        session.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    wrong = []
    for number, (type_name, texts) in enumerate(cases.texts.items()):
        expected = expected_values(session, type_name, texts)
        assert {"error"} < set(expected) or type_name in ("text",), f"the texts of {type_name} lost their balance"
        for file_format in ("csv", "json"):
            if file_format == "json" and type_name in ("json", "jsonb"):
                continue  # a JSON string stays one there
            found = cases.found(session, file_format, number, type_name)
            wrong += [(file_format, type_name, *case) for case in zip(texts, expected, found, strict=True)
                      if case[1] != case[2]]
    assert not wrong, f"{len(wrong)} differ: format, type, text, by the input function, by the foreign table"


JSON_TABLE = """CREATE FOREIGN TABLE t (i int, b bigint, f float8, n numeric, t text, j jsonb, o bool, x int OPTIONS (field '/a/b'))
                SERVER pipeline_kafka OPTIONS (topic {})"""
DEEP = b'{"t": ' + b"[" * 1023 + b"]" * 1023 + b"}"
TOO_DEEP = b'{"t": ' + b"[" * 1024 + b"]" * 1024 + b"}"

# message, column, its value as text
JSON_VALUES = [
    (b'\xef\xbb\xbf{"i": 1}', "i", "1"),
    (b'{"i": 1, "i": 2}', "i", "2"),
    (b'{"a": {"b": 1}, "a": {"b": 2}}', "x", "2"),
    (b'{"a": {"b": 1}, "a": {}}', "x", None),
    (b'{"a": 7}', "x", None),
    (b'{"i": null}', "i", None),
    (b"{}", "i", None),
    (b' {"i": 1} \n', "i", "1"),
    (b'{"i": "12"}', "i", "12"),
    (b'{"i": -0}', "i", "0"),
    (b'{"o": true}', "o", "true"),
    (b'{"o": "off"}', "o", "false"),
    (b'{"t": true}', "t", "true"),
    (b'{"t": 1.50}', "t", "1.50"),
    (b'{"t": [1, {"a": "\\u00e9"}]}', "t", '[1, {"a": "\\u00e9"}]'),
    (b'{"j": {"a":1, "a":2}}', "j", '{"a": 2}'),
    (b'{"j": "x"}', "j", '"x"'),
    (b'{"j": 1e400}', "j", "1" + "0" * 400),
    (b'{"n": 1e400}', "n", "1" + "0" * 400),
    (b'{"n": 0.10000000000000000000000000000000000001}', "n", "0.10000000000000000000000000000000000001"),
    (b'{"n": 12345678901234567890123}', "n", "12345678901234567890123"),
    (b'{"f": 0.1}', "f", "0.1"),
    (b'{"b": 9223372036854775807}', "b", "9223372036854775807"),
    (b'{"\\u0069": 3}', "i", "3"),
    (b'{"t": "\\ud83d\\ude00\\n"}', "t", "\U0001f600\n"),
    (DEEP, "t", "[" * 1023 + "]" * 1023),
    (None, "i", None),
]
# message, column, SQLSTATE, column that the error names (None: it is the whole message's)
JSON_ERRORS = [
    (b'{"t": "a\\u0000b"}', "t", "22P05", "t"),
    (b'{"j": "a\\u0000b"}', "j", "22P05", "j"),
    (b'{"t": "\xff"}', "t", "22021", None),
    (b'{"t": "\xc0\x80"}', "t", "22021", None),
    (b'{"t": "\xed\xa0\x80"}', "t", "22021", None),
    (b'{"i": 1, "k": "\xff"}', "i", "22021", None),
    (b'{"t": "a\x00b"}', "t", "22P02", None),
    (b'{"t": "\\ud800"}', "t", "22P02", "t"),
    (TOO_DEEP, "t", "54001", "t"),
    (b'{"f": 1e400}', "f", "22003", "f"),
    (b'{"i": 2147483648}', "i", "22003", "i"),
    (b'{"b": 9223372036854775808}', "b", "22003", "b"),
    (b'{"i": 1.5}', "i", "22P02", "i"),
    (b'{"i": true}', "i", "22P02", "i"),
    (b'{"o": 2}', "o", "22P02", "o"),
    (b'{"i": {}}', "i", "22P02", "i"),
    (b'{"i": "x"}', "i", "22P02", "i"),
    (b"", "i", "22P02", None),
    (b"  ", "i", "22P02", None),
    (b"[1]", "i", "22P02", None),
    (b"1", "i", "22P02", None),
    (b'{"i": 1', "i", "22P02", None),
    (b'{"i": 1}}', "i", "22P02", None),
    (b'{"i": 01}', "i", "22P02", "i"),
    (b'{"i": }', "i", "22P02", None),
]


NESTED = {
    "int4[]": ["[]", "[1, null, 3]", "[[1, 2], [3, 4]]", "[[1], [2, 3]]", '["7", "x"]', "{}", "[1.5]"],
    "text[]": ['["a", "b\\u00e9\\n", null]', '[{"a": 1}, [2], true]', '["\\u0000"]', '["\\ud800"]'],
    "mood[]": ['["sad", "ok"]', '["glad"]'], "jsonb[]": ['[{"a": 1}, 2]'], "varchar(2)[]": ['["ab", "a"]', '["abc"]'],
    "numbers": ["[1, 2]", "[1, 2, 3, 4]"], "numeric(4,1)[]": ["[1.25, 12345]", "[1.25]"],
    "pair": ['{"number": 1, "word": "a"}', '{"word": ["b"], "more": 1}', "{}", '{"number": "x"}', "[1]"],
    "pair[]": ['[{"number": 1}, {"word": "b"}, null]', "[1]"],
    "nest": ['{"pairs": [{"number": 1}], "inside": {"word": "x"}, "given": 5}', '{"given": 0}', '{"pairs": 1, "given": 1}', "{}"],
}


def test_json_arrays_and_objects_are_converted_as_by_json_populate_record(db, broker, topic):
    name = topic()
    cases = [(type_name, text) for type_name, texts in NESTED.items() for text in texts]
    broker.produce(name, *(f'{{"v": {text}}}' for _, text in cases))
    session = db.connect(options="-c log_min_messages=panic")
    session.execute(TYPES + "; CREATE TYPE nest AS (pairs pair[], inside pair, given positive)")
    for offset, (type_name, text) in enumerate(cases):
        session.execute(f"""DROP TYPE IF EXISTS holder; CREATE TYPE holder AS (v {type_name}); DROP FOREIGN TABLE IF EXISTS t;
                            CREATE FOREIGN TABLE t (offs bigint OPTIONS ("offset" 'true'), v {type_name})
                            SERVER pipeline_kafka OPTIONS (topic '{name}')""")
        try:
            expected = session.execute("SELECT (json_populate_record(NULL::holder, %s::json)).v::text", [f'{{"v": {text}}}']).fetchone()
        except psycopg.Error as error:
            with pytest.raises(type(error)) as raised:
                session.execute("SELECT v FROM t WHERE offs = %s", [offset])
            assert f'offset {offset}, column "v"' in raised.value.diag.context, (type_name, text)
            session.execute("ALTER FOREIGN TABLE t OPTIONS (ignore_junk 'true')")
            expected = (None,)
        assert session.execute("SELECT v::text FROM t WHERE offs = %s", [offset]).fetchone() == expected, (type_name, text)


def test_json_arrays_and_objects_for_other_types_are_text_to_their_input_function(db, broker, topic):
    name = topic()
    broker.produce(name, '{"v": [1, 2]}')
    for type_name, expected in {"text": "[1, 2]", "json": "[1, 2]", "path": "[(1,2)]", "int4range": "[1,3)",
                                "inet": None}.items():
        db.execute(f"""DROP FOREIGN TABLE IF EXISTS t; CREATE FOREIGN TABLE t (v {type_name}) SERVER pipeline_kafka
                       OPTIONS (topic '{name}', ignore_junk 'true')""")
        assert db.value("SELECT v::text FROM t") == expected, type_name


@pytest.fixture
def json_table(db, broker, topic):
    def make(messages):
        name = topic()
        broker.produce(name, *messages)
        db.execute(sql.SQL(JSON_TABLE).format(sql.Literal(name)))
        db.execute(sql.SQL("CREATE FOREIGN TABLE m (offs bigint OPTIONS (\"offset\" 'true')) SERVER pipeline_kafka "
                           "OPTIONS (topic {})").format(sql.Literal(name)))
        db.execute("ALTER FOREIGN TABLE t ADD offs bigint OPTIONS (\"offset\" 'true')")
        return name
    return make


def test_json_values(db, json_table):
    json_table([message for message, _, _ in JSON_VALUES])
    for offset, (message, column, expected) in enumerate(JSON_VALUES):
        assert db.value(f"SELECT {column}::text FROM t WHERE offs = %s", [offset]) == expected, message


def test_json_errors_name_place_and_value(db, json_table):
    name = json_table([message for message, _, _, _ in JSON_ERRORS])
    assert db.value("SELECT count(*) FROM t") == len(JSON_ERRORS)  # decodes nothing
    for offset, (message, column, sqlstate, named) in enumerate(JSON_ERRORS):
        with pytest.raises(psycopg.Error) as raised:
            db.execute(f"SELECT {column} FROM t WHERE offs = %s", [offset])
        error = raised.value
        place = f'topic "{name}", partition 0, offset {offset}' + (f', column "{named}"' if named else "")
        assert error.sqlstate == sqlstate, (message, str(error))
        assert place in error.diag.context.split("\n"), (message, error.diag.context)
        assert error.diag.message_detail, message
        assert len(error.diag.message_detail) < 300, message
    assert db.value("SELECT 1") == 1  # the database took no harm


def test_a_tombstone_gives_null_in_every_field(db, broker, topic):
    name = topic()
    broker.produce(name, {"value": None, "key": "k"}, {"value": b"", "key": "k"})
    for number, options in enumerate(["format 'json', ignore_junk 'true'", "format 'text'", "format 'csv', strict 'true'"]):
        db.execute(f"""CREATE FOREIGN TABLE t{number} (offs bigint OPTIONS ("offset" 'true'), a int, b text,
                       raw text OPTIONS (junk 'true'), why text OPTIONS (junk_error 'true'), gone bool OPTIONS (tombstone 'true'))
                       SERVER pipeline_kafka OPTIONS (topic '{name}', {options})""")
        assert db.execute(f"SELECT a, b, raw, why, gone FROM t{number} WHERE offs = 0") == [(None, None, None, None, True)]
        (_, _, raw, why, gone), = db.execute(f"SELECT a, b, raw, why, gone FROM t{number} WHERE offs = 1")
        assert (raw, gone) == ("", False) and why


def test_the_shown_value_is_cut_between_characters(db, broker, topic):
    name = topic()
    broker.produce(name, "ä" * 500)
    db.execute(f"CREATE FOREIGN TABLE t (a int) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text')")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
        db.execute("SELECT * FROM t")
    detail = raised.value.diag.message_detail
    assert "ä" * 40 in detail and len(detail) < 150
