"""Databases that share a topic: each takes the partitions of its shard."""

import pytest
from support import consumers
from support.flow import Flow
from support.oracle import COORDINATES, assert_each_once, taken
from support.streams import produce, wait_for_error


@pytest.fixture
def databases(pg, broker):
    made = [pg.create_database() for _ in range(2)]
    for database in made:
        database.use_broker(broker)
        database.execute(COORDINATES)
    yield made
    for database in made:
        database.drop()


def partitions_of(database):
    return {partition for partition, _ in taken(database)}


def begin(database, topic, **arguments):
    consumers.begin(database, "stream", topic, **arguments)


@pytest.mark.usefixtures("way")
def test_two_databases_take_each_message_once_between_them(databases, broker, topic):
    name = topic(partitions=5)
    first, second = databases
    with Flow(broker, name, 5) as flow:
        begin(first, name, shard="0/2", parallelism=2, batch_size=100)
        begin(second, name, shard="1/2", parallelism=3, batch_size=100)
        flow.wait_for_more(2000)
        for pid in consumers.workers(first):
            first.execute("SELECT pg_terminate_backend(%s)", [pid])
        flow.wait_for_more(500)
    # kafka_consume_wait looks at the partitions of the shard alone.
    for database in databases:
        consumers.wait_for_end(database, "stream", name)
    assert partitions_of(first) == {0, 2, 4} and partitions_of(second) == {1, 3}
    both = taken(first) + taken(second)
    assert both == {(p, o): 1 for p in range(5) for o in range(broker.watermarks(name, p)[1])}
    assert first.value("SELECT count(*) FROM kafka_stat_partitions") == 3


def test_each_worker_of_a_shard_has_its_part(databases, broker, topic):
    """Also where all partitions of the shard are even."""
    name = topic(partitions=8)
    database = databases[0]
    begin(database, name, shard="0/2", parallelism=2)
    broker.produce(name, *({"value": str(n), "partition": n} for n in range(8)))
    consumers.wait_for_end(database, "stream", name)
    pids = database.execute("SELECT worker_pid, array_agg(partition ORDER BY partition) FROM kafka_stat_partitions "
                            "GROUP BY 1 ORDER BY 2")
    assert [parts for _, parts in pids] == [[0, 4], [2, 6]]


def test_a_shard_that_changes_leaves_no_message_out(databases, broker, topic):
    """The partitions that a database gets have no offsets there: they start at the beginning, or where they were left."""
    name = topic(partitions=4)
    database = databases[0]
    begin(database, name, shard="1/2")
    broker.produce(name, *({"value": str(n), "partition": n % 4} for n in range(40)))
    consumers.wait_for_end(database, "stream", name)
    assert partitions_of(database) == {1, 3}
    begin(database, name, shard="0/1")
    consumers.wait_for_end(database, "stream", name)
    assert_each_once(database, broker, name)


def test_a_shard_without_partitions_waits_for_them(databases, broker, topic):
    name = topic(partitions=1)
    database = databases[0]
    begin(database, name, shard="1/2")
    produce(broker, name, 0, 10)
    consumers.wait_for_state(database, "stream", "idle")
    consumers.wait_for_end(database, "stream", name)
    assert taken(database) == {}


def test_an_end_and_an_error_are_of_the_shard(databases, broker, topic):
    name = topic(partitions=2)
    first, second = databases
    broker.produce(name, "1", "bad", partition=1)
    produce(broker, name, 0, 5, partition=0)
    begin(first, name, shard="0/2", until="latest")
    begin(second, name, shard="1/2", until="latest")
    consumers.wait_for_state(first, "stream", "finished")
    assert wait_for_error(second)[1:4] == (name, 1, 1)
