"""Consumers whose messages say what becomes of rows: each stream ends as a replay of its log, one by one, does."""

import json
import os
import random

import psycopg
import pytest
from support import consumers, wait_for
from support.envelopes import Source, replay_changes, replay_upserts, upserts
from support.faults import Faults
from support.streams import assert_no_crash, wait_for_error, wait_for_no_workers

PARTITIONS, WORKERS, MESSAGES = 4, 2, 3000
# What says which row a message is about: names of columns, their types, and keys of which some meet in every batch.
SINGLE = (["id"], ["int"], [(number,) for number in range(40)])
COMPOSITE = (["place", "nr"], ["text", "numeric"], [(f"p{number % 7}", number) for number in range(40)])


@pytest.fixture
def chance():
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)


def create_stream(database, names, types, name="stream", constraints=""):
    columns = ", ".join(f"{column} {of_type}" for column, of_type in zip(names, types, strict=True))
    database.execute(f"CREATE TABLE {name} ({columns}, name text, amount int, PRIMARY KEY ({', '.join(names)}){constraints})")


def rows(database, stream="stream"):
    return sorted(database.execute(f"SELECT * FROM {stream}"), key=repr)


def begin(database, topic, envelope, stream="stream", **arguments):
    return consumers.begin(database, stream, topic, envelope=envelope, **{"format": "json", "key_format": "json"} | arguments)


@pytest.mark.parametrize("names, types, keys", [SINGLE, COMPOSITE], ids=["one-column", "two-columns"])
def test_a_stream_of_upserts_ends_like_its_replay(db, broker, topic, chance, names, types, keys):
    name = topic(partitions=PARTITIONS)
    create_stream(db, names, types)
    broker.produce(name, *upserts(chance, names, keys, MESSAGES, PARTITIONS))
    begin(db, name, "upsert", parallelism=WORKERS, batch_size=chance.choice([5, 20, 300]))
    consumers.wait_for_end(db, "stream", name)
    assert rows(db) == replay_upserts(broker.consume(name), names)
    assert db.execute("SELECT messages, tombstones, rejected, rows <= messages FROM kafka_stat_consumers") == [
        (MESSAGES, 0, 0, True)]
    wait_for(lambda: consumers.stat(db, "stream", "apply") == "general", what="the way of applying")
    assert "deadlock detected" not in db.pg.log.read()


@pytest.mark.parametrize("names, types, keys", [SINGLE, COMPOSITE], ids=["one-column", "two-columns"])
def test_a_stream_of_debezium_ends_like_its_replay(db, broker, topic, chance, names, types, keys):
    name = topic(partitions=PARTITIONS)
    create_stream(db, names, types)
    broker.produce(name, *Source(chance, names, keys, PARTITIONS).changes(MESSAGES))
    begin(db, name, "debezium", parallelism=WORKERS, batch_size=chance.choice([5, 20, 300]))
    consumers.wait_for_end(db, "stream", name)
    assert rows(db) == replay_changes(broker.consume(name), names)


def test_keys_that_change_within_an_event_end_like_their_replay_whatever_the_batches(db, broker, topic, chance):
    name, names = topic(), ["id"]
    present, messages = {}, []
    for number in range(400):
        old = chance.choice([None, *present])
        before = present.pop(old, None)
        free = [key for key in range(12) if key not in present]
        after = {"id": chance.choice(free), "name": "x", "amount": number}
        present[after["id"]] = after
        messages.append({"key": json.dumps({"id": after["id"]}),
                         "value": json.dumps({"op": "c" if before is None else "u", "before": before, "after": after})})
        if len(present) > 8:
            gone = present.pop(chance.choice(list(present)))
            messages.append({"key": json.dumps({"id": gone["id"]}), "value": json.dumps({"op": "d", "before": gone})})
    broker.produce(name, *messages)
    expected = replay_changes(broker.consume(name), names)
    for batch_size in (1, 3, 17, 50_000):
        stream = f"stream_{batch_size}"
        create_stream(db, names, ["int"], stream)
        begin(db, name, "debezium", stream, batch_size=batch_size)
        consumers.wait_for_end(db, stream, name)
        assert rows(db, stream) == expected, batch_size


@pytest.mark.parametrize("envelope", ["upsert", "debezium"])
def test_a_consumer_killed_in_the_middle_ends_like_the_replay(own_db, own_broker, chance, envelope):
    names, types, keys = COMPOSITE
    topic = own_broker.create_topic("changes", PARTITIONS)
    create_stream(own_db, names, types)
    if envelope == "upsert":
        own_broker.produce(topic, *upserts(chance, names, keys, MESSAGES, PARTITIONS))
    else:
        own_broker.produce(topic, *Source(chance, names, keys, PARTITIONS).changes(MESSAGES))
    begin(own_db, topic, envelope, parallelism=WORKERS, batch_size=20)
    faults = Faults(own_db, own_broker, chance)
    for share, name in ((0.2, "kill_worker"), (0.4, "terminate_workers"), (0.6, "crash_postgres")):
        wait_for(lambda share=share: consumers.stat(own_db, "stream", "messages") >= share * MESSAGES,
                 what="messages", ignore=psycopg.OperationalError)
        faults.inflict(name)
    consumers.wait_for_end(own_db, "stream", topic)
    replay = replay_upserts if envelope == "upsert" else replay_changes
    log = own_broker.consume(topic)
    assert rows(own_db) == replay(log, names)
    assert consumers.stat(own_db, "stream", "messages") == len(log)


