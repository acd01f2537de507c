"""How consumers live: restarts, shutdown, databases that are dropped or renamed, and what stops them and lets them go on."""

import contextlib
import hashlib
import json
import time

import psycopg
import pytest
from psycopg import sql
from support import consumers, wait_for
from support.flow import Flow

PROMPT_SECONDS = 5
CRASH = ("terminated by signal", "PANIC", "TRAP", "server process")


def produce(broker, topic, first, behind, partition=None):
    broker.produce(topic, *map(str, range(first, behind)), partition=partition)


def numbers(database, stream="stream"):
    return [n for (n,) in database.execute(f"SELECT n FROM {stream} ORDER BY n")]


def count(database):
    return database.value("SELECT count(*) FROM stream")


def make_stream(database, broker, topic, **arguments):
    """A stream of numbers whose consumer has taken 0 to 9."""
    database.execute("CREATE TABLE stream (n bigint)")
    produce(broker, topic, 0, 10)
    warnings = consumers.begin(database, "stream", topic, **arguments)
    consumers.wait_for_end(database, "stream", topic)
    return warnings


def wait_for_numbers(database, behind):
    wait_for(lambda: numbers(database) == list(range(behind)), what=f"numbers below {behind}",
             ignore=psycopg.OperationalError)


def wait_for_no_workers(database):
    wait_for(lambda: consumers.workers(database) == [], what="the end of the workers")


def wait_for_error(database, stream="stream"):
    """Waits until the consumer stands still with an error; gives (sqlstate, topic, partition, offset, message)."""
    consumers.wait_for_state(database, stream, "error")
    (row,) = database.execute("SELECT error_sqlstate, error_topic, error_partition, error_offset, last_error "
                              "FROM kafka_stat_consumers WHERE stream = %s::regclass", [stream])
    return row


def worker_names(session):
    """Of the whole server: workers of a dropped database are in none."""
    rows = session.execute("SELECT datname FROM pg_stat_activity WHERE backend_type = 'kafka consumer'").fetchall()
    return [name for (name,) in rows]


def assert_no_crash(server):
    log = server.log.read()
    assert not any(word in log for word in CRASH), log


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


# --- what stops a consumer ---

def test_a_bad_message_stops_the_consumer_where_it_is(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, *map(str, range(100)), "bad", *map(str, range(100, 120)))
    consumers.begin(db, "stream", name)
    (sqlstate, *place, message) = wait_for_error(db)
    assert (sqlstate, place) == ("22P02", [name, 0, 100])
    assert '"bad"' in message
    assert numbers(db) == list(range(100)) and consumers.position(db, "stream", name) == {0: 100}
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        consumers.wait_for_end(db, "stream", name)
    wait_for_no_workers(db)

    consumers.begin(db, "stream", name)  # tries the same message again
    assert wait_for_error(db)[1:4] == (name, 0, 100)
    assert numbers(db) == list(range(100))
    db.execute("SELECT kafka_consume_seek('stream', %s, '101')", [name])
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(120))
    assert consumers.stat(db, "stream", "state") in ("starting", "connecting", "running", "idle")


def test_a_bad_message_in_one_partition_stops_all_workers(db, broker, topic):
    name = topic(partitions=2)
    db.execute("CREATE TABLE stream (n bigint)")
    consumers.begin(db, "stream", name, parallelism=2)
    broker.produce(name, "bad", partition=1)
    assert wait_for_error(db)[1:4] == (name, 1, 0)
    wait_for_no_workers(db)
    produce(broker, name, 0, 5, partition=0)
    db.execute("SELECT kafka_consume_seek('stream', %s, %s)", [name, '{"1": 1}'])
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(5))


@pytest.mark.parametrize("constraint, sqlstate", [("CHECK (n <> 57)", "23514"), ("UNIQUE", "23505"),
                                                  ("UNIQUE DEFERRABLE INITIALLY DEFERRED", "23505")])
