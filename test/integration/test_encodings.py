"""Databases whose encoding is not UTF-8: what is shown of a message is text that can be stored and read again."""

import contextlib

import psycopg
import pytest

# What the encoding has, and what it has not.
ENCODINGS = {"LATIN1": ("größe", "ключ€"), "EUC_JP": ("鍵ключ", "a€"), "SQL_ASCII": ("größe€", None)}


@pytest.fixture(params=ENCODINGS)
def encoded(pg, broker, request):
    """A database of the encoding, and what its encoding has and has not."""
    database = pg.create_database(encoding=request.param)
    with contextlib.ExitStack() as stack:
        stack.callback(database.drop)
        database.use_broker(broker)
        database.execute("SET client_encoding = 'UTF8'")
        yield database, *ENCODINGS[request.param]


def question_marks(text, known):
    return "".join(c if c in known or c.isascii() else "?" for c in text)


def test_the_reason_of_junk_can_be_stored_and_read(encoded, broker, topic):
    database, known, unknown = encoded
    name = topic()
    keys = [known] + ([unknown, known[0] + unknown] if unknown else [])
    broker.produce(name, *['{"a": "x", "%s": 1}' % key for key in keys])
    database.execute(f"""CREATE FOREIGN TABLE t (offs bigint OPTIONS ("offset" 'true'), a text,
                           why text OPTIONS (junk_error 'true'))
                         SERVER pipeline_kafka OPTIONS (topic '{name}', format 'json', strict 'true');
                         CREATE TABLE kept AS SELECT why FROM t ORDER BY offs""")
    reasons = [why for (why,) in database.execute("SELECT why FROM kept")]
    assert reasons == [f'extra field "{question_marks(key, known)}"' for key in keys]


def test_errors_about_fields_are_text(encoded, broker, topic):
    database, known, unknown = encoded
    json, text = topic(), topic()
    broker.produce(json, '{"a": "x", "%s": 1}' % (unknown or known), "{}")
    broker.produce(text, "1")
    for table, options in [("extra", f"topic '{json}', format 'json', start '0'"),
                           ("missing", f"topic '{json}', format 'json', start '1'"),
                           ("columns", f"topic '{text}', format 'text'")]:
        database.execute(f"""CREATE FOREIGN TABLE {table} (a text, "{known}" text)
                             SERVER pipeline_kafka OPTIONS ({options}, strict 'true')""")
    for table, message in [("missing", 'missing field "a"'), ("columns", f'missing data for column "{known}"')]:
        with pytest.raises(psycopg.Error) as raised:
            database.execute(f"SELECT * FROM {table}")
        assert raised.value.diag.message_primary == message
    if unknown:
        with pytest.raises(psycopg.Error) as raised:
            database.execute("SELECT * FROM extra")
        assert raised.value.diag.message_primary == f'extra field "{question_marks(unknown, known)}"'


def test_headers_are_text_where_the_encoding_has_their_characters(encoded, broker, topic):
    database, known, unknown = encoded
    name = topic()
    headers = [("ascii", b"plain"), ("known", known.encode()), ("bytes", b"\xff\x00")]
    expected = {"ascii": "plain", "known": known, "bytes": "\\xff00"}
    if unknown:
        headers.append(("unknown", unknown.encode()))
        expected["unknown"] = "\\x" + unknown.encode().hex()
    broker.produce(name, {"value": "1", "headers": headers})
    database.execute(f"""CREATE FOREIGN TABLE t (h jsonb OPTIONS (headers 'true')) SERVER pipeline_kafka
                         OPTIONS (topic '{name}')""")
    shown = {key: database.value("SELECT h ->> %s FROM t", [key]) for key in expected}
    assert shown == expected
