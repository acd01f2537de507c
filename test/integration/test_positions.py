"""Positions that somebody else keeps: a consumer group's committed offsets, and where a consumer of the database is."""

import contextlib

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from support import consumers
from support.broker import QUIET
from support.flow import Flow


def commit(broker, group, topic, offsets):
    """As a client of that consumer group does."""
    with contextlib.closing(Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, **QUIET})) as member:
        member.commit(offsets=[TopicPartition(topic, partition, offset) for partition, offset in offsets.items()],
                      asynchronous=False)


def filled(broker, topic, partitions, count):
    name = topic(partitions=partitions)
    for partition in range(partitions):
        broker.produce(name, *(str(number) for number in range(count)), partition=partition)
    return name


def create_tail(database, topic, start, name="tail"):
    database.execute(f"""CREATE FOREIGN TABLE {name} (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
                                                      n int)
                         SERVER pipeline_kafka OPTIONS (topic '{topic}', format 'text', start '{start}')""")


def first_offsets(database):
    return dict(database.execute("SELECT part, min(offs) FROM tail GROUP BY part"))


def refusal(database, statement):
    """(SQLSTATE, message, hint)"""
    with pytest.raises(psycopg.Error) as error:
        database.execute(statement)
    return error.value.sqlstate, error.value.diag.message_primary, error.value.diag.message_hint


# --- group:NAME ---


def test_a_table_starts_where_a_consumer_group_is(db, broker, topic):
    name = filled(broker, topic, 3, 10)
    commit(broker, "movers", name, {0: 4, 2: 10})
    create_tail(db, name, "group:movers")
    assert first_offsets(db) == {0: 4, 1: 0}
    db.execute("""ALTER FOREIGN TABLE tail OPTIONS (SET start '{"0": "group:movers", "1": "latest", "2": -1}')""")
    assert first_offsets(db) == {0: 4, 2: 9}


def test_a_group_past_the_end_of_the_log_is_an_error(db, broker, topic):
    name = filled(broker, topic, 1, 10)
    commit(broker, "ahead", name, {0: 11})
    create_tail(db, name, "group:ahead")
    state, message, _ = refusal(db, "SELECT * FROM tail")
    assert state == "58P01" and "11" in message and "ahead" in message and name in message


def test_a_consumer_begins_and_seeks_where_a_group_is(db, broker, topic):
    name = filled(broker, topic, 2, 10)
    commit(broker, "movers", name, {0: 4})
    db.execute("CREATE TABLE stream (n int)")
    consumers.begin(db, "stream", name, parallelism=0, start="group:movers")
    assert consumers.position(db, "stream", name) == {0: 4, 1: 0}
    commit(broker, "movers", name, {1: 7})
    db.execute("SELECT kafka_consume_seek('stream', %s, 'group:movers')", [name])
    assert consumers.position(db, "stream", name) == {0: 4, 1: 7}


def test_a_topic_that_the_cluster_keeps_is_internal(db, broker, topic):
    commit(broker, "movers", topic(), {0: 0})
    assert db.value("SELECT internal FROM kafka_topics() WHERE topic = '__consumer_offsets'") is True


# --- stored ---

EVERYTHING = """
    SELECT part, count(*), count(DISTINCT offs), min(offs), max(offs) + 1, count(*) FILTER (WHERE tail)
      FROM (SELECT kafka_partition AS part, kafka_offset AS offs, false AS tail FROM {stream}
            UNION ALL SELECT part, offs, true FROM {tail}) AS everything GROUP BY part"""


def create_stream(database, name="stream"):
    database.execute(f"CREATE TABLE {name} (n int, kafka_partition int, kafka_offset bigint)")


def count_once(session, flow, stream="stream", tail="tail"):
    """Counts stream and tail together, which must hold each message sent before exactly once; returns how many of them
    the tail gave."""
    sent = flow.sent
    rows = session.execute(EVERYTHING.format(stream=stream, tail=tail), prepare=True).fetchall()
    for partition, count, distinct, first, end, _ in rows:
        assert (first, count, distinct) == (0, end, end), f"partition {partition}: {rows}"
    assert sum(row[1] for row in rows) >= sent
    return sum(row[5] for row in rows)


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_stream_and_tail_hold_every_message_once_beside_a_running_consumer(db, broker, topic, isolation):
    name = topic(partitions=3)
    create_stream(db)
    create_tail(db, name, "stored")
    session = db.connect()
    with Flow(broker, name, 3) as flow:
        consumers.begin(db, "stream", name, parallelism=2, batch_delay="20 ms")
        flow.wait_for_more()
        given = []
        for _ in range(40):
            with session.transaction():
                session.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                given += [count_once(session, flow) for _ in range(3)]
    assert any(given)
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM tail") == []


