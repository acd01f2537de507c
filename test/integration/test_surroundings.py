"""Servers and databases around a consumer: start, other databases and copies, what idles, and what the log tells of it."""

import re

import psycopg
import pytest
from psycopg import sql
from support import consumers, wait_for
from support.flow import Flow
from support.oracle import COORDINATES
from support.streams import assert_no_crash, make_stream, numbers, produce, wait_for_numbers

def own_database(own_pg, broker):
    database = own_pg.create_database()
    database.use_broker(broker)
    return database


@pytest.mark.pg_settings(**{"kafka_fdw.autostart": "off"})
def test_without_autostart_nothing_starts_by_itself(own_pg, broker, topic):
    name, database = topic(), own_database(own_pg, broker)
    assert make_stream(database, broker, name) == []
    own_pg.restart()
    produce(broker, name, 10, 20)
    state = "SELECT state FROM kafka_stat_consumers"
    wait_for(lambda: database.value(state) == "waiting", ignore=psycopg.OperationalError, what="state waiting")
    consumers.wait_for_launcher(database)
    assert consumers.workers(database) == [] and numbers(database) == list(range(10))
    assert database.value("SELECT kafka_consume_begin()") == 1
    wait_for_numbers(database, 20)


def test_a_start_tells_of_a_copy_and_leaves_it_alone(own_pg, broker, topic):
    name, database = topic(), own_database(own_pg, broker)
    make_stream(database, broker, name)
    copy = own_pg.database(database.name + "_copy")
    database.close_sessions()
    with own_pg.connect() as session:
        session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (copy.name, database.name))))
    own_pg.restart()
    produce(broker, name, 10, 20)
    wait_for_numbers(database, 20)
    wait_for(lambda: "was begun in another database and is not started" in own_pg.log.read(), what="the warning")
    assert consumers.workers(copy) == [] and numbers(copy) == list(range(10))


def test_end_of_all_is_of_this_database(pg, db, broker, topic):
    """Also where consumers of both databases have the same id."""
    name, other = topic(), pg.create_database()
    try:
        other.use_broker(broker)
        for database in (db, other):
            make_stream(database, broker, name)
        assert db.value("SELECT id FROM pipeline_kafka_consumers") == other.value("SELECT id FROM pipeline_kafka_consumers")
        assert db.value("SELECT kafka_consume_end()") == 1
        (pid,) = consumers.workers(other)
        produce(broker, name, 100, 110)
        consumers.wait_for_end(other, "stream", name)
        assert consumers.workers(other) == [pid] and 109 in numbers(other) and 109 not in numbers(db)
    finally:
        other.drop()


def test_a_database_dropped_by_force_is_not_looked_for_again(pg, broker, topic):
    name, database = topic(partitions=2), pg.create_database()
    database.use_broker(broker)
    database.execute(COORDINATES)
    with Flow(broker, name, 2):
        consumers.begin(database, "stream", name, parallelism=2)
        wait_for(lambda: numbers(database), what="rows")
        for pid in consumers.workers(database):  # so that their restarts meet the end of the database
            database.execute("SELECT pg_terminate_backend(%s)", [pid])
        database.drop()
    with pg.connect() as session:
        # A worker that could not connect would be started again after a second.
        session.execute("SELECT pg_sleep(2.5)")
        pg.log.mark()
        session.execute("SELECT pg_sleep(1.5)")
        workers = session.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kafka consumer' "
                                  "AND datname IS NULL").fetchone()
    assert workers == (0,) and "FATAL" not in pg.log.read()
    assert_no_crash(pg)


def test_an_idle_worker_holds_nothing_and_does_nothing(db, broker, topic):
    name = topic(partitions=10)
    make_stream(db, broker, name, parallelism=2)
    consumers.wait_for_state(db, "stream", "idle")
    activity = """SELECT count(*), count(backend_xmin), count(backend_xid), count(xact_start), min(wait_event_type) FROM pg_stat_activity
                  WHERE backend_type = 'kafka consumer' AND datname = current_database()"""
    # It looks around once a second, so that a look at it may meet that.
    wait_for(lambda: db.execute(activity) == [(2, 0, 0, 0, "Extension")], what="workers at rest")

    def ticks():
        used = 0
        for pid in consumers.workers(db):
            fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
            used += int(fields[11]) + int(fields[12])  # hundredths of a second, of all threads
        return used
    before = ticks()
    db.execute("SELECT pg_sleep(2)")
    assert ticks() - before < 40  # a loop that spins would be ten times that


def test_the_log_tells_of_an_outage_once(own_db, own_pg, own_broker):
    own_broker.create_topic("numbers")
    make_stream(own_db, own_broker, "numbers")
    consumers.wait_for_state(own_db, "stream", "idle")
    own_pg.log.mark()
    own_broker.kill()
    consumers.wait_for_state(own_db, "stream", "backoff")
    own_db.execute("SELECT pg_sleep(3)")
    assert consumers.stat(own_db, "stream", "state") == "backoff"
    own_broker.restart()
    produce(own_broker, "numbers", 10, 20)
    consumers.wait_for_end(own_db, "stream", "numbers")
    wait_for(lambda: consumers.stat(own_db, "stream", "state") in ("running", "idle"), what="the end of the trouble")
    assert numbers(own_db) == list(range(20))
    lines = re.findall(r"consumer \d+, worker \d+: (\w+)", own_pg.log.read())
    assert lines.count("backoff") <= 3 and lines[-1] in ("running", "idle"), lines
    assert len(lines) <= 5, lines


def test_consumers_that_do_not_change_their_state_log_nothing(pg, db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    pg.log.mark()
    for first in range(10, 60, 10):
        produce(broker, name, first, first + 10)
        consumers.wait_for_end(db, "stream", name)
        consumers.wait_for_state(db, "stream", "idle")
    assert not re.search(r"consumer \d+, worker", pg.log.read()), pg.log.read()
