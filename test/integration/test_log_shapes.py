"""Logs whose offsets are not 0 … n - 1: a scan and a consumer end where another library's reader ends, with its rows."""

import json
import time

import pytest
from support import consumers, wait_for

SMALLEST_SEGMENT_BYTES = 1048576


def create_tables(database, topic):
    database.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, k text, v text)")
    database.execute(f"""CREATE FOREIGN TABLE log (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
                                                   k text, v text)
                         SERVER pipeline_kafka OPTIONS (topic '{topic}', format 'json')""")


def message(k, v):
    return json.dumps({"k": k, "v": v})


def numbered(prefix, count):
    return [message(f"{prefix} {number}", str(number)) for number in range(count)]


def rows_of(broker, topic):
    """(partition, offset, k, v), as a read_committed reader of another library sees them; tombstones have no k and v."""
    rows = []
    for read in broker.consume(topic):
        value = json.loads(read.value()) if read.value() is not None else {}
        rows.append((read.partition(), read.offset(), value.get("k"), value.get("v")))
    return rows


def assert_scans_agree(database, broker, topic):
    expected = rows_of(broker, topic)
    assert sorted(database.execute("SELECT * FROM log"), key=lambda row: row[:2]) == expected
    assert database.value("SELECT count(*) FROM log") == len(expected)
    for partition in broker.partitions(topic):
        low, end = broker.watermarks(topic, partition)
        middle = (low + end) // 2
        for first, last in [(0, end), (low, middle), (middle, end), (middle, middle + 1), (end - 1, end + 10), (end, end)]:
            found = database.execute("SELECT * FROM log WHERE part = %s AND offs >= %s AND offs < %s",
                                     [partition, first, last])
            assert sorted(found, key=lambda row: row[:2]) == [
                row for row in expected if row[0] == partition and first <= row[1] < last], (partition, first, last)
        assert_ranges_between_gaps_agree(database, partition, [row for row in expected if row[0] == partition], end)
    assert_orders_agree(database, expected)


def assert_ranges_between_gaps_agree(database, partition, expected, end):
    """Two ranges, the first of which ends where no message is: the one behind it belongs to the second."""
    offsets = {row[1] for row in expected}
    for gap in [offset for offset in range(end) if offset not in offsets][:20]:
        found = database.execute("SELECT * FROM log WHERE part = %s AND (offs < %s OR offs > %s)", [partition, gap, gap])
        assert sorted(found, key=lambda row: row[:2]) == expected, (partition, gap)


def assert_orders_agree(database, expected):
    for order in ["part, offs", "part DESC, offs DESC", "part, offs DESC", "offs, part", "offs DESC, part DESC"]:
        columns = [(0 if column.startswith("part") else 1, -1 if column.endswith("DESC") else 1)
                   for column in order.split(", ")]
        rows = sorted((row[:2] for row in expected), key=lambda row: [row[place] * sign for place, sign in columns])
        assert database.execute(f"SELECT part, offs FROM log ORDER BY {order}") == rows, order
        assert database.execute(f"SELECT part, offs FROM log ORDER BY {order} LIMIT 7") == rows[:7], order


def assert_consumer_agrees(database, broker, topic):
    """Up to the end of the log, with markers and gaps behind the last message."""
    consumers.wait_for_end(database, "stream", topic)
    expected = [row for row in rows_of(broker, topic) if row[2] is not None]
    assert sorted(database.execute("SELECT * FROM stream"), key=lambda row: row[:2]) == expected
    ends = {partition: broker.watermarks(topic, partition)[1] for partition in broker.partitions(topic)}
    assert consumers.position(database, "stream", topic) == ends
    consumers.wait_for_no_lag(database, "stream")


def begin(database, topic, parallelism=1, **arguments):
    consumers.begin(database, "stream", topic, format="json", parallelism=parallelism, **arguments)


@pytest.mark.parametrize("following", [False, True], ids=["consumer begun behind", "consumer begun before"])
@pytest.mark.usefixtures("way")
def test_committed_and_aborted_transactions_with_markers_at_the_end(db, broker, topic, following):
    name = topic(partitions=4)
    create_tables(db, name)
    if following:
        begin(db, name, parallelism=2, batch_size=7)
    broker.produce(name, *numbered("plain", 20), partition=0)
    for attempt in range(3):
        with broker.transaction() as produce:
            produce(name, *numbered(f"committed {attempt}", 15), partition=0)
            produce(name, *numbered(f"committed {attempt}", 5), partition=1)
        with broker.transaction(abort=True) as produce:
            produce(name, *numbered(f"aborted {attempt}", 10), partition=0)
            produce(name, *numbered(f"aborted {attempt}", 10), partition=2)
    broker.produce(name, *numbered("between", 3), partition=2)
    with broker.transaction(abort=True) as produce:
        produce(name, *numbered("aborted at the end", 4), partition=2)
    # Partition 0 ends with aborted messages, 1 with a commit marker, 2 with an abort marker; 3 is empty.
    assert len(rows_of(broker, name)) == 20 + 3 * 20 + 3

    assert_scans_agree(db, broker, name)
    if not following:
        begin(db, name, parallelism=2, batch_size=7)
    assert_consumer_agrees(db, broker, name)