def test_a_consumer_is_seen_as_the_statement_sees_the_database(db, broker, topic):
    name = filled(broker, topic, 1, 10)
    create_stream(db)
    create_tail(db, name, "stored")
    before = db.connect()
    with before.transaction():
        before.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before.execute("SELECT count(*) FROM stream")
        consumers.begin(db, "stream", name, parallelism=0)
        with pytest.raises(psycopg.errors.UndefinedObject, match="no consumer reads"), before.transaction():
            before.execute("SELECT * FROM tail")
    with before.transaction():
        before.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert before.execute("SELECT count(*) FROM tail").fetchone() == (10,)
        db.execute("SELECT kafka_consume_once('stream', %s, 6)", [name])
        assert before.execute("SELECT count(*) FROM tail").fetchone() == (10,)
        assert before.execute("SELECT count(*) FROM stream").fetchone() == (0,)
        assert db.value("SELECT count(*) FROM tail") == 4
    with pytest.raises(ZeroDivisionError), before.transaction():
        before.execute("SELECT kafka_consume_once('stream', %s, 3)", [name])
        assert before.execute("SELECT array_agg(offs ORDER BY offs) FROM tail").fetchone() == ([9],)
        raise ZeroDivisionError
    assert first_offsets(db) == {0: 6}


def test_a_table_can_say_which_of_several_consumers_it_follows(db, broker, topic):
    name = filled(broker, topic, 2, 10)
    for stream in ("stream", "other"):
        create_stream(db, stream)
        consumers.begin(db, stream, name, parallelism=0)
    first, second = (number for number, in db.execute("SELECT id FROM kafka_stat_consumers ORDER BY id"))
    create_tail(db, name, "stored")
    state, message, hint = refusal(db, "SELECT * FROM tail")
    assert state == "22023" and f"{first}, {second}" in message and f"stored:{first}" in hint
    db.execute("SELECT kafka_consume_seek('stream', %s, '4')", [name])
    db.execute("SELECT kafka_consume_seek('other', %s, %s)", [name, '{"1": 7}'])
    create_tail(db, name, f"stored:{first}", "first_tail")
    assert db.value("SELECT count(*) FROM first_tail") == 12
    db.execute(f"ALTER FOREIGN TABLE tail OPTIONS (SET start 'stored:{second}')")
    assert first_offsets(db) == {0: 0, 1: 7}
    db.execute(f"""ALTER FOREIGN TABLE tail OPTIONS (SET start '{{"0": "stored:{first}", "1": "stored:{second}"}}')""")
    assert first_offsets(db) == {0: 4, 1: 7}
    # A consumer whose source it is comes before others of the topic.
    db.execute("ALTER FOREIGN TABLE tail OPTIONS (SET start 'stored')")
    create_stream(db, "third")
    consumers.begin(db, "third", name, source="tail", parallelism=0, start="9")
    assert first_offsets(db) == {0: 9, 1: 9}


def test_two_consumers_under_load_are_told_apart(db, broker, topic):
    name = topic(partitions=2)
    with Flow(broker, name, 2) as flow:
        for stream in ("stream", "other"):
            create_stream(db, stream)
            consumers.begin(db, stream, name, parallelism=1, batch_delay="30 ms")
        flow.wait_for_more()
        for stream, number in db.execute("SELECT stream::text, id FROM kafka_stat_consumers"):
            create_tail(db, name, f"stored:{number}", f"{stream}_tail")
        session = db.connect()
        for _ in range(20):
            for stream in ("stream", "other"):
                count_once(session, flow, stream, f"{stream}_tail")


def test_stored_names_a_consumer_that_reads_the_topic(db, broker, topic):
    name, another = filled(broker, topic, 1, 1), filled(broker, topic, 1, 1)
    create_tail(db, name, "stored")
    state, message, hint = refusal(db, "SELECT * FROM tail")
    assert state == "42704" and name in message and "kafka_consume_begin" in hint
    create_stream(db)
    consumers.begin(db, "stream", another, parallelism=0)
    number = db.value("SELECT id FROM kafka_stat_consumers")
    assert refusal(db, "SELECT * FROM tail")[0] == "42704"
    db.execute(f"ALTER FOREIGN TABLE tail OPTIONS (SET start 'stored:{number}')")
    assert refusal(db, "SELECT * FROM tail")[:2] == ("22023", f'consumer {number} does not read topic "{name}"')
    db.execute(f"ALTER FOREIGN TABLE tail OPTIONS (SET start 'stored:{number + 1}')")
    assert refusal(db, "SELECT * FROM tail")[:2] == ("42704", f"there is no consumer {number + 1}")


def test_a_role_that_may_read_the_table_needs_no_more(db, broker, topic):
    name = filled(broker, topic, 1, 10)
    create_stream(db)
    consumers.begin(db, "stream", name, parallelism=0, start="7")
    create_tail(db, name, "stored")
    reader = f"reader_{db.name}"
    db.execute(f"CREATE ROLE {reader}; GRANT SELECT ON tail TO {reader}")
    try:
        db.execute(f"SET ROLE {reader}")
        assert db.value("SELECT count(*) FROM pipeline_kafka_consumers") == 0
        assert db.value("SELECT count(*) FROM tail") == 3
    finally:
        db.execute(f"RESET ROLE; REVOKE ALL ON tail FROM {reader}; DROP ROLE {reader}")


def test_what_went_from_the_log_before_the_stored_offset_is_no_error(db, broker, topic):
    name = filled(broker, topic, 1, 10)
    create_stream(db)
    consumers.begin(db, "stream", name, parallelism=0, start="2")
    create_tail(db, name, "stored")
    broker.delete_records(name, 0, before=5)
    assert first_offsets(db) == {0: 5}
