"""Messages made to hurt, plans that the reader of such messages must fit into, and brokers that talk nonsense."""

import contextlib
import time

import psycopg
import pytest
from support import wait_for
from support.fake_broker import FakeBroker

TABLE = "SERVER pipeline_kafka OPTIONS (topic '{}', format 'json'"


def test_a_flood_of_headers_holds_nobody_up(db, broker, topic):
    name = topic()
    headers = [(f"h{number % 60000}", b"v") for number in range(100000)]
    broker.produce(name, {"value": "{}", "headers": headers}, settings={"message.max.bytes": 4_000_000})
    db.execute(f"CREATE FOREIGN TABLE flood (h jsonb OPTIONS (headers 'true')) {TABLE.format(name)})")
    begin = time.monotonic()
    assert db.value("SELECT count(*) FROM flood, jsonb_object_keys(h)") == 60000
    assert db.value("SELECT h -> 'h1' FROM flood") == ["v", "v"]
    assert time.monotonic() - begin < 20, "grouping headers must not compare each with each"


def test_bad_values_are_kept_beside_a_parallel_plan(db, broker, topic):
    """Before PostgreSQL 17 a subtransaction is refused while other workers run."""
    name = topic()
    broker.produce(name, '{"id": 1, "v": "short"}', '{"id": 2, "v": "much too long"}')
    db.execute(f"""CREATE FOREIGN TABLE junky (id int, v varchar(5)) {TABLE.format(name)}, ignore_junk 'true');
                   CREATE TABLE large AS SELECT i AS id FROM generate_series(1, 200000) i; ANALYZE large;
                   SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0""")
    query = "SELECT junky.id, v FROM junky JOIN large USING (id) ORDER BY 1"
    assert "Gather" in str(db.execute(f"EXPLAIN {query}"))
    assert db.execute(query) == [(1, "short"), (2, None)]


def test_a_missing_field_is_refused_by_a_domain_that_takes_no_null(db, broker, topic):
    name = topic()
    broker.produce(name, '{"id": 1}', '{}')
    db.execute(f"CREATE DOMAIN given AS int NOT NULL; CREATE FOREIGN TABLE strict_ids (id given) {TABLE.format(name)})")
    with pytest.raises(psycopg.errors.NotNullViolation, match="given") as error:
        db.execute("SELECT * FROM strict_ids")
    assert 'offset 1, column "id"' in error.value.diag.context


def test_a_long_list_can_be_cancelled_while_it_is_looked_at(db, broker, topic):
    name = topic()
    broker.produce(name, "{}")
    db.execute(f"""CREATE FOREIGN TABLE offsets (offs bigint OPTIONS ("offset" 'true')) {TABLE.format(name)});
                   CREATE TABLE list AS SELECT array_agg(g * 2) AS l FROM generate_series(0::bigint, 4000000) g""")
    query = "SELECT count(*) FROM offsets WHERE offs = ANY ((SELECT l FROM list)::bigint[])"

    def seconds():
        begin = time.monotonic()
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            assert db.execute(query) == [(1,)]
        return time.monotonic() - begin

    whole = min(seconds() for _ in range(2))
    db.execute(f"SET statement_timeout = {int(whole * 1000 / 3)}")
    assert min(seconds() for _ in range(3)) < whole * 0.8


NO_TEXT = b"bad\xff\xfe"


@pytest.fixture
def fake(bare_db):
    """A server whose broker is none: its topics and its reason for letting nobody in are no text."""
    with contextlib.closing(FakeBroker(topics=[b"good", NO_TEXT], refusal=b"never " + NO_TEXT)) as broker:
        bare_db.execute(f"""CREATE EXTENSION kafka_fdw;
            CREATE SERVER fake FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '{broker.bootstrap}');
            CREATE SERVER closed FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '{broker.bootstrap}',
              "security.protocol" 'sasl_plaintext', "sasl.mechanism" 'PLAIN');
            CREATE USER MAPPING FOR CURRENT_USER SERVER closed OPTIONS ("sasl.username" 'somebody', "sasl.password" 'secret');
            CREATE FOREIGN TABLE bad (id int) SERVER closed OPTIONS (topic 'bad');
            CREATE TABLE stream (id int)""")
        yield bare_db


def test_names_of_topics_that_are_no_text_are_shown_as_bytes(fake):
    assert fake.execute("SELECT topic FROM kafka_topics('fake')") == [("\\x" + NO_TEXT.hex(),), ("good",)]


def test_words_of_a_broker_that_are_no_text_can_be_read(fake):
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification, match=r"never bad\?\?"):
        fake.execute("SELECT * FROM bad")
    detail = fake.value("SELECT detail FROM kafka_check('bad', 'closed') WHERE step = 'log in'")
    assert "never bad??" in detail


def test_the_state_of_a_consumer_tells_such_words(fake):
    fake.execute("SELECT kafka_consume_begin('stream', 'bad', server => 'closed')")
    error = wait_for(lambda: fake.value("SELECT last_error FROM kafka_stat_consumers"), what="the error of the consumer")
    assert "never bad??" in error
