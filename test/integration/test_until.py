"""Consumers that end: `until`, and the state finished."""

import psycopg
import pytest
from support import consumers, wait_for
from support.streams import count, numbers, produce, wait_for_no_workers

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def stream(db):
    db.execute("CREATE TABLE stream (n bigint)")
    return "stream"


def wait_until_finished(db):
    consumers.wait_for_state(db, "stream", "finished")
    wait_for_no_workers(db)
    assert consumers.stat(db, "stream", "lag") == 0


def test_a_consumer_finishes_at_the_end_of_the_log_as_it_was(db, stream, broker, topic):
    name = topic(partitions=3)
    produce(broker, name, 0, 100)
    consumers.begin(db, stream, name, parallelism=2, until="latest", batch_size=7)
    wait_until_finished(db)
    produce(broker, name, 100, 150)
    assert numbers(db) == list(range(100))
    assert db.value("SELECT enabled FROM pipeline_kafka_consumers") is False
    assert db.value("SELECT kafka_consume_wait('stream', %s, '1 s', 'earliest')", [name]) is True
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        db.execute("SELECT kafka_consume_wait('stream', %s)", [name])

    consumers.begin(db, stream, name)  # from where it was to the end as it is now
    wait_until_finished(db)
    assert numbers(db) == list(range(150))
    assert consumers.begin(db, stream, name, until="never", batch_size=7) is not None
    produce(broker, name, 150, 160)
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == list(range(160))
    assert consumers.stat(db, stream, "state") in ("connecting", "running", "idle")


def test_partitions_that_an_end_does_not_name_end_where_they_are(db, stream, broker, topic):
    name = topic(partitions=2)
    produce(broker, name, 0, 10, partition=0)
    produce(broker, name, 10, 15, partition=1)
    consumers.begin(db, stream, name, until='{"0": 4}')
    wait_until_finished(db)
    produce(broker, name, 15, 20, partition=1)
    assert numbers(db) == [*range(4), *range(10, 15)]
    assert consumers.position(db, stream, name) == {0: 4, 1: 5}


def test_an_end_to_come_is_waited_for(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 5)
    consumers.begin(db, stream, name, until="8")
    wait_for(lambda: count(db) == 5, what="what is there")
    produce(broker, name, 5, 20)
    wait_until_finished(db)
    assert numbers(db) == list(range(8))


def test_an_end_by_time(db, stream, broker, topic):
    name = topic()
    broker.produce(name, *({"value": str(n), "timestamp": 1_700_000_000_000 + 1000 * n} for n in range(10)))
    consumers.begin(db, stream, name, start="2023-11-14 22:13:22+00", until="2023-11-14 22:13:26+00")
    wait_until_finished(db)
    assert numbers(db) == [2, 3, 4, 5]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="time to come"):
        consumers.begin(db, stream, name, until="2123-01-01")


def test_an_end_where_the_consumer_already_is(db, stream, broker, topic):
    name = topic(partitions=2)
    consumers.begin(db, stream, name, until="latest")
    wait_until_finished(db)
    assert count(db) == 0


def test_an_ended_consumer_that_is_stopped_and_begun_goes_on_to_the_same_end(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    consumers.begin(db, stream, name, parallelism=0, until="latest")
    assert db.value("SELECT kafka_consume_once('stream', %s, 3)", [name]) == 3
    db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    produce(broker, name, 10, 20)
    consumers.begin(db, stream, name, parallelism=1)
    wait_until_finished(db)
    assert numbers(db) == list(range(10))
    # Sought back, it takes the same once more.
    db.execute("SELECT kafka_consume_seek('stream', %s, '8')", [name])
    consumers.begin(db, stream, name)
    wait_until_finished(db)
    assert numbers(db) == sorted([*range(10), 8, 9])


def test_once_ends_there_too(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    consumers.begin(db, stream, name, parallelism=0, until="6")
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 6
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 0
    assert numbers(db) == list(range(6))


def test_an_end_needs_its_topic(db, stream):
    with pytest.raises(psycopg.Error, match="no-such-topic"):
        consumers.begin(db, stream, "no-such-topic", until="latest")
    assert db.value("SELECT count(*) FROM pipeline_kafka_consumers") == 0
