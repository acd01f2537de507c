"""What goes wrong in the database under a consumer, and that it goes on by itself once it is mended."""

import contextlib
import os
import pathlib
import subprocess
import tempfile

import psycopg
import pytest
from support import consumers, wait_for
from support.oracle import COORDINATES, assert_each_once, wait_until_taken
from support.streams import assert_no_crash, count, numbers, produce, wait_for_error, wait_for_no_workers

both_ways = pytest.mark.usefixtures("way")


@pytest.fixture
def owner(db):
    """A role whose settings are a test's own, and whose consumers write to the stream."""
    name = "owner_" + db.name
    db.execute(f"""{COORDINATES}; CREATE ROLE {name} LOGIN; GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO {name};
                   GRANT CREATE ON SCHEMA public TO {name}; GRANT SELECT, INSERT ON stream TO {name}""")
    yield name
    db.execute("SELECT kafka_consume_end()")
    wait_for_no_workers(db)
    if db.value("SELECT to_regrole(%s) IS NOT NULL", [name]):
        db.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def begin_as(db, role, topic, **arguments):
    names = "".join(f", {name} => %({name})s" for name in arguments)
    with db.connect(user=role, options="-c default_transaction_read_only=off") as session:
        session.execute(f"SELECT kafka_consume_begin('stream', %(topic)s{names})", {"topic": topic, **arguments})


def wait_for_backoff(db, sqlstate):
    """The consumer is in trouble, and tries again."""
    wait_for(lambda: db.execute("SELECT state, error_sqlstate FROM kafka_stat_consumers") == [("backoff", sqlstate)],
             what=f"back-off for {sqlstate}")


def slow_trigger(seconds):
    return f"""CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
               $$BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END$$;
               CREATE TRIGGER be_slow BEFORE INSERT ON stream FOR EACH ROW EXECUTE FUNCTION be_slow()"""


# --- limits of time ---

def test_batches_that_take_too_long_are_halved(db, owner, broker, topic):
    name = topic()
    db.execute(slow_trigger(0.02))
    db.execute(f"ALTER ROLE {owner} SET statement_timeout = '500ms'")
    produce(broker, name, 0, 60)
    begin_as(db, owner, name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.value("SELECT count(DISTINCT xmin::text) FROM stream") >= 3


def test_messages_that_take_too_long_alone_are_bad_ones(db, owner, broker, topic):
    name = topic()
    db.execute(slow_trigger("CASE WHEN NEW.n IN (5, 8) THEN 60 ELSE 0 END"))
    db.execute(f"ALTER ROLE {owner} SET statement_timeout = '200ms'")
    produce(broker, name, 0, 10)
    begin_as(db, owner, name)
    assert wait_for_error(db)[:4] == ("57014", name, 0, 5)
    assert numbers(db) == list(range(5))
    begin_as(db, owner, name, on_error="dead_letter")
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.execute("SELECT message_offset, sqlstate FROM pipeline_kafka_errors") == [(5, "57014"), (8, "57014")]


@both_ways
def test_a_lock_that_is_not_to_be_had_in_time_is_waited_for(db, owner, broker, topic):
    name = topic()
    db.execute("CREATE UNIQUE INDEX ON stream (n)")
    db.execute(f"ALTER ROLE {owner} SET lock_timeout = '100ms'")
    session = db.connect(autocommit=False)
    session.execute("INSERT INTO stream (n) VALUES (3)")  # the index has it, undecided
    produce(broker, name, 0, 10)
    begin_as(db, owner, name)
    wait_for_backoff(db, "55P03")
    assert count(db) == 0
    session.rollback()
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)


@both_ways
def test_a_stream_that_is_locked_for_long_is_told_once(pg, db, broker, topic):
    name = topic()
    db.execute(COORDINATES)
    consumers.begin(db, "stream", name)
    consumers.wait_for_state(db, "stream", "idle")
    session = db.connect(autocommit=False)
    session.execute("LOCK TABLE stream")
    produce(broker, name, 0, 10)
    wait_for_backoff(db, "55P03")
    since = db.value("SELECT since FROM pipeline_kafka_workers")
    wait_for(lambda: db.value("SELECT clock_timestamp() > %s + interval '2 s'", [since]), what="two seconds")
    assert db.value("SELECT since FROM pipeline_kafka_workers") == since
    session.rollback()
    consumers.wait_for_end(db, "stream", name)
    wait_for(lambda: consumers.stat(db, "stream", "state") in ("running", "idle"), what="the end of the trouble")
    assert_each_once(db, broker, name)
    lines = [line for line in pg.log.read().splitlines() if "is locked by another transaction" in line]
    assert len(lines) == 1, lines


