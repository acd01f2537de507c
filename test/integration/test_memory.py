"""A scan keeps within kafka_fdw.fetch_buffer, whatever the topic holds, and leaves nothing behind, however it ends."""

import os
import pathlib

import psycopg
import pytest

MESSAGES, MESSAGE_BYTES = 240, 1_000_000
LARGE = {"max.message.bytes": str(4 * MESSAGE_BYTES)}


def memory_kb(pid, name):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def highest_kb(pid):
    """The most memory that the process had since forget_highest."""
    return memory_kb(pid, "VmHWM")


def forget_highest(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.fixture
def large_messages(db, broker, topic):
    name = topic(partitions=3, config=LARGE)
    for _ in range(MESSAGES // 12):
        broker.produce(name, *(os.urandom(MESSAGE_BYTES) for _ in range(12)),
                       settings={"message.max.bytes": 2 * MESSAGE_BYTES})
    db.execute(f"""CREATE FOREIGN TABLE log (offs bigint OPTIONS ("offset" 'true'), part int OPTIONS (partition 'true'),
                   value bytea OPTIONS (payload 'true')) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'raw')""")
    return "log"


@pytest.mark.parametrize("buffer_mb", [8, 32])
@pytest.mark.parametrize("query", ["SELECT count(*), sum(length(value)) FROM log",
                                   "SELECT count(*), sum(length(value)) FROM (SELECT value FROM log ORDER BY offs DESC) x"])
def test_a_scan_of_large_messages_keeps_within_its_buffer(db, large_messages, buffer_mb, query):
    with db.connect() as session:
        session.execute(f"SET kafka_fdw.fetch_buffer = '{buffer_mb} MB'; SET enable_sort = off")
        session.execute("SELECT length(value) FROM log LIMIT 1").fetchall()
        pid = session.info.backend_pid
        forget_highest(pid)
        before = highest_kb(pid)
        assert session.execute(query).fetchone() == (MESSAGES, MESSAGES * MESSAGE_BYTES)
        grown_mb = (highest_kb(pid) - before) / 1024
        # A message that is larger than its share is fetched alone, and the row has a copy of it.
        assert grown_mb < buffer_mb + 4 * MESSAGE_BYTES / 2**20, grown_mb
        print(f"{buffer_mb} MB: grew by {grown_mb:.1f} MB")


def test_a_sample_of_large_messages_keeps_within_a_buffer_of_its_own(db, large_messages):
    buffer_mb = 8
    with db.connect() as session:
        session.execute(f"SET kafka_fdw.fetch_buffer = '{buffer_mb} MB'")
        session.execute("SELECT length(value) FROM log LIMIT 1").fetchall()
        pid = session.info.backend_pid
        forget_highest(pid)
        before = highest_kb(pid)
        session.execute("ANALYZE log")
        assert (highest_kb(pid) - before) / 1024 < 2 * buffer_mb + 4 * MESSAGE_BYTES / 2**20
    rows, width = db.execute("""SELECT reltuples, avg_width FROM pg_class JOIN pg_stats ON tablename = relname
                                 WHERE relname = 'log' AND attname = 'offs'""")[0]
    assert rows == MESSAGES and width == 8


def test_messages_of_a_topic_that_fit_a_limit_are_not_held(db, large_messages):
    topic = db.value("SELECT split_part(ftoptions[1], '=', 2) FROM pg_foreign_table WHERE ftrelid = 'log'::regclass")
    query = "SELECT count(*), sum(length(value)) FROM kafka_messages(%s, 'earliest', max_messages => 1000)"
    with db.connect() as session:
        session.execute("SET kafka_fdw.fetch_buffer = '8 MB'; SET work_mem = '1 MB'")
        session.execute("SELECT length(value) FROM log LIMIT 1").fetchall()
        pid = session.info.backend_pid
        forget_highest(pid)
        before = highest_kb(pid)
        assert session.execute(query, [topic]).fetchone() == (MESSAGES, MESSAGES * MESSAGE_BYTES)
        assert (highest_kb(pid) - before) / 1024 < 64


ENDINGS = [
    "SELECT count(why) FROM junk",
    "SELECT a FROM bad",
    "SELECT 1 / (a - 7) FROM good",
    "SELECT a FROM good LIMIT 1",
    "SELECT a FROM good ORDER BY offs DESC LIMIT 1",
    "SELECT g, (SELECT count(a) FROM good WHERE offs < g) FROM generate_series(1, 5) g",
    "BEGIN; DECLARE c CURSOR FOR SELECT a, array[a] FROM good; FETCH 3 FROM c; SAVEPOINT s; SELECT a FROM bad; ROLLBACK",
    "DO $$ BEGIN PERFORM a FROM bad; EXCEPTION WHEN OTHERS THEN END $$",
    "SET statement_timeout = 30; SELECT a FROM unreachable; ROLLBACK",
    "SELECT * FROM nothing",
]


def test_errors_cancels_and_rescans_leave_no_memory_behind(db, broker, topic):
    name = topic()
    broker.produce(name, *(f'{{"a": {n}, "l": [{n}]}}' for n in range(20)), '{"a": "x"}', "none")
    columns = """(offs bigint OPTIONS ("offset" 'true'), a int, l int[], twice int GENERATED ALWAYS AS (a * 2) STORED"""
    db.execute(f"""CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
        CREATE FOREIGN TABLE good {columns}) SERVER pipeline_kafka OPTIONS (topic '{name}', ignore_junk 'true');
        CREATE FOREIGN TABLE bad {columns}) SERVER pipeline_kafka OPTIONS (topic '{name}');
        CREATE FOREIGN TABLE junk {columns}, why text OPTIONS (junk_error 'true')) SERVER pipeline_kafka OPTIONS (topic '{name}');
        CREATE FOREIGN TABLE nothing {columns}) SERVER pipeline_kafka OPTIONS (topic 'nothing-{name}');
        CREATE FOREIGN TABLE unreachable {columns}) SERVER nobody OPTIONS (topic '{name}');
        CREATE FUNCTION counters() RETURNS text AS '$libdir/kafka_fdw', 'kafka_test_counters' LANGUAGE C""")
    session = db.connect(options="-c log_min_messages=panic")
    pid = session.info.backend_pid

    def run(rounds):
        for _ in range(rounds):
            for statement in ENDINGS:
                try:
                    session.execute(statement)
                except psycopg.Error:
                    session.execute("ROLLBACK; RESET statement_timeout")
        contexts = session.execute("SELECT sum(total_bytes) FROM pg_backend_memory_contexts").fetchone()[0]
        return memory_kb(pid, "VmRSS"), contexts

    before_kb, contexts_before = run(60)
    after_kb, contexts_after = run(200)
    print(f"{(after_kb - before_kb) / 1024:.1f} MB more after 200 rounds, in memory contexts {contexts_after - contexts_before}")
    assert session.execute("SELECT counters()").fetchone()[0].startswith("objects 0, ")
    assert contexts_after - contexts_before < 100_000
    assert after_kb - before_kb < 4096
