"""Every message takes effect once, whatever is killed or restarted, and whoever reads beside."""

import collections
import concurrent.futures
import hashlib
import json
import os
import random

import psycopg
import pytest
from support import consumers, wait_for
from support.faults import Faults

PARTITIONS, PARALLELISM = 4, 3
MESSAGES, MESSAGES_BEFORE = 200_000, 50_000
KEYS = 500
# Small, so that a fault meets transactions at every stage, and not the end of the log.
BATCH_SIZE = 2000
FAULTS = ["kill_worker"] * 2 + ["terminate_workers"] * 4 + ["restart_postgres"] * 2 + ["crash_postgres"] * 2 + [
    "restart_broker", "kill_broker"]

# Idempotent: what a producer sends again after an outage is not in the log twice.
PRODUCER = {"enable.idempotence": True, "reconnect.backoff.max.ms": 500}

CHECKSUM = """SELECT count(*), sum(('x' || left(md5(concat_ws(' ', kafka_partition, kafka_offset, key, v)), 8))::bit(32)::bigint)
              FROM events"""


def events(chance, start, count):
    for number in range(start, start + count):
        value = {"key": f"key {chance.randrange(KEYS)}", "v": chance.randrange(-1000, 1000), "number": number}
        yield {"value": json.dumps(value), "partition": chance.randrange(PARTITIONS)}


def read_log(broker, topic):
    """(partition, offset, key, v) of every message, as another library reads them."""
    rows = []
    for message in broker.consume(topic):
        value = json.loads(message.value())
        rows.append((message.partition(), message.offset(), value["key"], value["v"]))
    return rows


def checksum(log):
    digests = (hashlib.md5(" ".join(map(str, row)).encode()).hexdigest()[:8] for row in log)
    return (len(log), sum(int(digest, 16) for digest in digests))


def totals(log):
    sums = collections.defaultdict(lambda: [0, 0])
    for _, _, key, v in log:
        sums[key][0] += 1
        sums[key][1] += v
    return {key: tuple(pair) for key, pair in sums.items()}


def create_streams(database, topic):
    database.execute("CREATE TABLE events (kafka_partition int, kafka_offset bigint, key text, v bigint)")
    database.execute("CREATE TABLE totals (key text PRIMARY KEY, n bigint NOT NULL, v numeric NOT NULL)")
    database.execute("CREATE FOREIGN TABLE event_log (key text, v bigint) SERVER pipeline_kafka "
                     f"OPTIONS (topic '{topic}', format 'json')")


def begin_both(database, topic):
    consumers.begin(database, "events", topic, format="json", parallelism=PARALLELISM, batch_size=BATCH_SIZE)
    # Its workers meet each other's row locks and, as their groups come in any order, deadlocks.
    consumers.begin(database, "totals", topic, parallelism=PARALLELISM, batch_size=BATCH_SIZE, statement="""
        INSERT INTO totals AS t SELECT key, count(*), sum(v) FROM event_log GROUP BY key
        ON CONFLICT (key) DO UPDATE SET n = t.n + excluded.n, v = t.v + excluded.v""")


def messages_taken(database):
    """Of the consumer that is ahead: the other is then in the middle of its work too."""
    return database.value("SELECT coalesce(max(messages), 0) FROM kafka_stat_consumers")


def assert_rows_are(database, log):
    assert database.execute("SELECT kafka_partition, kafka_offset, count(*) FROM events "
                            "GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 10") == []
    per_partition = collections.Counter(partition for partition, *_ in log)
    assert dict(database.execute("SELECT kafka_partition, count(*) FROM events GROUP BY 1")) == per_partition
    assert database.execute(CHECKSUM) == [checksum(log)]