def test_an_error_of_the_statement_is_narrowed_down_to_the_message(db, broker, topic, constraint, sqlstate):
    name = topic()
    db.execute(f"CREATE TABLE stream (n bigint {constraint})")
    broker.produce(name, *map(str, range(57)), "57", *(["57"] if "UNIQUE" in constraint else []), "58", "59")
    bad = 58 if "UNIQUE" in constraint else 57
    consumers.begin(db, "stream", name)
    assert wait_for_error(db)[:4] == (sqlstate, name, 0, bad)
    assert numbers(db) == list(range(bad))
    db.execute("SELECT kafka_consume_seek('stream', %s, %s)", [name, str(bad + 1)])
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(bad)) + [58, 59]


def test_an_exception_of_a_trigger_is_narrowed_down_too(db, broker, topic):
    name = topic()
    db.execute("""CREATE TABLE stream (n bigint);
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN IF NEW.n = 5 THEN RAISE 'not this one'; END IF; RETURN NEW; END$$;
                  CREATE TRIGGER refuse BEFORE INSERT ON stream FOR EACH ROW EXECUTE FUNCTION refuse()""")
    produce(broker, name, 0, 9)
    consumers.begin(db, "stream", name)
    (sqlstate, *place, message) = wait_for_error(db)
    assert (sqlstate, place, message) == ("P0001", [name, 0, 5], "not this one")
    assert numbers(db) == list(range(5))
    db.execute("DROP TRIGGER refuse ON stream")
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(9))


