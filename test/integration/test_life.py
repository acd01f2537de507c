"""How consumers live: restarts, shutdown, and databases that are dropped or renamed."""

import contextlib
import time

import psycopg
import pytest
from psycopg import sql
from support import consumers, wait_for
from support.flow import Flow
from support.streams import assert_no_crash, make_stream, numbers, produce, wait_for_no_workers, wait_for_numbers

PROMPT_SECONDS = 5

pytestmark = pytest.mark.usefixtures("way")


def worker_names(session):
    """Of the whole server: workers of a dropped database are in none."""
    rows = session.execute("SELECT datname FROM pg_stat_activity WHERE backend_type = 'kafka consumer'").fetchall()
    return [name for (name,) in rows]


def promptly(action):
    start = time.monotonic()
    action()
    elapsed = time.monotonic() - start
    assert elapsed < PROMPT_SECONDS, f"{elapsed:.1f} s"


# --- restarts and shutdown ---

@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_consumers_of_all_databases_come_back_after_a_restart(own_pg, broker, topic, mode):
    databases = {topic(): own_pg.create_database() for _ in range(2)}
    for name, database in databases.items():
        database.use_broker(broker)
        assert make_stream(database, broker, name) == []
    assert all(len(consumers.workers(database)) == 1 for database in databases.values())
    own_pg.restart(mode)
    for name, database in databases.items():
        produce(broker, name, 10, 20)
        wait_for_numbers(database, 20)


@pytest.mark.pg_settings(shared_preload_libraries="")
def test_without_preload_begin_warns_and_brings_them_back(own_pg, broker, topic):
    database, name = own_pg.create_database(), topic()
    database.use_broker(broker)
    (warning,) = make_stream(database, broker, name)
    assert "restart" in warning
    own_pg.restart()
    produce(broker, name, 10, 20)
    assert wait_for(lambda: database.value("SELECT state FROM kafka_stat_consumers"),
                    ignore=psycopg.OperationalError) == "waiting"
    assert consumers.workers(database) == []
    assert database.value("SELECT kafka_consume_begin()") == 1
    wait_for_numbers(database, 20)


@pytest.mark.parametrize("load", [False, True], ids=["idle", "under load"])
def test_shutdown_is_prompt(own_pg, broker, topic, load):
    database, name = own_pg.create_database(), topic(partitions=3)
    database.use_broker(broker)
    database.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, n bigint)")
    consumers.begin(database, "stream", name, parallelism=3)
    with Flow(broker, name, 3) as flow:
        wait_for(lambda: numbers(database), what="rows")
        if load:
            promptly(lambda: own_pg.stop("fast"))
    if not load:
        consumers.wait_for_state(database, "stream", "idle")
        promptly(lambda: own_pg.stop("fast"))
    assert_no_crash(own_pg)
    own_pg.restart()
    wait_for_numbers(database, flow.sent)


# --- databases and the extension ---

@pytest.mark.parametrize("load", [False, True], ids=["idle", "under load"])
def test_drop_database_with_workers(pg, broker, topic, load):
    database, name = pg.create_database(), topic(partitions=2)
    database.use_broker(broker)
    database.execute("CREATE TABLE stream (n bigint)")
    consumers.begin(database, "stream", name, parallelism=2)
    with Flow(broker, name, 2) if load else contextlib.nullcontext():
        if load:
            wait_for(lambda: numbers(database), what="rows")
        else:
            consumers.wait_for_state(database, "stream", "idle")
        database.close_sessions()
        with pg.connect() as session:
            session.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database.name)))
            wait_for(lambda: worker_names(session) == [], what="the end of the workers")
    assert_no_crash(pg)


def test_rename_and_template_with_workers(pg, db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    copy = pg.database(db.name + "_copy")
    renamed = db.name + "_new"
    db.close_sessions()
    with pg.connect() as session:
        session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (copy.name, db.name))))
    try:
        produce(broker, name, 10, 20)
        wait_for_numbers(db, 20)

        assert consumers.workers(copy) == [] and numbers(copy) == list(range(10))
        (state, detail, hint), = copy.execute("SELECT state, detail, hint FROM kafka_stat_consumers")
        assert state == "stopped" and detail and "kafka_consume_begin()" in hint
        assert copy.value("SELECT kafka_consume_begin()") == 1
        wait_for_numbers(copy, 20)
    finally:
        copy.drop()

    db.close_sessions()
    with pg.connect() as session:
        session.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*map(sql.Identifier, (db.name, renamed))))
    db.name = renamed
    produce(broker, name, 20, 30)
    wait_for_numbers(db, 30)
    assert_no_crash(pg)


def test_drop_extension_with_workers(pg, db, broker, topic):
    name = topic(partitions=3)
    db.execute("CREATE TABLE stream (n bigint)")
    with Flow(broker, name, 3):
        consumers.begin(db, "stream", name, parallelism=3)
        wait_for(lambda: numbers(db), what="rows")
        promptly(lambda: db.execute("DROP EXTENSION kafka_fdw CASCADE"))
        wait_for_no_workers(db)
    assert_no_crash(pg)
    db.execute("TRUNCATE stream")
    db.use_broker(broker)
    make_again = topic()
    produce(broker, make_again, 0, 10)
    consumers.begin(db, "stream", make_again)
    consumers.wait_for_end(db, "stream", make_again)
    assert numbers(db) == list(range(10))


def test_a_cancelled_and_a_terminated_worker_go_on(db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    (pid,) = consumers.workers(db)
    db.execute("SELECT pg_cancel_backend(%s)", [pid])
    produce(broker, name, 10, 20)
    consumers.wait_for_end(db, "stream", name)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    produce(broker, name, 20, 30)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(30))


def test_a_long_batch_delay_holds_up_nobody(pg, broker, topic):
    name = topic()
    database = pg.create_database()
    database.use_broker(broker)
    make_stream(database, broker, name, batch_delay="30 s")
    produce(broker, name, 10, 11)
    with pg.connect() as session:
        database.close_sessions()
        promptly(lambda: session.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database.name))))
        wait_for(lambda: database.name not in worker_names(session), what="the end of the worker")


@pytest.mark.parametrize("command", ["DROP DATABASE {0}", "ALTER DATABASE {0} RENAME TO {1}",
                                     "CREATE DATABASE {1} TEMPLATE {0}", "DROP EXTENSION kafka_fdw CASCADE"])
def test_a_statement_that_takes_minutes_holds_up_nobody(pg, broker, topic, command):
    name, database = topic(), pg.create_database()
    database.use_broker(broker)
    database.execute(f"""CREATE TABLE stream (n bigint);
        CREATE FOREIGN TABLE source (n bigint) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text')""")
    produce(broker, name, 0, 5)
    consumers.begin(database, "stream", name,
                    statement="INSERT INTO stream SELECT n FROM source WHERE pg_sleep(n * 100) IS NOT NULL")
    of_extension = "EXTENSION" in command
    with (database if of_extension else pg).connect() as session:
        session.execute("SET statement_timeout = '60 s'")
        wait_for(lambda: session.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s",
                                         [database.name]).fetchall(), what="the statement")
        if not of_extension:
            database.close_sessions()
        promptly(lambda: session.execute(sql.SQL(command).format(*map(sql.Identifier, (database.name, "other_name")))))
    with contextlib.closing(pg.connect()) as session:
        for left in session.execute("SELECT datname FROM pg_database WHERE datname IN (%s, 'other_name')",
                                    [database.name]).fetchall():
            pg.database(*left).drop()
    assert_no_crash(pg)
