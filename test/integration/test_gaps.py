"""Logs that do not go on where a consumer stands: retention, truncation, topics made anew; what on_gap says to it."""

import pathlib
import shutil

import psycopg
import pytest
from support import consumers, wait_for
from support.oracle import COORDINATES, gaps
from support.streams import numbers, produce, wait_for_error, wait_for_no_workers

IDENTITY = "SELECT partition, identity_offset FROM pipeline_kafka_offsets ORDER BY partition"


@pytest.fixture
def stream(db):
    db.execute(COORDINATES)
    return "stream"


def begin(db, topic, **arguments):
    consumers.begin(db, "stream", topic, **arguments)


def take(db, broker, topic, first, behind, **arguments):
    """Produces these numbers and begins a consumer that takes them."""
    produce(broker, topic, first, behind)
    begin(db, topic, **arguments)
    consumers.wait_for_end(db, "stream", topic)


def remake(broker, topic, first, behind, partitions=1):
    broker.delete_topic(topic)
    broker.create_topic(topic, partitions)
    produce(broker, topic, first, behind)


def end(db, topic):
    db.execute("SELECT kafka_consume_end('stream', %s)", [topic])
    wait_for_no_workers(db)


# --- the beginning of the log moved past the offset ---

def test_retention_past_the_offset_stops_the_consumer_with_both_offsets(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10)
    end(db, name)
    produce(broker, name, 10, 30)
    broker.delete_records(name, 0, before=20)
    begin(db, name)
    sqlstate, *place, message = wait_for_error(db)
    assert (sqlstate, place) == ("58P01", [name, 0, 10])
    detail, hint = db.execute("SELECT detail, hint FROM kafka_stat_consumers")[0]
    assert "10" in message and "20 to 30" in detail and "kafka_consume_seek" in hint
    wait_for_no_workers(db)
    assert numbers(db) == list(range(10)) and gaps(db) == []

    begin(db, name)  # nothing has changed
    assert wait_for_error(db)[0] == "58P01"
    wait_for_no_workers(db)
    db.execute("SELECT kafka_consume_seek('stream', %s, 'earliest')", [name])
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [*range(10), *range(20, 30)]


@pytest.mark.parametrize("on_gap, rows, goes_on", [("earliest", [*range(10), *range(20, 30)], 20),
                                                   ("latest", list(range(10)), 30)])
def test_retention_past_the_offset_is_gone_over_and_recorded(db, stream, broker, topic, on_gap, rows, goes_on):
    name = topic(partitions=2)
    produce(broker, name, 100, 110, partition=1)
    take(db, broker, name, 0, 0, on_gap=on_gap)
    end(db, name)
    produce(broker, name, 0, 10, partition=0)
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    end(db, name)
    produce(broker, name, 10, 30, partition=0)
    broker.delete_records(name, 0, before=20)
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    (partition, offset, error), = gaps(db)
    assert (partition, offset) == (0, 10) and f"went on at offset {goes_on} instead of 10" in error
    assert numbers(db) == [*rows, *range(100, 110)]
    produce(broker, name, 30, 35, partition=0)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [*rows, *range(30, 35), *range(100, 110)]
    assert len(gaps(db)) == 1


def test_what_begins_at_the_offset_itself_is_no_gap(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10)
    end(db, name)
    produce(broker, name, 10, 20)
    broker.delete_records(name, 0, before=10)  # the last message taken is gone, which proves nothing
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(20)) and gaps(db) == []


LARGE = "x" * 100_000