def test_a_batch_that_the_statement_does_not_read_is_an_error(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    db.execute(f"CREATE FOREIGN TABLE source (n bigint) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text')")
    produce(broker, name, 0, 5)
    consumers.begin(db, "stream", name, statement="INSERT INTO stream SELECT n FROM source WHERE false")
    (sqlstate, *_, message) = wait_for_error(db)
    assert sqlstate == "55000" and "did not read" in message and name in message
    assert consumers.position(db, "stream", name).get(0, 0) == 0
    consumers.begin(db, "stream", name, statement="INSERT INTO stream SELECT n FROM source WHERE n > 2")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [3, 4]


def test_a_dropped_stream_is_an_error_until_it_is_there_again(pg, db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    db.execute("DROP TABLE stream")
    produce(broker, name, 10, 20)
    wait_for(lambda: db.value("SELECT state FROM kafka_stat_consumers") == "error", what="state error")
    assert "stream" in db.value("SELECT last_error FROM kafka_stat_consumers")
    assert_no_crash(pg)
    db.execute("CREATE TABLE stream (n bigint)")
    wait_for(lambda: numbers(db) == list(range(10, 20)), what="the messages since the drop")
    assert db.value("SELECT kafka_consume_drop('stream', %s)", [name]) == {"0": 20}


# --- what it follows ---

def test_a_column_added_to_the_stream_is_filled_from_the_next_batch_on(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, '{"n": 1, "m": "first"}')
    consumers.begin(db, "stream", name, format="json")
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream ADD COLUMN m text")
    broker.produce(name, '{"n": 2, "m": "second"}')
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream DROP COLUMN n")
    db.execute("ALTER TABLE stream RENAME TO flood")
    broker.produce(name, '{"n": 3, "m": "third"}')
    consumers.wait_for_end(db, "flood", name)
    assert db.execute("SELECT m FROM flood ORDER BY m NULLS FIRST") == [(None,), ("second",), ("third",)]


def test_workers_follow_the_stream_at_the_same_time(pg, db, broker, topic):
    name = topic(partitions=4)
    db.execute("CREATE TABLE stream (kafka_partition int, n bigint)")
    consumers.begin(db, "stream", name, parallelism=4, batch_delay="0")
    session = db.connect(autocommit=False)
    with Flow(broker, name, 4) as flow:
        for number in range(6):
            before = count(db)
            wait_for(lambda before=before: count(db) > before, what="more rows")
            session.execute(f"ALTER TABLE stream ADD more_{number} int, ALTER n TYPE {['int', 'bigint'][number % 2]}")
            wait_for(lambda: db.value("SELECT count(*) FROM pipeline_kafka_workers WHERE state = 'backoff' "
                                      "AND error_sqlstate = '55P03'") == 4, what="waiting workers")
            session.execute(f"ALTER TABLE stream DROP more_{number}")
            session.commit()
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(flow.sent))
    log = pg.log.read()
    assert "error: " not in log and log.count("backoff: ") == log.count("is locked by another transaction"), log


def test_a_column_added_in_text_is_the_next_field(db, broker, topic):
    name = topic()
    make_stream(db, broker, name)
    db.execute("ALTER TABLE stream ADD COLUMN t text DEFAULT 'none'")
    broker.produce(name, "10\tten")
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT n, t FROM stream WHERE n > 8 ORDER BY n") == [(9, "none"), (10, "ten")]
    broker.produce(name, "11")
    assert wait_for_error(db)[:4] == ("22P04", name, 0, 11)


def test_metadata_columns_of_the_stream(db, broker, topic):
    name = topic(partitions=2)
    db.execute("""CREATE TABLE stream (n bigint, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz,
                                       kafka_key text, kafka_headers jsonb, note text DEFAULT 'default')""")
    broker.produce(name, {"value": "7", "partition": 1, "key": "k", "timestamp": 1_600_000_000_123,
                          "headers": [("h", b"1"), ("h", b"2"), ("x", b"\xff")]}, {"value": "8", "partition": 0})
    consumers.begin(db, "stream", name, columns=["n"])
    consumers.wait_for_end(db, "stream", name)
    first, second = db.execute("SELECT n, kafka_partition, kafka_offset, extract(epoch FROM kafka_timestamp)::numeric, "
                               "kafka_key, kafka_headers, note FROM stream ORDER BY n")
    assert (*first[:3], float(first[3]), *first[4:]) == \
        (7, 1, 0, 1_600_000_000.123, "k", {"h": ["1", "2"], "x": "\\xff"}, "default")
    assert second[:3] == (8, 0, 0) and second[4] is None and second[5] in (None, {})


def test_a_stream_of_documents(db, broker, topic):
    name = topic()
    documents = [{"a": 1, "b": [1, 2]}, {"c": None}]
    db.execute("CREATE TABLE stream (kafka_offset bigint, doc jsonb)")
    broker.produce(name, *map(json.dumps, documents))
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        consumers.begin(db, "stream", name)
    assert "json" in raised.value.diag.message_hint
    consumers.begin(db, "stream", name, format="json")
    consumers.wait_for_end(db, "stream", name)
    assert [doc for (doc,) in db.execute("SELECT doc FROM stream ORDER BY kafka_offset")] == documents


def test_tombstones_are_skipped_and_counted(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, "1", {"value": None, "key": "k"}, "2", {"value": None, "key": "k"}, {"value": None, "key": "k"})
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2]
    assert db.execute("SELECT messages, rows, tombstones FROM kafka_stat_consumers") == [(5, 2, 3)]
    assert consumers.position(db, "stream", name) == {0: 5}


