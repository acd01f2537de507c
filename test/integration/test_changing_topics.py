"""Topics that change while a statement reads them: the rows are those of the log that it began with, or it fails and says why.

A cursor stands for a scan that takes its time. Its messages are large, so that most of them are still with the broker.
"""

import json
import threading
import time

import psycopg
import pytest
from confluent_kafka.admin import NewPartitions
from support import wait_for

COUNT, PADDING = 60, "x" * 200_000
LONG_PAUSE_SECONDS = 1.2  # kafka_source.cpp: after 1 s a scan looks whether the log is still the same
TABLE = """CREATE FOREIGN TABLE t (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int, tag text,
                                   pad text) SERVER pipeline_kafka OPTIONS (topic '{}', format 'json')"""


class Changing:
    """A topic of one partition, and a cursor that has read the first of its messages."""

    def __init__(self, database, broker, name):
        self.database, self.broker, self.name = database, broker, name
        self.session, self.rows = database.connect(), []

    def open(self, query="SELECT n, tag FROM t"):
        self.session.execute("SET kafka_fdw.fetch_buffer = '1MB'; BEGIN")
        self.session.execute(f"DECLARE c NO SCROLL CURSOR FOR {query}")
        self.fetch(1)

    def fetch(self, count):
        self.rows += self.session.execute(f"FETCH {count} FROM c").fetchall()

    def fetch_rest(self):
        before = -1
        while len(self.rows) > before:
            before = len(self.rows)
            self.fetch(7)

    def fill(self, tag, count=COUNT):
        self.broker.produce(self.name, *(json.dumps({"n": n, "tag": tag, "pad": PADDING}) for n in range(count)))

    def make_again(self, count):
        self.broker.delete_topic(self.name)
        self.broker.create_topic(self.name)
        self.fill("new", count)


@pytest.fixture
def changing(db, broker, topic):
    result = Changing(db, broker, topic())
    result.fill("old")
    db.execute(TABLE.format(result.name))
    return result


@pytest.fixture(params=[0, LONG_PAUSE_SECONDS], ids=["at once", "after a pause"])
def pause(request):
    return request.param


@pytest.mark.parametrize("count", [COUNT, COUNT + 20, COUNT - 10, 0], ids=["as many", "more", "fewer", "none"])
def test_a_topic_made_again_is_an_error(changing, pause, count):
    changing.open()
    changing.make_again(count)
    time.sleep(pause)
    with pytest.raises(psycopg.Error, match=changing.name) as raised:
        changing.fetch_rest()
    assert raised.value.sqlstate in ("58P01", "42704"), str(raised.value)
    assert any(word in str(raised.value) for word in ("made again", "lost messages", "was deleted")), str(raised.value)
    if pause:
        assert {tag for _, tag in changing.rows} == {"old"}, "whoever pauses gets no row of another log"


def test_a_topic_made_again_between_two_scans_of_a_statement_is_an_error(changing):
    changing.open("SELECT n, tag FROM t WHERE offs < 10 UNION ALL SELECT n, tag FROM t WHERE offs < 10")
    changing.fetch(9)
    changing.make_again(COUNT)
    with pytest.raises(psycopg.Error, match="made again while it was read"):
        changing.fetch_rest()


def test_a_topic_made_again_in_the_middle_of_an_ordered_scan_is_an_error(changing):
    changing.open("SELECT n, tag FROM t ORDER BY offs DESC")
    changing.make_again(COUNT)
    with pytest.raises(psycopg.Error, match="made again while it was read"):
        changing.fetch_rest()


def test_a_topic_made_again_in_the_middle_of_a_parallel_scan_is_an_error(changing):
    session, raised = changing.session, []
    session.execute("""SET kafka_fdw.fetch_buffer = '1MB'; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
                       SET min_parallel_table_scan_size = 0""")
    slow = "SELECT count(*) FROM t WHERE pg_sleep(0.1) IS NOT NULL AND tag IS NOT NULL"
    assert "Workers" in str(session.execute(f"EXPLAIN {slow}").fetchall())

    def read():
        with pytest.raises(psycopg.Error) as error:
            session.execute(slow)
        raised.append(str(error.value))

    reading = threading.Thread(target=read)
    reading.start()
    wait_for(lambda: changing.database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0,
             what="the scan")
    changing.make_again(COUNT)
    reading.join(60)
    assert "while it was read" in raised[0] or "is not in partition" in raised[0]


def test_a_deleted_topic_is_an_error(changing, pause):
    changing.open()
    changing.broker.delete_topic(changing.name)
    time.sleep(pause)
    with pytest.raises(psycopg.errors.UndefinedObject, match=f'topic "{changing.name}" was deleted while it was read'):
        changing.fetch_rest()


@pytest.mark.parametrize("before", [COUNT - 10, COUNT], ids=["in part", "to its end"])
def test_a_trimmed_topic_is_an_error_that_names_offset_and_log(changing, pause, before):
    changing.open()
    changing.broker.delete_records(changing.name, 0, before)
    time.sleep(pause)
    with pytest.raises(psycopg.Error, match=f'of partition 0 of topic "{changing.name}" was removed') as raised:
        changing.fetch_rest()
    assert raised.value.sqlstate == "58P01"
    assert f"from {before} to {COUNT} now" in raised.value.diag.message_detail
    assert changing.rows == [(n, "old") for n in range(len(changing.rows))]