@pytest.mark.parametrize("on_gap", ["stop", "earliest", "latest"])
def test_retention_that_overtakes_a_running_consumer(db, broker, topic, on_gap):
    """A consumer that may take ten messages a second, and does not hold those that are deleted."""
    name = topic()
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, t text)")
    db.execute(f"ALTER DATABASE {db.name} SET kafka_fdw.fetch_buffer = '1MB'")
    broker.produce(name, *[LARGE] * 200)
    begin(db, name, on_gap=on_gap, max_rate=10)
    wait_for(lambda: db.value("SELECT count(*) FROM stream") >= 3, what="the first rows")
    broker.delete_records(name, 0, before=190)
    if on_gap == "stop":
        sqlstate, _, _, offset, _ = wait_for_error(db)
        assert sqlstate == "58P01" and consumers.position(db, "stream", name) == {0: offset}
        assert db.value("SELECT count(*) FROM stream") == offset < 190
        return
    (_, stored, error), = wait_for(lambda: gaps(db), what="the gap")
    goes_on = {"earliest": 190, "latest": 200}[on_gap]
    assert stored < 190 and f"went on at offset {goes_on} instead" in error
    broker.produce(name, *[LARGE] * 3)
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT kafka_offset FROM stream ORDER BY 1") == [(o,) for o in [*range(stored), *range(goes_on, 203)]]


# --- topics made anew ---

SIZES = pytest.mark.parametrize("size", [4, 10, 30], ids=["with fewer messages", "with as many", "with more"])


@SIZES
def test_a_topic_made_anew_while_the_consumer_is_ended(db, stream, broker, topic, size):
    name = topic()
    take(db, broker, name, 0, 10)
    end(db, name)
    remake(broker, name, 1000, 1000 + size)
    begin(db, name)
    sqlstate, *place, message = wait_for_error(db)
    assert (sqlstate, place) == ("58P01", [name, 0, 10])
    assert ("not in the log any more" if size < 10 else "is not the log any more") in message
    assert numbers(db) == list(range(10))
    wait_for_no_workers(db)
    begin(db, name, on_gap="earliest")
    if size == 10:  # the offset is that of the end of either log
        wait_for(lambda: gaps(db), what="the gap")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [*range(10), *range(1000, 1000 + size)]
    assert [gap[:2] for gap in gaps(db)] == [(0, 10)]


@SIZES
@pytest.mark.parametrize("on_gap", ["stop", "earliest", "latest"])
def test_a_topic_made_anew_while_the_consumer_idles(db, stream, broker, topic, size, on_gap):
    name = topic()
    take(db, broker, name, 0, 10, on_gap=on_gap)
    consumers.wait_for_state(db, "stream", "idle")
    remake(broker, name, 1000, 1000 + size)
    if size == 10:  # until there is a message behind the offset, nothing tells of it
        produce(broker, name, 1010, 1013)
        size = 13
    if on_gap == "stop":
        assert wait_for_error(db)[:4] == ("58P01", name, 0, 10)
        assert numbers(db) == list(range(10))
        return
    wait_for(lambda: gaps(db), what="the gap")
    consumers.wait_for_end(db, "stream", name)
    produce(broker, name, 2000, 2005)
    consumers.wait_for_end(db, "stream", name)
    ((_, stored, error),) = gaps(db)
    assert stored == 10
    if on_gap == "earliest":
        assert numbers(db) == [*range(10), *range(1000, 1000 + size), *range(2000, 2005)]
    else:
        went_on = int(error.split("went on at offset ")[1].split()[0])
        assert numbers(db) == [*range(10), *range(1000 + went_on, 1000 + size), *range(2000, 2005)]


def test_a_topic_made_anew_under_load_is_found_within_ten_seconds(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, t text)")
    db.execute(f"ALTER DATABASE {db.name} SET kafka_fdw.fetch_buffer = '1MB'")
    broker.produce(name, *["a" + LARGE] * 100)
    begin(db, name, max_rate=5)
    wait_for(lambda: db.value("SELECT count(*) FROM stream") >= 3, what="the first rows")
    broker.delete_topic(name)
    broker.create_topic(name)
    broker.produce(name, *["b" + LARGE] * 100)
    assert wait_for_error(db)[0] == "58P01"
    assert db.value("SELECT count(*) FROM stream") < 100
    wait_for_no_workers(db)
    begin(db, name)  # as long as nobody says where to go on
    assert wait_for_error(db)[0] == "58P01"
    wait_for_no_workers(db)
    begin(db, name, on_gap="earliest", max_rate=0)
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT count(*), count(DISTINCT kafka_offset) FROM stream WHERE t LIKE 'b%'")[0][1] == 100


