"""What consumers follow: columns, metadata, documents, tombstones, streams that go and come."""

import concurrent.futures
import json

import psycopg
import pytest
from support import consumers, wait_for
from support.flow import Flow
from support.streams import assert_no_crash, count, make_stream, numbers, produce, wait_for_error

pytestmark = pytest.mark.usefixtures("way")


def test_a_batch_that_the_statement_does_not_read_is_an_error(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    db.execute(f"CREATE FOREIGN TABLE source (n bigint) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text')")
    produce(broker, name, 0, 5)
    consumers.begin(db, "stream", name, statement="INSERT INTO stream SELECT n FROM source WHERE false")
    (sqlstate, *_, message) = wait_for_error(db)
    assert sqlstate == "55000" and "did not read" in message and name in message
    assert consumers.position(db, "stream", name).get(0, 0) == 0
    consumers.begin(db, "stream", name, statement="INSERT INTO stream SELECT n FROM source WHERE n > 2")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [3, 4]


def test_a_dropped_stream_is_an_error_until_it_is_there_again(pg, db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    db.execute("DROP TABLE stream")
    wait_for(lambda: db.value("SELECT state FROM kafka_stat_consumers") == "error", what="state error, before any message")
    assert "stream" in db.value("SELECT last_error FROM kafka_stat_consumers")
    produce(broker, name, 10, 20)
    assert_no_crash(pg)
    db.execute("CREATE TABLE stream (n bigint)")
    wait_for(lambda: numbers(db) == list(range(10, 20)), what="the messages since the drop")
    assert db.value("SELECT kafka_consume_drop('stream', %s)", [name]) == {"0": 20}


def test_a_column_added_to_the_stream_is_filled_from_the_next_batch_on(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, '{"n": 1, "m": "first"}')
    consumers.begin(db, "stream", name, format="json")
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream ADD COLUMN m text")
    broker.produce(name, '{"n": 2, "m": "second"}')
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream DROP COLUMN n")
    db.execute("ALTER TABLE stream RENAME TO flood")
    broker.produce(name, '{"n": 3, "m": "third"}')
    consumers.wait_for_end(db, "flood", name)
    assert db.execute("SELECT m FROM flood ORDER BY m NULLS FIRST") == [(None,), ("second",), ("third",)]


@pytest.mark.parametrize("change, rows", [("ADD COLUMN o text", [(1, "a", None), (2, "b", "y")]), ("DROP COLUMN m", [(1,), (2,)])])
def test_a_change_of_the_stream_is_followed_though_a_lock_comes_behind_it(pg, db, broker, topic, change, rows):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint, m text)")
    broker.produce(name, '{"n": 1, "m": "a", "o": "x"}')
    consumers.begin(db, "stream", name, format="json")
    consumers.wait_for_end(db, "stream", name)
    with db.connect(autocommit=False) as changing, db.connect(autocommit=False) as locking:
        changing.execute(f"ALTER TABLE stream {change}")
        with concurrent.futures.ThreadPoolExecutor(1) as background:
            # It has the lock at the very moment of the other's commit.
            lock = background.submit(locking.execute, "LOCK TABLE stream")
            wait_for(lambda: db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", [locking.info.backend_pid]),
                     what="a session that waits for the lock")
            changing.commit()
            lock.result()
        broker.produce(name, '{"n": 2, "m": "b", "o": "y"}')
        consumers.wait_for_state(db, "stream", "backoff")
        locking.rollback()
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM stream ORDER BY n") == rows


def test_columns_come_and_go_at_any_moment_of_a_batch(pg, db, broker, topic):
    name = topic(partitions=4)
    db.execute("CREATE TABLE stream (n bigint)")
    consumers.begin(db, "stream", name, parallelism=4, batch_delay="0", columns=["n"])
    with Flow(broker, name, 4) as flow:
        for _ in range(1000):
            db.execute("ALTER TABLE stream ADD COLUMN other text")
            db.execute("ALTER TABLE stream DROP COLUMN other")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(flow.sent))
    assert_no_crash(pg)


def test_workers_follow_the_stream_at_the_same_time(pg, db, broker, topic):
    name = topic(partitions=4)
    db.execute("CREATE TABLE stream (kafka_partition int, n bigint)")
    consumers.begin(db, "stream", name, parallelism=4, batch_delay="0")
    session = db.connect(autocommit=False)
    with Flow(broker, name, 4) as flow:
        for number in range(6):
            before = count(db)
            wait_for(lambda before=before: count(db) > before, what="more rows")
            session.execute(f"ALTER TABLE stream ADD more_{number} int, ALTER n TYPE {['int', 'bigint'][number % 2]}")
            wait_for(lambda: db.value("SELECT count(*) FROM pipeline_kafka_workers WHERE state = 'backoff' "
                                      "AND error_sqlstate = '55P03'") == 4, what="waiting workers")
            session.execute(f"ALTER TABLE stream DROP more_{number}")
            session.commit()
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(flow.sent))
    log = pg.log.read()
    assert "error: " not in log and log.count("backoff: ") == log.count("is locked by another transaction"), log