@both_ways
def test_a_deadlock_is_tried_again(db, owner, broker, topic):
    name = topic()
    db.execute("CREATE UNIQUE INDEX ON stream (n)")
    session = db.connect(autocommit=False)
    session.execute("SET deadlock_timeout = '1min'")  # so that the worker is the one that is ended
    session.execute("INSERT INTO stream (n) VALUES (9)")
    produce(broker, name, 0, 10)
    begin_as(db, owner, name)
    (pid,) = wait_for(lambda: consumers.workers(db), what="a worker")
    wait_for(lambda: db.value("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", [pid]) == "transactionid",
             what="the worker's waiting for the session")
    with pytest.raises(psycopg.errors.UniqueViolation):  # waits for the worker's 0, until that one gives way
        session.execute("WITH x AS (SELECT pg_sleep(0)) INSERT INTO stream (n) SELECT 0 FROM x; INSERT INTO stream (n) VALUES (9)")
    session.rollback()
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.value("SELECT error_sqlstate FROM kafka_stat_consumers") == "40P01"


# --- limits of space ---

def test_a_batch_that_needs_too_many_temporary_files_waits_until_it_may(db, owner, broker, topic):
    name = topic()
    db.execute(f"""CREATE FOREIGN TABLE source (kafka_partition int OPTIONS (partition 'true'),
                       kafka_offset bigint OPTIONS ("offset" 'true'), n bigint)
                   SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text');
                   GRANT SELECT ON source TO {owner};
                   ALTER ROLE {owner} SET work_mem = '64kB'; ALTER ROLE {owner} SET temp_file_limit = '64kB'""")
    produce(broker, name, 0, 20_000)
    begin_as(db, owner, name, batch_delay="1 s", statement="INSERT INTO stream SELECT * FROM source ORDER BY n DESC")
    wait_for_backoff(db, "53400")
    assert count(db) == 0
    db.execute(f"ALTER ROLE {owner} RESET temp_file_limit")
    (pid,) = consumers.workers(db)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)