def test_a_topic_that_is_gone_is_waited_for(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10, on_gap="earliest")
    broker.delete_topic(name)
    consumers.wait_for_state(db, "stream", "waiting")
    assert name in consumers.stat(db, "stream", "detail")
    broker.create_topic(name)
    produce(broker, name, 1000, 1003)
    wait_for(lambda: gaps(db), what="the gap")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [*range(10), 1000, 1001, 1002]


# --- truncation ---

def test_a_log_cut_off_before_the_offset(bare_db, own_broker):
    bare_db.use_broker(own_broker)
    bare_db.execute(COORDINATES)
    own_broker.create_topic("cut")
    take(bare_db, own_broker, "cut", 0, 10)
    own_broker.stop()
    folder, = pathlib.Path(own_broker._dir).rglob("cut-0")
    shutil.rmtree(folder)
    own_broker.restart()
    own_broker.produce("cut", "1000")
    assert wait_for_error(bare_db)[:4] == ("58P01", "cut", 0, 10)
    begin(bare_db, "cut", on_gap="earliest")
    wait_for(lambda: numbers(bare_db) == [*range(10), 1000], what="the new log")
    assert [gap[:2] for gap in gaps(bare_db)] == [(0, 10)]


# --- the identity of the log ---

def test_a_seek_forgets_the_identity_and_a_begin_keeps_it(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10)
    assert db.execute(IDENTITY) == [(0, 9)]
    end(db, name)
    begin(db, name, parallelism=0, batch_size=7)
    assert db.execute(IDENTITY) == [(0, 9)]
    db.execute("SELECT kafka_consume_seek('stream', %s, '5')", [name])
    assert db.execute(IDENTITY) == [(0, None)]
    remake(broker, name, 1000, 1010)  # after a seek nothing says that it is another log
    begin(db, name, parallelism=1)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [*range(10), *range(1005, 1010)] and gaps(db) == []
    assert db.execute(IDENTITY) == [(0, 9)]


def test_equal_messages_at_another_time_are_another_log(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10)
    end(db, name)
    remake(broker, name, 0, 20)
    begin(db, name)
    assert wait_for_error(db)[0] == "58P01"


# --- kafka_consume_once ---

def test_once_says_what_is_wrong_or_goes_on_too(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name, parallelism=0)
    assert db.value("SELECT kafka_consume_once('stream', %s, 5)", [name]) == 5
    broker.delete_records(name, 0, before=8)
    with pytest.raises(psycopg.Error, match="offset 5") as raised:
        db.execute("SELECT kafka_consume_once('stream', %s)", [name])
    assert raised.value.sqlstate == "58P01" and "8 to 10" in raised.value.diag.message_detail
    begin(db, name, on_gap="earliest")
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_once('stream', %s)", [name]).fetchone() == (2,)
    session.rollback()
    assert gaps(db) == [] and consumers.position(db, "stream", name) == {0: 5}
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 2
    assert [gap[:2] for gap in gaps(db)] == [(0, 5)]
    assert numbers(db) == [0, 1, 2, 3, 4, 8, 9]


def test_a_topic_made_anew_is_found_though_the_stream_is_locked_meanwhile(db, stream, broker, topic):
    name = topic()
    take(db, broker, name, 0, 10)
    consumers.wait_for_state(db, "stream", "idle")
    with db.connect() as session, session.transaction(force_rollback=True):
        session.execute("LOCK TABLE stream")
        remake(broker, name, 100, 130)
        # The worker has met the new messages, and could not take them.
        wait_for(lambda: consumers.stat(db, "stream", "state") == "backoff"
                 and "locked" in consumers.stat(db, "stream", "detail"), what="the wait for the lock")
    assert wait_for_error(db)[0] == "58P01"
    assert numbers(db) == list(range(10))
