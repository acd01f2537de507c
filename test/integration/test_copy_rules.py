"""Formats text and csv against COPY itself: the same rows, and errors for the same messages."""

import random

import psycopg
import pytest
from psycopg import sql
from support.copying import CopyReference

SEED = 20261122
LINES = 500  # of each variant
HARD_ERRORS = 25  # of each variant, one query each

COLUMNS = [("n", "int"), ("t", "text"), ("q", "numeric"), ("ts", "timestamp"), ("b", "bool"), ("l", "text[]")]

GOOD = {
    "int": [b"0", b"-1", b"2147483647", b" 12 ", b"+7"],
    "text": [b"", b"a", b"two words", "zwölf €".encode(), "\U0001f600".encode(), b"NULL", b"  ", b"n/a"],
    "numeric": [b"1.50", b"-0.0001", b"NaN", b"1e3", b"123456789012345678901234567890.5"],
    "timestamp": [b"2026-11-22 10:11:12", b"infinity", b"2026-11-22T10:11:12.123456", b"1999-12-31"],
    "bool": [b"t", b"false", b"on", b"0", b"YES"],
    "text[]": [b"{}", b"{a,b}", b'{"x y",NULL}', b"{{1,2},{3,4}}"],
}
BAD = [b"x1", b"2147483648", b"{", b"13-13-13", b"1.2.3", b"--", b"1 2", b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80",
       b"\xf4\x90\x80\x80", b"\xc0\xaf", b"a\x00b"]
PIECES = [b"\\N", b"\\", b"\\\\", b"\\n", b"\\t", b"\\b\\f\\v\\r", b"\\101", b"\\7", b"\\777", b"\\08", b"\\x41", b"\\x4",
          b"\\xg", b"\\x", b"\\xc3\\xa9", b"\\xc3", b"\\303\\251", b"\\0", b"\\000", b"\\x00", b"\\q", b"\\.x", b"\n",
          b"\r", b"\r\n", b"\t", b",", b"|", b";", b'"', b"'", b"~", b'""', b"", b"\\\n", b"\\\t", b"\\,", b"\\|", b"\\N\\N",
          "é".encode(), "日本".encode()]

VARIANTS = {
    "text": ("text", {}, {}),
    "text_comma": ("text", {"delimiter": ","}, {}),
    "text_pipe_null": ("text", {"delimiter": "|", "null": "n/a"}, {}),
    "text_empty_null": ("text", {"null": ""}, {}),
    "text_null_with_backslash": ("text", {"delimiter": ";", "null": "\\q"}, {}),
    "csv": ("csv", {}, {}),
    "csv_semicolon": ("csv", {"delimiter": ";"}, {}),
    "csv_tab_null": ("csv", {"delimiter": "\t", "null": "NULL"}, {}),
    "csv_single_quote": ("csv", {"quote": "'", "escape": "\\"}, {}),
    "csv_backslash_escape": ("csv", {"escape": "\\", "null": "\\N"}, {}),
    "csv_force": ("csv", {"null": "n/a"}, {"force_null": ["t", "l"], "force_not_null": ["t", "n"]}),
    "csv_force_empty": ("csv", {}, {"force_null": ["n", "t"], "force_not_null": ["t", "q"]}),
}


def quoted(field, quote, escape, rng):
    if rng.random() < 0.96:  # else broken on purpose
        if escape != quote:
            field = field.replace(escape, escape * 2)
        field = field.replace(quote, escape + quote)
    return quote + field + quote


def generate_field(type_name, options, rng):
    field = rng.choice(GOOD[type_name])
    chance = rng.random()
    if chance < 0.08:
        field = options.get("null", "\\N" if options["format"] == "text" else "").encode()
    elif chance < 0.10:
        field = rng.choice(BAD)
    elif chance < 0.19:
        place = rng.randint(0, len(field))
        field = field[:place] + rng.choice(PIECES) + field[place:]
    elif chance < 0.21:
        field = b"".join(rng.choices(PIECES, k=rng.randint(1, 4)))
    return field