@pytest.fixture
def small_disk(pg):
    """The folder of a file system of a few MB, for a tablespace."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder],
                                               capture_output=True).returncode != 0:
            pytest.skip("only root can mount a file system that gets full")
        os.chmod(folder, 0o777)
        space = pathlib.Path(folder) / "space"
        space.mkdir()
        owner = pathlib.Path(pg._dir).stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        try:
            yield space
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@both_ways
def test_a_full_disk_is_waited_for(pg, db, broker, topic, small_disk):
    name, space = topic(), "space_" + db.name
    db.execute(COORDINATES)
    db.execute(f"CREATE TABLESPACE {space} LOCATION '{small_disk}'")
    db.execute(f"ALTER TABLE stream SET TABLESPACE {space}")
    ballast = pathlib.Path(small_disk) / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        for _ in range(1000):
            file.write(b"x" * 65536)
    produce(broker, name, 0, 50_000)
    consumers.begin(db, "stream", name)
    wait_for_backoff(db, "53100")
    assert count(db) == 0
    ballast.unlink()
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    db.execute("SELECT kafka_consume_end(); DROP TABLE stream")
    db.execute(f"DROP TABLESPACE {space}")
    assert_no_crash(pg)


@both_ways
@pytest.mark.parametrize("fetch_buffer", ["1MB", "64MB"])
def test_one_huge_message(db, broker, topic, fetch_buffer):
    name = topic(config={"max.message.bytes": "30000000"})
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, t text)")
    db.execute(f"ALTER DATABASE {db.name} SET kafka_fdw.fetch_buffer = '{fetch_buffer}'")
    settings = {"message.max.bytes": 30_000_000}
    broker.produce(name, "small", "x" * 20_000_000, "small too", settings=settings)
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT length(t) FROM stream ORDER BY kafka_offset") == [(5,), (20_000_000,), (9,)]


# --- settings of the role and the database ---

@both_ways
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_the_isolation_level_of_the_role_does_not_matter(db, owner, broker, topic, level):
    name = topic(partitions=2)
    db.execute(f"ALTER ROLE {owner} SET default_transaction_isolation = '{level}';"
               f"ALTER ROLE {owner} SET default_transaction_deferrable = on")
    begin_as(db, owner, name, parallelism=2)
    for first in range(0, 50, 10):
        produce(broker, name, first, first + 10, partition=first // 10 % 2)
        consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)


@both_ways
def test_a_role_that_may_only_read_waits_until_it_may_write(db, owner, broker, topic):
    name = topic()
    db.execute(f"ALTER ROLE {owner} SET default_transaction_read_only = on")
    produce(broker, name, 0, 10)
    begin_as(db, owner, name, on_error="ignore")
    wait_for_backoff(db, "25006")
    assert count(db) == 0
    db.execute(f"ALTER ROLE {owner} RESET default_transaction_read_only")
    (pid,) = consumers.workers(db)
    db.execute("SELECT pg_terminate_backend(%s)", [pid])
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)


# --- roles and privileges ---

@both_ways
def test_row_level_security_that_is_enabled_later_holds_from_then_on(db, owner, broker, topic):
    name = topic()
    produce(broker, name, 0, 5)
    begin_as(db, owner, name)
    consumers.wait_for_end(db, "stream", name)
    db.execute(f"""ALTER TABLE stream ENABLE ROW LEVEL SECURITY;
                   CREATE POLICY small ON stream TO {owner} USING (true) WITH CHECK (n < 8)""")
    produce(broker, name, 5, 10)
    sqlstate, *_, message = wait_for_error(db)
    assert sqlstate == "42501" and "row-level security" in message
    assert numbers(db) == list(range(5))
    db.execute("DROP POLICY small ON stream; ALTER TABLE stream DISABLE ROW LEVEL SECURITY")
    wait_until_taken(db, broker, name)


def test_a_worker_whose_role_is_dropped_ends_and_stays_away(pg, db, owner, broker, topic):
    name = topic()
    produce(broker, name, 0, 5)
    begin_as(db, owner, name)
    consumers.wait_for_end(db, "stream", name)
    db.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")
    produce(broker, name, 5, 10)
    wait_for_no_workers(db)
    assert numbers(db) == list(range(5))
    assert consumers.stat(db, "stream", "state") == "error"
    assert owner in consumers.stat(db, "stream", "detail")
    log = pg.log.read()
    assert log.count("does not belong to role") <= 1, log
    assert_no_crash(pg)


# --- the stream ---

@both_ways
def test_a_type_that_messages_do_not_fit_any_more_stops_the_consumer(db, broker, topic):
    name = topic()
    db.execute(COORDINATES)
    produce(broker, name, 0, 5)
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream ALTER n TYPE numeric(3, 1)")
    broker.produce(name, "5.5")
    consumers.wait_for_end(db, "stream", name)
    broker.produce(name, "100")
    assert wait_for_error(db)[:4] == ("22003", name, 0, 6)
    db.execute("ALTER TABLE stream ALTER n TYPE text")
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.execute("SELECT n FROM stream ORDER BY kafka_offset OFFSET 4") == [("4.0",), ("5.5",), ("100",)]


def test_a_trigger_cannot_change_its_own_consumer(db, broker, topic):
    name = topic()
    db.execute(COORDINATES)
    db.execute(f"""CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
                   $$BEGIN PERFORM kafka_consume_end('stream', '{name}'); RETURN NEW; END$$;
                   CREATE TRIGGER meddle BEFORE INSERT ON stream FOR EACH ROW WHEN (NEW.n = 5) EXECUTE FUNCTION meddle()""")
    produce(broker, name, 0, 10)
    consumers.begin(db, "stream", name)
    sqlstate, *_, message = wait_for_error(db)
    assert sqlstate == "55000" and "cannot change it" in message
    db.execute("DROP TRIGGER meddle ON stream")
    wait_until_taken(db, broker, name)