@pytest.mark.usefixtures("way")
def test_every_message_takes_effect_once_whatever_is_killed_or_restarted(own_db, own_broker):
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULT_SEED={seed}")
    chance = random.Random(seed)
    topic = own_broker.create_topic("events", PARTITIONS)
    create_streams(own_db, topic)
    own_broker.produce(topic, *events(chance, 0, MESSAGES_BEFORE), settings=PRODUCER)
    begin_both(own_db, topic)

    faults, names = Faults(own_db, own_broker, chance), chance.sample(FAULTS, len(FAULTS))
    sent, chunk = MESSAGES_BEFORE, (MESSAGES - MESSAGES_BEFORE) // len(names)
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        for name in names:
            due = sent - chance.randrange(chunk)
            wait_for(lambda due=due: messages_taken(own_db) >= due, 120, f"{due} messages",
                     ignore=psycopg.OperationalError)
            print(f"{name} after {due} messages")
            # Sent while the fault is there, so that the workers have something to do before, in and behind it.
            sending = background.submit(own_broker.produce, topic, *list(events(chance, sent, chunk)), settings=PRODUCER)
            faults.inflict(name)
            sending.result()
            sent += chunk
    assert sent == MESSAGES

    for stream in ("events", "totals"):
        consumers.wait_for_end(own_db, stream, topic)
    log = read_log(own_broker, topic)
    assert len(log) == MESSAGES
    assert_rows_are(own_db, log)
    assert {key: (n, v) for key, n, v in own_db.execute("SELECT * FROM totals")} == totals(log)


def test_a_select_beside_a_running_consumer_gives_all_rows_and_moves_no_offsets(db, broker, topic):
    chance = random.Random(7)
    name = topic(partitions=PARTITIONS)
    create_streams(db, name)
    broker.produce(name, *events(chance, 0, 20_000))
    consumers.begin(db, "events", name, format="json", parallelism=PARALLELISM, batch_size=500)
    source = db.value("SELECT source::text FROM pipeline_kafka_consumers WHERE stream = 'events'::regclass")
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        sending = background.submit(broker.produce, name, *list(events(chance, 20_000, 20_000)))
        while messages_taken(db) < 30_000:
            sent = sum(broker.watermarks(name, partition)[1] for partition in range(PARTITIONS))
            for table in (source, "event_log"):
                assert db.value(f"SELECT count(*) FROM {table}") >= sent
        sending.result()
    consumers.wait_for_end(db, "events", name)

    ends = {partition: broker.watermarks(name, partition)[1] for partition in range(PARTITIONS)}
    assert consumers.position(db, "events", name) == ends
    log = read_log(broker, name)
    assert sorted(db.execute(f"SELECT kafka_partition, kafka_offset, key, v FROM {source}")) == log
    assert db.value("SELECT count(*) FROM event_log") == len(log) == 40_000
    assert consumers.position(db, "events", name) == ends
    assert_rows_are(db, log)


def test_a_select_on_the_source_of_an_ended_consumer_leaves_its_place(db, broker, topic):
    name = topic(partitions=2)
    create_streams(db, name)
    broker.produce(name, *({"value": json.dumps({"key": "a", "v": v}), "partition": v % 2} for v in range(10)))
    consumers.begin(db, "events", name, format="json", parallelism=0)
    assert db.value("SELECT kafka_consume_once('events', %s, 4)", [name]) == 4
    place = consumers.position(db, "events", name)
    source = db.value("SELECT source::text FROM pipeline_kafka_consumers WHERE stream = 'events'::regclass")
    assert db.value(f"SELECT count(*) FROM {source}") == 10
    assert db.value("SELECT count(*) FROM event_log") == 10
    assert consumers.position(db, "events", name) == place
    while db.value("SELECT kafka_consume_once('events', %s)", [name]):
        pass
    assert_rows_are(db, read_log(broker, name))


@pytest.mark.parametrize("change", ["DELETE FROM events WHERE ctid = (SELECT min(ctid) FROM events)",
                                    "INSERT INTO events SELECT * FROM events LIMIT 1",
                                    "UPDATE events SET v = v + 1 WHERE ctid = (SELECT min(ctid) FROM events)",
                                    "UPDATE events SET kafka_offset = 99 WHERE ctid = (SELECT min(ctid) FROM events)"])
def test_the_comparison_sees_one_wrong_row(bare_db, change):
    bare_db.execute("CREATE TABLE events (kafka_partition int, kafka_offset bigint, key text, v bigint)")
    bare_db.execute("INSERT INTO events SELECT i % 2, i / 2, 'k' || i, i FROM generate_series(0, 9) AS i")
    log = [(i % 2, i // 2, f"k{i}", i) for i in range(10)]
    assert_rows_are(bare_db, log)
    bare_db.execute(change)
    with pytest.raises(AssertionError):
        assert_rows_are(bare_db, log)