def generate_line(options, rng):
    quote, delimiter = options.get("quote", '"').encode(), options.get("delimiter", "\t").encode()
    escape = options.get("escape", options.get("quote", '"')).encode()
    count = len(COLUMNS)
    if rng.random() < 0.08:
        count += rng.choice([-6, -2, -1, 1, 2])
    fields = []
    for number in range(count):
        field = generate_field(COLUMNS[number % len(COLUMNS)][1], options, rng)
        if options["format"] == "csv" and rng.random() < (0.9 if delimiter in field else 0.2):
            field = quoted(field, quote, escape, rng)
        elif options["format"] == "csv" and rng.random() < 0.03:
            field = b"ab" + quoted(field, quote, escape, rng) + b"cd"
        elif options["format"] == "text" and rng.random() < 0.5:
            field = field.replace(delimiter, b"\\" + delimiter)
        fields.append(field)
    return delimiter.join(fields) + rng.choices([b"", b"\n", b"\r\n", b"\r"], [6, 2, 1, 0.3])[0]


def ends_a_copy(line):
    r"""COPY takes \. at the end of a line for the end of its input; a message has no such thing."""
    return any(part.endswith(b"\\.") for part in line.replace(b"\r", b"\n").split(b"\n"))


def generate(options, rng):
    lines = [b"", b"\n", b"\r\n", b"\\", b"\\N"]
    while len(lines) < LINES:
        line = generate_line(options, rng)
        if not ends_a_copy(line):
            lines.append(line)
    return lines


def foreign_table(name, topic, options, forced, kept_errors):
    columns = [sql.SQL("offs bigint OPTIONS (\"offset\" 'true')")]
    for column, type_name in COLUMNS:
        force = [f"{option} 'true'" for option, names in forced.items() if column in names]
        columns.append(sql.SQL("{} {} {}").format(
            sql.Identifier(column), sql.SQL(type_name), sql.SQL(f"OPTIONS ({', '.join(force)})" if force else "")))
    if kept_errors:
        columns.append(sql.SQL("err text OPTIONS (junk_error 'true')"))
    table_options = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(option), sql.Literal(value))
                                       for option, value in options.items())
    return sql.SQL("CREATE FOREIGN TABLE {} ({}) SERVER pipeline_kafka OPTIONS (topic {}, strict 'true', {})").format(
        sql.Identifier(name), sql.SQL(", ").join(columns), sql.Literal(topic), table_options)


SHOWN = ", ".join(f"{column}::text" for column, _ in COLUMNS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_and_errors_are_those_of_copy(variant, db, broker, topic):
    file_format, chosen, forced = VARIANTS[variant]
    options = {"format": file_format, "delimiter": "\t" if file_format == "text" else ",", **chosen}
    print("seed", SEED, variant)
    lines = generate(options, random.Random(f"{SEED} {variant}"))
    session = db.connect(options="-c log_min_messages=panic")
    expected = CopyReference(session, "copied", COLUMNS, options | forced).outcomes(lines)
    good = {offset: row for offset, row in enumerate(expected) if isinstance(row, tuple)}
    bad = [offset for offset in range(len(lines)) if offset not in good]
    assert len(good) > LINES / 5 and len(bad) > LINES / 10, "the generator lost its balance"

    name = topic()
    broker.produce(name, *lines)
    session.execute(foreign_table("kept", name, options, forced, True))
    session.execute(foreign_table("raised", name, options, forced, False))

    found = {row[0]: row[1:] for row in session.execute(f"SELECT offs, err, {SHOWN} FROM kept").fetchall()}
    assert sorted(found) == list(range(len(lines)))
    wrong = [(lines[offset], expected[offset], found[offset]) for offset in range(len(lines))
             if (found[offset][0] is None) != (offset in good) or (offset in good and found[offset][1:] != good[offset])]
    assert not wrong, f"{len(wrong)} of {len(lines)} differ: message, by COPY, by the foreign table; seed {SEED}"

    rows = session.execute(f"SELECT offs, {SHOWN} FROM raised WHERE offs = ANY (%s)", [list(good)]).fetchall()
    assert {row[0]: row[1:] for row in rows} == good

    for offset in random.Random(SEED).sample(bad, HARD_ERRORS):
        with pytest.raises(psycopg.Error) as raised:
            session.execute(f"SELECT {SHOWN} FROM raised WHERE offs = %s", [offset])
        assert raised.value.sqlstate.startswith("22"), lines[offset]
        assert f'topic "{name}", partition 0, offset {offset}' in raised.value.diag.context