def test_a_partition_of_nothing_but_aborted_messages(db, broker, topic):
    name = topic()
    create_tables(db, name)
    with broker.transaction(abort=True) as produce:
        produce(name, *numbered("aborted", 2000))
    assert_scans_agree(db, broker, name)
    assert db.value("SELECT count(*) FROM log") == 0
    begin(db, name)
    assert_consumer_agrees(db, broker, name)


def test_an_open_transaction_is_not_read_before_it_commits(db, broker, topic):
    name = topic()
    create_tables(db, name)
    begin(db, name)
    broker.produce(name, *numbered("before", 3))
    with broker.transaction() as produce:
        produce(name, *numbered("open", 3))
        broker.produce(name, *numbered("behind", 3))
        assert len(rows_of(broker, name)) == 3
        assert_scans_agree(db, broker, name)
        assert_consumer_agrees(db, broker, name)
    assert len(rows_of(broker, name)) == 9
    assert_scans_agree(db, broker, name)
    assert_consumer_agrees(db, broker, name)


@pytest.mark.usefixtures("way")
def test_markers_that_come_while_a_consumer_idles_move_its_offsets(db, broker, topic):
    name = topic()
    create_tables(db, name)
    begin(db, name)
    broker.produce(name, *numbered("before", 3))
    assert_consumer_agrees(db, broker, name)
    with broker.transaction(abort=True) as produce:
        produce(name, *numbered("aborted", 5))
    assert_consumer_agrees(db, broker, name)
    assert consumers.position(db, "stream", name) == {0: 9}


@pytest.mark.parametrize("deleted", [1, 37, 50], ids=["the first", "a part", "all"])
def test_deleted_records(db, broker, topic, deleted):
    name = topic(partitions=2)
    create_tables(db, name)
    for partition in range(2):
        broker.produce(name, *numbered(f"partition {partition}", 50), partition=partition)
    broker.delete_records(name, 1, before=deleted)
    assert broker.watermarks(name, 1) == (deleted, 50)
    assert_scans_agree(db, broker, name)
    assert db.value("SELECT count(*) FROM log") == 100 - deleted
    begin(db, name, parallelism=2)
    assert_consumer_agrees(db, broker, name)


ROUNDS, REPEATED_KEYS = 12, 10


def fill_with_repeated_keys(broker, topic, partitions):
    """Each round repeats the keys of the others, adds one of its own, and begins a segment, as time has gone on."""
    start = int(time.time() * 1000) - ROUNDS * 1000
    for turn in range(ROUNDS):
        keys = [f"repeated {number}" for number in range(REPEATED_KEYS)] + [f"kept {turn}"]
        broker.produce(topic, *({"key": key, "value": message(key, str(turn)), "timestamp": start + turn * 1000,
                                 "partition": partition} for key in keys for partition in range(partitions)))


def is_compacted(rows):
    """Whether the last message of each key is all there is."""
    return len(rows) == len({(partition, k) for partition, _, k, _ in rows})


# The cleaner looks every 15 s by itself.
@pytest.mark.broker_settings(log_cleaner_backoff_ms=100)
@pytest.mark.usefixtures("way")
def test_a_compacted_topic(bare_db, own_broker):
    bare_db.use_broker(own_broker)
    name = own_broker.create_topic("compacted", 2, {
        "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.bytes": str(SMALLEST_SEGMENT_BYTES),
        "segment.ms": "100"})
    create_tables(bare_db, name)
    fill_with_repeated_keys(own_broker, name, 2)
    # The segment that is written to is never cleaned: after this it holds nothing of the above.
    with own_broker.transaction(abort=True) as produce:
        for partition in range(2):
            produce(name, {"key": "aborted", "value": message("aborted", "0")}, partition=partition)
    wait_for(lambda: is_compacted(rows_of(own_broker, name)), 60, "the cleaner's work")
    assert len(rows_of(own_broker, name)) == 2 * (REPEATED_KEYS + ROUNDS)
    assert own_broker.watermarks(name, 1) == (0, ROUNDS * (REPEATED_KEYS + 1) + 2)

    assert_scans_agree(bare_db, own_broker, name)
    begin(bare_db, name, parallelism=2, batch_size=5)
    assert_consumer_agrees(bare_db, own_broker, name)