def test_what_was_fetched_before_a_topic_was_trimmed_is_given(db, broker, topic):
    changing = Changing(db, broker, topic())
    broker.produce(changing.name, *(json.dumps({"n": n, "tag": "old"}) for n in range(COUNT)))
    db.execute(TABLE.format(changing.name))
    changing.open()
    broker.delete_records(changing.name, 0, COUNT)
    time.sleep(0.2)  # long enough for the log to be looked at
    changing.fetch_rest()
    assert changing.rows == [(n, "old") for n in range(COUNT)]


UNDISTURBED = {
    "plain": "SELECT part, offs FROM t WHERE part < 2",
    "ranges": "SELECT part, offs FROM t WHERE (part = 0 AND offs >= 20) OR (part = 1 AND offs IN (3, 4, 9, 300, 390, 399)) OR part = 2",
    "backwards": "SELECT part, offs FROM t ORDER BY part DESC, offs DESC",
    "by offset": "SELECT part, offs FROM t ORDER BY offs, part",
}


def test_pauses_change_no_rows(db, broker, topic):
    name = topic(partitions=3)
    for partition in range(3):
        broker.produce(name, *(json.dumps({"n": n, "pad": "x" * 5000}) for n in range(250)), partition=partition)
        with broker.transaction(abort=True) as produce:
            produce(name, *(json.dumps({"n": -1}) for _ in range(50)), partition=partition)
        broker.produce(name, *(json.dumps({"n": n, "pad": "x" * 5000}) for n in range(100)), partition=partition)
    db.execute(TABLE.format(name))
    expected = {query: sorted(db.execute(query)) for query in UNDISTURBED.values()}
    session = db.connect()
    session.execute("SET kafka_fdw.fetch_buffer = '1MB'; BEGIN")
    for number, query in enumerate(UNDISTURBED.values()):
        session.execute(f"DECLARE c{number} NO SCROLL CURSOR FOR {query}")
    found = {query: [] for query in UNDISTURBED.values()}
    for count in (1, 120, 150, 100000):
        time.sleep(LONG_PAUSE_SECONDS)
        for number, query in enumerate(UNDISTURBED.values()):
            found[query] += session.execute(f"FETCH {count} FROM c{number}").fetchall()
    for query, rows in found.items():
        assert sorted(rows) == expected[query], query
    assert found[UNDISTURBED["backwards"]] == sorted(expected[UNDISTURBED["backwards"]], reverse=True)
    assert found[UNDISTURBED["by offset"]] == sorted(expected[UNDISTURBED["by offset"]], key=lambda row: row[::-1])


def test_partitions_that_were_added_are_read_by_the_next_statement(db, broker, topic):
    name = topic()
    broker.produce(name, *(json.dumps({"n": n}) for n in range(10)))
    db.execute(TABLE.format(name))
    assert db.execute("SELECT part, count(n) FROM t GROUP BY part") == [(0, 10)]
    for count in (2, 5):
        broker.admin.create_partitions([NewPartitions(name, count)])[name].result()
        wait_for(lambda count=count: len(broker.partitions(name)) == count, what="the partitions")
        for partition in range(1, count):
            broker.produce(name, json.dumps({"n": 100}), partition=partition)
        rows = dict(db.execute("SELECT part, count(n) FROM t GROUP BY part"))
        assert sorted(rows) == list(range(count))
        assert db.value("SELECT count(*) FROM t WHERE part = %s", [count - 1]) == 1


# The cleaner looks every 15 s by itself.
@pytest.mark.broker_settings(log_cleaner_backoff_ms=100)
def test_what_survives_a_compaction_is_read_once(bare_db, own_broker):
    bare_db.use_broker(own_broker)
    name = own_broker.create_topic("compacted", config={
        "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.bytes": "1048576", "segment.ms": "100",
        "max.compaction.lag.ms": "9223372036854775807", "min.compaction.lag.ms": "3600000"})
    bare_db.execute(TABLE.format(name))
    start = int(time.time() * 1000) - 20_000
    for turn in range(20):
        own_broker.produce(name, *({"key": str(n), "value": json.dumps({"n": n, "tag": str(turn), "pad": "x" * 10_000}),
                                    "timestamp": start + turn * 1000} for n in [*range(10), 1000 + turn]))
    everything = {message.offset() for message in own_broker.consume(name)}
    changing = Changing(bare_db, own_broker, name)
    changing.open("SELECT offs FROM t")
    own_broker.set_topic_config(name, {"min.compaction.lag.ms": "0"})
    own_broker.produce(name, {"key": "last", "value": "{}"})
    end = own_broker.watermarks(name)[1] - 1
    wait_for(lambda: len(own_broker.consume(name)) < len(everything) / 2, 60, "the cleaner's work")
    changing.fetch_rest()
    read = [offset for (offset,) in changing.rows]
    survivors = {message.offset() for message in own_broker.consume(name) if message.offset() < end}
    assert read == sorted(set(read))
    assert survivors <= set(read) <= everything
    assert len(read) < len(everything), "the compaction was over before the scan had read on"
