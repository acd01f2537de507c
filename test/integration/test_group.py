"""group_id: what a consumer tells Kafka of where it is, and that this is never ahead of what is durable."""

import contextlib
import json
import time

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
from support import consumers, wait_for
from support.broker import QUIET
from support.flow import Flow
from support.oracle import COORDINATES, assert_each_once
from support.streams import produce


def published(broker, group, topic, partitions=1):
    """{partition: offset}, of those that the group has."""
    wanted = [TopicPartition(topic, number) for number in range(partitions)]
    with contextlib.closing(Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, **QUIET})) as member:
        # A coordinator that is being loaded says so.
        found = wait_for(lambda: member.committed(wanted, timeout=10), ignore=KafkaException, what="the group's coordinator")
    return {place.partition: place.offset for place in found if place.offset >= 0}


def wait_for_published(broker, group, topic, offsets):
    wait_for(lambda: published(broker, group, topic, len(offsets)) == offsets, what=f"{offsets} of group {group}")


def test_committed_offsets_are_published_and_nobody_reads_them(db, broker, topic):
    name = topic(partitions=2)
    db.execute(COORDINATES)
    produce(broker, name, 0, 10, partition=0)
    produce(broker, name, 10, 15, partition=1)
    consumers.begin(db, "stream", name, group_id="lag tools", parallelism=2)
    wait_for_published(broker, "lag tools", name, {0: 10, 1: 5})
    with contextlib.closing(Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "lag tools", **QUIET})) as member:
        member.commit(offsets=[TopicPartition(name, 0, 3)], asynchronous=False)
    produce(broker, name, 15, 20, partition=0)
    consumers.wait_for_end(db, "stream", name)
    wait_for_published(broker, "lag tools", name, {0: 15, 1: 5})
    (pid, _) = consumers.workers(db)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    produce(broker, name, 20, 25, partition=1)
    consumers.wait_for_end(db, "stream", name)
    wait_for_published(broker, "lag tools", name, {0: 15, 1: 10})
    assert_each_once(db, broker, name)

    consumers.begin(db, "stream", name, group_id="other tools")  # though no message comes
    wait_for_published(broker, "other tools", name, {0: 15, 1: 10})


@pytest.mark.pg_settings(synchronous_commit="off", wal_writer_delay="10000ms", wal_writer_flush_after="0")
def test_published_is_never_ahead_of_what_is_stored_after_a_crash(own_pg, own_broker):
    """Commits wait for no disk here, so that a crash loses the newest ones."""
    database = own_pg.create_database()
    database.use_broker(own_broker)
    database.execute(COORDINATES)
    name = own_broker.create_topic("numbers", 2)
    with Flow(own_broker, name, 2) as flow:
        consumers.begin(database, "stream", name, group_id="tools", batch_size=50)
        for _ in range(4):
            before = published(own_broker, "tools", name, 2)
            flow.wait_for_more(1000)
            wait_for(lambda: published(own_broker, "tools", name, 2) != before, 60, "newer offsets")
            own_pg.stop("immediate")
            told = published(own_broker, "tools", name, 2)
            own_pg.restart()
            # Workers are back at once: the stored offsets only grow.
            stored = wait_for(lambda: consumers.position(database, "stream", name), ignore=psycopg.OperationalError)
            assert all(stored[partition] >= offset for partition, offset in told.items()), (stored, told)
    consumers.wait_for_end(database, "stream", name)
    assert_each_once(database, own_broker, name)


@pytest.mark.broker_settings(authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                             allow_everyone_if_no_acl_found="true")
def test_a_group_that_is_refused_holds_up_nobody_and_is_told_once(pg, bare_db, own_broker):
    name = own_broker.create_topic("numbers")
    denied = AclBinding(ResourceType.GROUP, "tools", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", AclOperation.READ,
                        AclPermissionType.DENY)
    for result in own_broker.admin.create_acls([denied]).values():
        result.result()
    bare_db.use_broker(own_broker)
    bare_db.execute(COORDINATES)
    produce(own_broker, name, 0, 10)
    consumers.begin(bare_db, "stream", name, group_id="tools")
    wait_for(lambda: "could not publish offsets" in pg.log.read(), what="the line in the log")
    for first in (10, 20):
        produce(own_broker, name, first, first + 10)
        consumers.wait_for_end(bare_db, "stream", name)
        bare_db.execute("SELECT pg_sleep(1.1)")  # it is tried once a second
    assert_each_once(bare_db, own_broker, name)
    assert pg.log.read().count("could not publish offsets") == 1


def test_a_coordinator_that_is_gone_does_not_hold_up_the_end_of_a_worker(pg, own_broker):
    database = pg.create_database()
    database.use_broker(own_broker)
    database.execute(COORDINATES)
    name = own_broker.create_topic("numbers")
    with Flow(own_broker, name, 1) as flow:
        consumers.begin(database, "stream", name, group_id="tools")
        wait_for(lambda: published(own_broker, "tools", name), what="the first offsets")
        flow.wait_for_more(500)
    own_broker.kill()  # with an answer to the newest ones outstanding, as likely as not
    database.execute("SELECT pg_sleep(1.1)")
    (pid,) = consumers.workers(database)
    database.close_sessions()
    start = time.monotonic()
    with pg.connect() as session:
        session.execute(f"DROP DATABASE {database.name} WITH (FORCE)")
        wait_for(lambda: not session.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall(),
                 what="the end of the worker")
    assert time.monotonic() - start < 5


# --- kafka_fdw.notify ---

def test_each_commit_is_notified_where_that_is_asked_for(db, broker, topic):
    name = topic()
    db.execute(COORDINATES)
    db.execute(f"ALTER DATABASE {db.name} SET kafka_fdw.notify = on")
    listener = db.connect()
    listener.execute("LISTEN kafka_consumed")
    produce(broker, name, 0, 10)
    consumers.begin(db, "stream", name, batch_size=4)
    consumers.wait_for_end(db, "stream", name)
    payloads = [json.loads(note.payload) for note in listener.notifies(timeout=5, stop_after=3)]
    assert [(p["stream"], p["topic"]) for p in payloads] == [("public.stream", name)] * 3
    assert sum(p["rows"] for p in payloads) == 10

    db.execute(f"ALTER DATABASE {db.name} RESET kafka_fdw.notify")
    (pid,) = consumers.workers(db)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    produce(broker, name, 10, 20)
    consumers.wait_for_end(db, "stream", name)
    db.execute("NOTIFY kafka_consumed, 'the end'")
    assert [note.payload for note in listener.notifies(timeout=5, stop_after=1)] == ["the end"]
