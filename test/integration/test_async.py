"""Several topics under one Append are waited for side by side."""

import contextlib
import os
import signal
import time

import psycopg
import pytest
from support import Broker

TOPICS = 4
QUERY = "SELECT count(*), count(DISTINCT (t, n)), sum(n) FROM events"


def create_tables(database, topics, server="pipeline_kafka"):
    database.execute("CREATE TABLE events (t int, n int) PARTITION BY LIST (t)")
    for number, topic in enumerate(topics):
        database.execute(f"CREATE FOREIGN TABLE events_{number} (t int, n int) SERVER {server} OPTIONS (topic '{topic}')")
        database.execute(f"ALTER TABLE events ATTACH PARTITION events_{number} FOR VALUES IN ({number})")


def fill(broker, topics, count):
    for number, topic in enumerate(topics):
        broker.produce(topic, *(f'{{"t": {number}, "n": {n}}}' for n in range(count)))


@contextlib.contextmanager
def stopped(process):
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.fixture
def topics(broker, topic):
    return [topic(partitions=2) for _ in range(TOPICS)]


def test_all_rows_of_all_topics_come(db, broker, topics):
    fill(broker, topics, 20_000)
    create_tables(db, topics)
    plan = db.execute(f"EXPLAIN (COSTS off) {QUERY}")
    assert sum("Async Foreign Scan" in line for line, in plan) == TOPICS
    with db.connect() as session:
        session.execute("SET kafka_fdw.fetch_buffer = '1MB'")
        for where in ["true", "n % 7 = 0", "n < 0", "t = 1", "n = (SELECT 17)"]:
            expected = [(t, n) for t in range(TOPICS) for n in range(20_000)
                        if eval(where.replace("(SELECT 17)", "17").replace(" = ", " == "), {"true": True, "t": t, "n": n})]
            total = sum(n for _, n in expected) if expected else None
            assert session.execute(f"{QUERY} WHERE {where}").fetchone() == (len(expected), len(expected), total), where
        assert len(session.execute("SELECT * FROM events LIMIT 11").fetchall()) == 11
        rows = session.execute("SELECT v, (SELECT count(*) FROM events WHERE n < v OFFSET 0) FROM (VALUES (3), (0), (9)) x(v)")
        assert rows.fetchall() == [(3, 3 * TOPICS), (0, 0), (9, 9 * TOPICS)]


def test_a_topic_that_does_not_exist_is_an_error(db, broker, topics):
    fill(broker, topics, 10)
    create_tables(db, [*topics[:-1], "no-such-topic"])
    with pytest.raises(psycopg.errors.UndefinedObject, match="no-such-topic"):
        db.execute(QUERY)
    assert db.value(f"SELECT count(*) FROM events WHERE t < {TOPICS - 1}") == 10 * (TOPICS - 1)


@pytest.fixture
def stalled(db, broker, topics):
    """Two topics of the shared broker, and one of a broker that stops before anything is read."""
    with contextlib.closing(Broker()) as other:
        other.create_topic("slow")
        other.produce("slow", *('{"t": 2, "n": 1}' for _ in range(10)))
        fill(broker, topics[:2], 10)
        create_tables(db, topics[:2])
        db.execute(f"CREATE SERVER other FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '{other.bootstrap}')")
        db.execute("CREATE FOREIGN TABLE events_2 (t int, n int) SERVER other OPTIONS (topic 'slow')")
        db.execute("ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES IN (2)")
        with stopped(other.pid):
            yield db


def test_a_broker_that_does_not_answer_is_an_error_within_the_timeout(stalled):
    stalled.execute("SET kafka_fdw.connect_timeout = '1 s'")
    with pytest.raises(psycopg.OperationalError) as error:
        stalled.execute(QUERY)
    assert error.value.sqlstate == "08006" and 'server "other"' in str(error.value)


def test_it_can_be_cancelled_while_it_waits(stalled):
    stalled.execute("SET statement_timeout = '300 ms'")
    start = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        stalled.execute(QUERY)
    assert time.monotonic() - start < 5


def test_a_plan_made_when_topics_were_small_is_not_slower(db, broker, topics):
    """The client for few messages gives way to another one, which is listened to from then on."""
    create_tables(db, topics)
    fill(broker, topics, 1)
    db.execute("SET plan_cache_mode = force_generic_plan; SET max_parallel_workers_per_gather = 0")
    query = "SELECT count(*) FROM events"
    db.execute(f"PREPARE old AS {query}")
    db.execute("EXECUTE old")
    fill(broker, topics, 12_000)

    def seconds(statement):
        start = time.monotonic()
        assert db.value(statement) == 12_001 * TOPICS
        return time.monotonic() - start

    db.execute(f"SET kafka_fdw.metadata_ttl = 0; PREPARE new AS {query}")
    times = [(seconds("EXECUTE old"), seconds("EXECUTE new")) for _ in range(10)]
    old, new = (min(column) for column in zip(*times, strict=True))
    assert old < new + 0.08, "it waits for the next look around, which is every 0.1 s"