def test_workers_that_meet_at_the_same_rows_end_with_the_same_in_both_and_hardly_ever_deadlock(db, broker, topic):
    """Each partition has all keys, now upwards, now downwards. What the last turn says is the same in both."""
    name, turns, numbers = topic(partitions=2), 8, range(300)
    create_stream(db, ["id"], ["int"])
    for turn in range(turns):
        for partition in range(2):
            order = numbers if partition == turn % 2 else reversed(numbers)
            broker.produce(name, partition=partition, *(
                {"key": str(number), "value": None if (number + turn + partition) % 3 == 0 and turn + 1 < turns
                 else json.dumps({"amount": turn})} for number in order))
    begin(db, name, "upsert", parallelism=2, batch_size=300)
    consumers.wait_for_end(db, "stream", name)
    assert rows(db) == [(number, None, turns - 1) for number in sorted(numbers, key=lambda number: repr((number, None)))]
    # Rows are locked by key. Only one that the other worker makes between a batch's snapshot and its turn can cross, and
    # then the batch is tried again; without the order it happens with most batches.
    assert db.pg.log.read().count("backoff: deadlock detected") <= 2


def test_bad_messages_are_set_aside_and_the_others_end_like_their_replay(db, broker, topic, chance):
    names, types, keys = SINGLE
    name = topic(partitions=PARTITIONS)
    create_stream(db, names, types, constraints=", CHECK (amount % 50 <> 7)")
    messages = list(upserts(chance, names, keys, 1500, PARTITIONS))
    for message in chance.sample(messages, 20):
        message["value" if chance.random() < 0.5 else "key"] = "no JSON"
    # One that no other of its key follows is refused for sure.
    messages.append({"key": json.dumps({"id": 1000}), "value": json.dumps({"amount": 57}), "partition": 0})
    broker.produce(name, *messages)
    begin(db, name, "upsert", parallelism=WORKERS, batch_size=100, on_error="dead_letter")
    consumers.wait_for_end(db, "stream", name)

    log = broker.consume(name)
    undecodable = [message for message in log if b"no JSON" in (message.key(), message.value())]
    decodable = [message for message in log if message not in undecodable]
    refused = [message for message in decodable
               if message.value() and (json.loads(message.value()).get("amount") or 0) % 50 == 7]
    assert rows(db) == replay_upserts([message for message in decodable if message not in refused], names)

    def places(found):
        return {(message.partition(), message.offset()) for message in found}

    errors = db.execute("SELECT partition, message_offset, sqlstate FROM pipeline_kafka_errors")
    assert {(partition, offset) for partition, offset, sqlstate in errors if sqlstate == "22P02"} == places(undecodable)
    # What another message of its key follows in a batch does not reach the table.
    by_statement = {(partition, offset) for partition, offset, sqlstate in errors if sqlstate == "23514"}
    assert by_statement and by_statement <= places(refused)
    assert len(errors) == len(undecodable) + len(by_statement) == consumers.stat(db, "stream", "rejected")


def test_a_consumer_stops_at_a_deletion_that_names_no_row(db, broker, topic):
    name = topic()
    create_stream(db, ["id"], ["int"])
    broker.produce(name, '{"id": 1, "name": "a"}', '{"id": 2, "name": "b"}', {"key": "1", "value": None}, '{"id": 3}')
    begin(db, name, "upsert", key_format="raw")
    sqlstate, _, _, offset, message = wait_for_error(db)
    assert (sqlstate, offset) == ("22004", 2) and "id" in message
    assert "key_format" in consumers.stat(db, "stream", "hint")
    assert rows(db) == [(1, "a", None), (2, "b", None)]
    wait_for_no_workers(db)
    begin(db, name, "upsert", key_format="json")
    consumers.wait_for_end(db, "stream", name)
    assert rows(db) == [(2, "b", None), (3, None, None)]


def test_two_databases_share_a_topic_up_to_its_end(db, pg, broker, topic, chance):
    names, types, keys = COMPOSITE
    name = topic(partitions=PARTITIONS)
    broker.produce(name, *upserts(chance, names, keys, 800, PARTITIONS))
    log = broker.consume(name)
    other = pg.create_database()
    try:
        other.use_broker(broker)
        for number, database in enumerate((db, other)):
            create_stream(database, names, types)
            begin(database, name, "upsert", parallelism=WORKERS, batch_size=30, shard=f"{number}/2", until="latest")
            consumers.wait_for_state(database, "stream", "finished")
            assert rows(database) == replay_upserts([message for message in log if message.partition() % 2 == number], names)
    finally:
        other.drop()


def test_a_running_consumer_follows_the_primary_key_of_its_stream(db, broker, topic):
    name = topic()
    create_stream(db, ["id"], ["int"])
    broker.produce(name, {"key": "1", "value": '{"name": "a", "amount": 1}'})
    begin(db, name, "upsert")
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT stream_pkey, ADD PRIMARY KEY (name)")
    broker.produce(name, {"key": '"a"', "value": '{"id": 2, "amount": 2}'})
    consumers.wait_for_end(db, "stream", name)
    assert rows(db) == [(2, "a", 2)]
    db.execute("ALTER TABLE stream DROP CONSTRAINT stream_pkey")
    broker.produce(name, {"key": '"a"', "value": None})
    assert wait_for_error(db)[0] == "55000"
    db.execute("ALTER TABLE stream ADD PRIMARY KEY (name)")
    wait_for(lambda: rows(db) == [], what="the deletion")
    assert_no_crash(db.pg)