def test_a_source_that_shows_tombstones_receives_them(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (k text, gone boolean, n bigint)")
    db.execute(f"""CREATE FOREIGN TABLE source (k text OPTIONS ("key" 'true'), gone boolean OPTIONS (tombstone 'true'), n bigint)
                   SERVER pipeline_kafka OPTIONS (topic '{name}')""")
    broker.produce(name, {"value": '{"n": 1}', "key": "a"}, {"value": None, "key": "a"})
    consumers.begin(db, "stream", name, source="source")
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM stream ORDER BY gone") == [("a", False, 1), ("a", True, None)]


# --- who it is ---

@pytest.fixture
def alice(db):
    """Sessions of a role without rights but to begin consumers in this database."""
    name = "alice_" + db.name
    db.execute(f"""CREATE ROLE {name} LOGIN; GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO {name};
                   GRANT CREATE ON SCHEMA public TO {name};
                   CREATE TABLE stream (n bigint, who name DEFAULT current_user, session name DEFAULT session_user);
                   GRANT SELECT, INSERT ON stream TO {name}""")
    yield db.connect(user=name)
    db.execute(f"SELECT kafka_consume_end(); DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def begin_as(session, topic):
    session.execute("SELECT kafka_consume_begin('stream', %s, columns => '{n}')", [topic])


def test_a_worker_is_its_owner_and_waits_for_a_privilege(db, alice, broker, topic):
    name, role = topic(), alice.info.user
    produce(broker, name, 0, 1)
    begin_as(alice, name)
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM stream") == [(0, role, role)]
    db.execute(f"REVOKE INSERT ON stream FROM {role}")
    produce(broker, name, 1, 2)
    (sqlstate, *_, message) = wait_for_error(db)
    assert sqlstate == "42501" and "permission denied" in message
    db.execute(f"GRANT INSERT ON stream TO {role}")
    wait_for(lambda: numbers(db) == [0, 1], what="the message that waited")


def test_row_level_security_holds_for_the_worker(db, alice, broker, topic):
    name = topic()
    db.execute(f"""ALTER TABLE stream ENABLE ROW LEVEL SECURITY;
                   CREATE POLICY small ON stream TO {alice.info.user} USING (true) WITH CHECK (n < 3)""")
    produce(broker, name, 0, 3)
    begin_as(alice, name)
    consumers.wait_for_end(db, "stream", name)
    produce(broker, name, 3, 4)
    (sqlstate, *_, message) = wait_for_error(db)
    assert sqlstate == "42501" and "row-level security" in message
    assert numbers(db) == [0, 1, 2]


def test_only_the_owner_may_change_a_consumer(db, alice, broker, topic):
    name = topic()
    consumers.begin(db, "stream", name, columns=["n"])
    for call in ("kafka_consume_end('stream', %s)", "kafka_consume_drop('stream', %s)",
                 "kafka_consume_seek('stream', %s, 'latest')", "kafka_consume_once('stream', %s)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute("SELECT " + call, [name])
    assert alice.execute("SELECT kafka_consume_end()").fetchone() == (0,)
    assert alice.execute("SELECT count(*) FROM kafka_stat_consumers").fetchone() == (0,)
    assert len(wait_for(lambda: consumers.workers(db), what="the worker")) == 1


# --- what a statement means, and how long it may take ---

def test_names_in_a_statement_mean_what_they_meant_to_the_caller(db, broker, topic):
    """Also where the role's own search_path names another table."""
    name = topic()
    produce(broker, name, 0, 10)
    db.execute(f"""CREATE SCHEMA inner_schema; CREATE TABLE public.target (n bigint);
                   CREATE TABLE inner_schema.target (n bigint);
                   CREATE FOREIGN TABLE inner_schema.numbers (n bigint) SERVER pipeline_kafka
                     OPTIONS (topic '{name}', format 'text');
                   SET search_path = inner_schema, public""")
    consumers_begin = "SELECT kafka_consume_begin('target', %s, statement => 'INSERT INTO target SELECT n FROM numbers')"
    db.execute(consumers_begin, [name])
    consumers.wait_for_end(db, "target", name)
    assert db.value("SELECT count(*) FROM inner_schema.target") == 10
    assert db.value("SELECT count(*) FROM public.target") == 0


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


def test_a_message_too_large_for_an_index_is_found(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (t text); CREATE INDEX ON stream (t)")
    incompressible = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(2000))
    broker.produce(name, "fits", "fits too", incompressible, "after")
    consumers.begin(db, "stream", name)
    sqlstate, _, _, offset, _ = wait_for_error(db)
    assert (sqlstate, offset) == ("54000", 2)
    assert count(db) == 2


def test_a_privilege_on_the_server_that_comes_back_is_noticed(db, alice, broker, topic):
    name, role = topic(), alice.info.user
    produce(broker, name, 0, 10)
    begin_as(alice, name)
    consumers.wait_for_end(db, "stream", name)
    db.execute(f"REVOKE USAGE ON FOREIGN SERVER pipeline_kafka FROM {role}")
    (pid,) = consumers.workers(db)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert wait_for_error(db)[0] == "42501"
    produce(broker, name, 10, 20)
    db.execute(f"GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO {role}")
    wait_for(lambda: numbers(db) == list(range(20)), what="rows after the grant")
