"""max_rate: no more than so many messages a second."""

import pytest
from support import consumers, wait_for
from support.oracle import assert_each_once
from support.streams import produce

RATE = 200


def times(db):
    """When rows were committed at the earliest, in seconds."""
    return [float(at) for (at,) in db.execute("SELECT extract(epoch FROM at) FROM stream ORDER BY at")]


def assert_no_faster(moments, rate, burst):
    """In no span of time are there more messages than may come in it, and what was left of a second before."""
    for first in range(0, len(moments), 10):
        for last in range(first, len(moments), 10):
            allowed = rate * (moments[last] - moments[first]) + burst
            assert last - first <= allowed, (first, last, moments[last] - moments[first])


@pytest.fixture
def stream(db):
    db.execute("""CREATE TABLE stream (kafka_partition int, kafka_offset bigint, n bigint,
                                       at timestamptz DEFAULT clock_timestamp())""")
    return "stream"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("parallelism", [1, 2])
def test_no_more_messages_than_max_rate_come_in_any_span(db, stream, broker, topic, parallelism):
    name = topic(partitions=2)
    for partition in range(2):
        produce(broker, name, 0, 1000, partition=partition)
    consumers.begin(db, stream, name, columns=["n"], max_rate=RATE, parallelism=parallelism)
    wait_for(lambda: db.value("SELECT count(*) FROM stream") >= 3 * RATE, what="three seconds' messages")
    # Whether the rate is reached depends on how busy the machine is; that it is not passed does not.
    moments = times(db)
    assert len(moments) < 2000
    assert_no_faster(moments, RATE, RATE)
    # What waits holds up nobody, and is taken when it may be.
    consumers.begin(db, stream, name, max_rate=0)
    consumers.wait_for_end(db, stream, name)
    assert_each_once(db, broker, name)


def test_a_rate_below_one_message_a_worker_and_second(db, stream, broker, topic):
    name = topic(partitions=4)
    broker.produce(name, *({"value": str(n), "partition": n % 4} for n in range(40)))
    consumers.begin(db, stream, name, columns=["n"], max_rate=2, parallelism=4)
    wait_for(lambda: db.value("SELECT count(*) FROM stream") >= 6, what="six messages")
    moments = times(db)
    assert_no_faster(moments, 2, 4)
    assert db.value("SELECT kafka_consume_end('stream', %s)", [name]) is True
