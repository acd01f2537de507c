"""Consumers for which there are too few worker processes, or too few of kafka_fdw.max_workers."""

import pytest
from support import consumers, wait_for
from support.flow import Flow
from support.streams import assert_no_crash, numbers, produce, wait_for_no_workers

FEW = {"max_worker_processes": 3, "max_logical_replication_workers": 0, "max_parallel_workers": 0}


@pytest.fixture
def few_db(own_pg, broker):
    database = own_pg.create_database()
    database.use_broker(broker)
    return database


def workers_of(database, stream):
    return consumers.stat(database, stream, "workers")


@pytest.mark.pg_settings(**FEW)  # the launcher takes one of three
def test_running_workers_take_the_slots_of_those_that_found_no_process(own_pg, few_db, broker, topic):
    name, other = topic(partitions=4), topic()
    few_db.execute("CREATE TABLE stream (kafka_partition int, n bigint); CREATE TABLE other (n bigint)")
    with Flow(broker, name, 4) as flow:
        assert any("free worker process" in warning for warning in consumers.begin(few_db, "stream", name, parallelism=4))
        wait_for(lambda: few_db.value("SELECT count(DISTINCT kafka_partition) FROM stream") == 4, 60, "all partitions")
        assert workers_of(few_db, "stream") == 2
        assert few_db.value("SELECT count(*) FROM kafka_stat_partitions WHERE worker_pid IS NULL") == 0
    consumers.wait_for_end(few_db, "stream", name)

    # A consumer of another topic waits until there is a process for it.
    consumers.begin(few_db, "other", other)
    assert consumers.stat(few_db, "other", "state") == "waiting"
    assert "no worker process" in consumers.stat(few_db, "other", "detail")
    few_db.execute("SELECT kafka_consume_begin('stream', %s, parallelism => 1)", [name])
    produce(broker, other, 0, 10)
    wait_for(lambda: numbers(few_db, "other") == list(range(10)), what="rows of the consumer that waited")
    assert numbers(few_db) == list(range(flow.sent))
    assert_no_crash(own_pg)


@pytest.mark.pg_settings(**FEW)
def test_slots_go_back_to_workers_of_their_own_when_there_are_processes_again(own_pg, few_db, broker, topic):
    name, other = topic(partitions=2), topic()
    few_db.execute("CREATE TABLE stream (kafka_partition int, n bigint); CREATE TABLE other (n bigint)")
    consumers.begin(few_db, "other", other)
    wait_for(lambda: workers_of(few_db, "other") == 1, what="a worker")
    with Flow(broker, name, 2) as flow:
        consumers.begin(few_db, "stream", name, parallelism=2)
        wait_for(lambda: few_db.value("SELECT count(DISTINCT kafka_partition) FROM stream") == 2, 60, "all partitions")
        assert workers_of(few_db, "stream") == 1
        few_db.execute("SELECT kafka_consume_end('other', %s)", [other])
        wait_for(lambda: workers_of(few_db, "stream") == 2, 60, "a second worker")
    consumers.wait_for_end(few_db, "stream", name)
    assert numbers(few_db) == list(range(flow.sent))
    assert_no_crash(own_pg)


@pytest.mark.pg_settings(**{"kafka_fdw.max_workers": 1})
def test_consumers_wait_for_their_turn_among_max_workers(few_db, broker, topic):
    name, other = topic(partitions=2), topic()
    few_db.execute("CREATE TABLE stream (kafka_partition int, n bigint); CREATE TABLE other (n bigint)")
    with Flow(broker, name, 2) as flow:
        consumers.begin(few_db, "stream", name, parallelism=2)
        wait_for(lambda: few_db.value("SELECT count(DISTINCT kafka_partition) FROM stream") == 2, 60, "all partitions")
        assert workers_of(few_db, "stream") == 1
    produce(broker, other, 0, 10)
    consumers.begin(few_db, "other", other)
    # Until its worker has come that far, the reason is that it is not there.
    wait_for(lambda: "max_workers" in (consumers.stat(few_db, "other", "detail") or ""), what="the reason")
    assert consumers.stat(few_db, "other", "state") == "waiting"
    consumers.wait_for_end(few_db, "stream", name)
    few_db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    wait_for(lambda: numbers(few_db, "other") == list(range(10)), what="rows of the consumer that waited")
    assert numbers(few_db) == list(range(flow.sent))
    few_db.execute("SELECT kafka_consume_end()")
    wait_for_no_workers(few_db)


@pytest.mark.pg_settings(**{"kafka_fdw.max_workers": 1})
def test_a_worker_that_leaves_hands_over_the_slots_of_others(own_pg, few_db, broker, topic):
    name = topic(partitions=3)
    few_db.execute("CREATE TABLE stream (kafka_partition int, n bigint)")
    with Flow(broker, name, 3) as flow:
        # Chance decides whose worker it is that has all three slots.
        for most in (1, 3, 3, 1, 3):  # partitions that it has before it leaves
            few_db.execute("SELECT kafka_consume_begin('stream', %s, parallelism => 3)", [name])
            wait_for(lambda: few_db.value("SELECT count(*) FROM kafka_stat_partitions WHERE worker_pid IS NOT NULL") >= most, 60,
                     "the partitions of one worker")
            few_db.execute("SELECT kafka_consume_begin('stream', %s, parallelism => 1)", [name])
            taken = flow.sent
            wait_for(lambda: few_db.value("SELECT count(*) FROM stream") >= taken, 60, "rows of the one worker")
    consumers.wait_for_end(few_db, "stream", name)
    assert numbers(few_db) == list(range(flow.sent))
    assert_no_crash(own_pg)