def test_a_column_added_in_text_is_the_next_field(db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    db.execute("ALTER TABLE stream ADD COLUMN t text DEFAULT 'none'")
    broker.produce(name, "10\tten")
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT n, t FROM stream WHERE n > 8 ORDER BY n") == [(9, "none"), (10, "ten")]
    broker.produce(name, "11")
    assert wait_for_error(db)[:4] == ("22P04", name, 0, 11)


def test_metadata_columns_of_the_stream(db, broker, topic):
    name = topic(partitions=2)
    db.execute("""CREATE TABLE stream (n bigint, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz,
                                       kafka_key text, kafka_headers jsonb, note text DEFAULT 'default')""")
    broker.produce(name, {"value": "7", "partition": 1, "key": "k", "timestamp": 1_600_000_000_123,
                          "headers": [("h", b"1"), ("h", b"2"), ("x", b"\xff")]}, {"value": "8", "partition": 0})
    consumers.begin(db, "stream", name, columns=["n"])
    consumers.wait_for_end(db, "stream", name)
    first, second = db.execute("SELECT n, kafka_partition, kafka_offset, extract(epoch FROM kafka_timestamp)::numeric, "
                               "kafka_key, kafka_headers, note FROM stream ORDER BY n")
    assert (*first[:3], float(first[3]), *first[4:]) == \
        (7, 1, 0, 1_600_000_000.123, "k", {"h": ["1", "2"], "x": "\\xff"}, "default")
    assert second[:3] == (8, 0, 0) and second[4] is None and second[5] in (None, {})


def test_a_stream_of_documents(db, broker, topic):
    name = topic()
    documents = [{"a": 1, "b": [1, 2]}, {"c": None}]
    db.execute("CREATE TABLE stream (kafka_offset bigint, doc jsonb)")
    broker.produce(name, *map(json.dumps, documents))
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        consumers.begin(db, "stream", name)
    assert "json" in raised.value.diag.message_hint
    consumers.begin(db, "stream", name, format="json")
    consumers.wait_for_end(db, "stream", name)
    assert [doc for (doc,) in db.execute("SELECT doc FROM stream ORDER BY kafka_offset")] == documents


def test_tombstones_are_skipped_and_counted(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, "1", {"value": None, "key": "k"}, "2", {"value": None, "key": "k"}, {"value": None, "key": "k"})
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2]
    assert db.execute("SELECT messages, rows, tombstones FROM kafka_stat_consumers") == [(5, 2, 3)]
    assert consumers.position(db, "stream", name) == {0: 5}


def test_a_source_that_shows_tombstones_receives_them(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (k text, gone boolean, n bigint)")
    db.execute(f"""CREATE FOREIGN TABLE source (k text OPTIONS ("key" 'true'), gone boolean OPTIONS (tombstone 'true'), n bigint)
                   SERVER pipeline_kafka OPTIONS (topic '{name}')""")
    broker.produce(name, {"value": '{"n": 1}', "key": "a"}, {"value": None, "key": "a"})
    consumers.begin(db, "stream", name, source="source")
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM stream ORDER BY gone") == [("a", False, 1), ("a", True, None)]


def test_names_in_a_statement_mean_what_they_meant_to_the_caller(db, broker, topic):
    """Also where the role's own search_path names another table."""
    name = topic()
    produce(broker, name, 0, 10)
    db.execute(f"""CREATE SCHEMA inner_schema; CREATE TABLE public.target (n bigint);
                   CREATE TABLE inner_schema.target (n bigint);
                   CREATE FOREIGN TABLE inner_schema.numbers (n bigint) SERVER pipeline_kafka
                     OPTIONS (topic '{name}', format 'text');
                   SET search_path = inner_schema, public""")
    consumers_begin = "SELECT kafka_consume_begin('target', %s, statement => 'INSERT INTO target SELECT n FROM numbers')"
    db.execute(consumers_begin, [name])
    consumers.wait_for_end(db, "target", name)
    assert db.value("SELECT count(*) FROM inner_schema.target") == 10
    assert db.value("SELECT count(*) FROM public.target") == 0
