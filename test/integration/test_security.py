"""Whose rights a consumer's statement, its triggers and its defaults have."""

import pytest
from psycopg import errors
from support import consumers, wait_for


@pytest.fixture
def world(own_pg, broker):
    """A database where alice may make consumers."""
    database = own_pg.create_database()
    database.use_broker(broker)
    database.execute("""
        CREATE ROLE alice LOGIN;
        GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO alice;
        CREATE SCHEMA lab AUTHORIZATION alice;
        CREATE TABLE lab.ran_as (who name);
        ALTER TABLE lab.ran_as OWNER TO alice;
        GRANT INSERT ON lab.ran_as TO PUBLIC""")
    return database


def as_alice(database, statement, parameters=None):
    with database.connect(user="alice") as session:
        cursor = session.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def ran_as(database):
    return {who for (who,) in database.execute("SELECT who FROM lab.ran_as")}


# Leaves a query behind that runs at COMMIT, and does so with the rights of whoever commits.
EVIL = """
    CREATE FUNCTION lab.note() RETURNS int LANGUAGE plpgsql AS
      $$BEGIN INSERT INTO lab.ran_as SELECT current_user; RETURN 1; END$$;
    CREATE FUNCTION lab.leave_cursor() RETURNS int LANGUAGE plpgsql AS
      $$BEGIN EXECUTE 'DECLARE evil CURSOR WITH HOLD FOR SELECT lab.note()'; RETURN 1; END$$;
"""


def test_a_trigger_gets_nothing_of_the_superuser_who_calls_once(world, broker, topic):
    name = topic()
    as_alice(world, EVIL + """
        CREATE TABLE lab.stream (n bigint);
        CREATE FUNCTION lab.evil_trigger() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN PERFORM lab.leave_cursor(); RETURN NEW; END$$;
        CREATE TRIGGER evil BEFORE INSERT ON lab.stream FOR EACH ROW EXECUTE FUNCTION lab.evil_trigger()""")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [name])
    broker.produce(name, "1")
    with pytest.raises(errors.InsufficientPrivilege, match="security-restricted operation"):
        world.execute("SELECT kafka_consume_once('lab.stream', %s)", [name])
    assert ran_as(world) == set()


def test_a_deferred_trigger_gets_nothing_of_the_superuser_who_calls_once(world, broker, topic):
    name = topic()
    as_alice(world, """
        CREATE TABLE lab.stream (n bigint);
        CREATE FUNCTION lab.note() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN INSERT INTO lab.ran_as SELECT current_user; RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON lab.stream DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION lab.note()""")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [name])
    broker.produce(name, "1")
    with pytest.raises(errors.InsufficientPrivilege, match="security-restricted operation"):
        world.execute("SELECT kafka_consume_once('lab.stream', %s)", [name])
    assert as_alice(world, "SELECT kafka_consume_once('lab.stream', %s)", [name]) == [(1,)]
    assert ran_as(world) == {"alice"}


@pytest.mark.parametrize("call", ["kafka_consume_begin('lab.stream', %(topic)s, format => 'csv')",
                                  "kafka_consume_begin(0, 'csv')"])
def test_what_the_planner_folds_gets_nothing_of_the_superuser_who_calls_begin(world, topic, call):
    name = topic()
    as_alice(world, EVIL + """
        CREATE FUNCTION lab.only_as_alice() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
          $$BEGIN RAISE WARNING 'folded as %', current_user; RETURN 1; END$$;
        CREATE FUNCTION lab.falsely_immutable() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
          $$BEGIN RETURN lab.leave_cursor(); END$$;
        CREATE TABLE lab.stream (n bigint, kept int DEFAULT 1)""")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0, columns => '{n}')", [name])
    as_alice(world, "ALTER TABLE lab.stream ALTER kept SET DEFAULT lab.only_as_alice()")
    warnings = []
    with world.connect() as session:
        session.add_notice_handler(lambda d: warnings.append(d.message_primary))
        session.execute("SELECT " + call, {"topic": name})
    assert "folded as alice" in warnings and "folded as postgres" not in warnings
    as_alice(world, "ALTER TABLE lab.stream ALTER kept SET DEFAULT lab.falsely_immutable()")
    with pytest.raises(errors.InsufficientPrivilege, match="security-restricted operation"):
        world.execute("SELECT " + call.replace("csv", "text"), {"topic": name})
    assert ran_as(world) == set()


# --- owners that change ---

def test_a_dropped_owner_hides_nothing_of_others_and_drop_still_works(world, topic):
    name = topic()
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [name])
    world.execute("""
        INSERT INTO pipeline_kafka_errors (consumer_id, topic, partition, message_offset, sqlstate, error)
            SELECT id, topic, 0, 0, '22P02', 'bad' FROM pipeline_kafka_consumers;
        CREATE ROLE bob LOGIN""")
    assert as_alice(world, "SELECT count(*) FROM pipeline_kafka_errors") == [(1,)]
    world.execute("REASSIGN OWNED BY alice TO postgres; DROP OWNED BY alice; DROP ROLE alice")
    with world.connect(user="bob") as session:
        assert session.execute("SELECT count(*) FROM pipeline_kafka_errors").fetchall() == [(0,)]
    world.execute("SELECT kafka_consume_drop('lab.stream', %s)", [name])
    assert world.value("SELECT count(*) FROM pg_foreign_table") == 0


def test_drop_by_a_superuser_runs_event_triggers_of_nobody_else(world, topic):
    name = topic()
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [name])
    world.execute("""
        CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS
          $$BEGIN INSERT INTO lab.ran_as SELECT current_user; END$$;
        CREATE EVENT TRIGGER note ON sql_drop EXECUTE FUNCTION note()""")
    world.execute("SELECT kafka_consume_drop('lab.stream', %s)", [name])
    assert ran_as(world) == {"alice"}


def test_admin_of_a_role_alone_changes_nothing(world, topic):
    if int(world.value("SHOW server_version_num")) < 160000:
        pytest.skip("a membership without its rights is new in PostgreSQL 16")
    name = topic()
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [name])
    world.execute("CREATE ROLE bob LOGIN; GRANT alice TO bob WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    with world.connect(user="bob") as session:
        assert session.execute("SELECT count(*) FROM pipeline_kafka_consumers").fetchall() == [(0,)]
        assert session.execute("SELECT kafka_consume_end()").fetchall() == [(0,)]
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute("SELECT kafka_consume_drop('lab.stream', %s)", [name])


def test_begin_of_all_goes_on_past_an_owner_that_is_gone(world, topic):
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [topic()])
    world.execute("REASSIGN OWNED BY alice TO postgres; DROP OWNED BY alice; DROP ROLE alice")
    world.execute("CREATE TABLE stream (n bigint)")
    world.execute("SELECT kafka_consume_begin('stream', %s, 0)", [topic()])
    warnings = []
    with world.connect() as session:
        session.add_notice_handler(lambda d: warnings.append(d.message_primary))
        assert session.execute("SELECT kafka_consume_begin()").fetchall() == [(1,)]
    assert any("does not exist" in warning for warning in warnings), warnings


def test_begin_of_all_goes_on_past_an_owner_who_may_not_log_in(world, topic):
    if int(world.value("SHOW server_version_num")) >= 170000:
        pytest.skip("since PostgreSQL 17 workers need no login")
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, 0)", [topic()])
    world.execute("ALTER ROLE alice NOLOGIN; CREATE TABLE stream (n bigint)")
    world.execute("SELECT kafka_consume_begin('stream', %s, 0)", [topic()])
    assert world.value("SELECT kafka_consume_begin(1)") == 1


@pytest.mark.pg_settings(log_min_messages="debug1")  # the postmaster tells of processes that it forgets
def test_a_worker_whose_role_may_not_log_in_is_not_started_again(world, own_pg, broker, topic):
    if int(world.value("SHOW server_version_num")) >= 170000:
        pytest.skip("since PostgreSQL 17 workers need no login")
    name = topic()
    as_alice(world, "CREATE TABLE lab.stream (n bigint)")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s)", [name])
    wait_for(lambda: consumers.workers(world), what="a worker")
    world.execute("ALTER ROLE alice NOLOGIN")
    assert world.value("SELECT pg_terminate_backend(%s)", consumers.workers(world))
    refused = "is not permitted to log in"
    wait_for(lambda: refused in own_pg.log.read(), what="a refused connection")
    wait_for(lambda: "unregistering background worker \"kafka consumer" in own_pg.log.read(), what="its end")
    assert own_pg.log.read().count(refused) == 1
    state, detail = world.execute("SELECT state, detail FROM kafka_stat_consumers")[0]
    assert (state, detail) == ("waiting", "Slot 0 has no worker process.")


def test_a_role_that_takes_an_owners_name_gets_nothing_of_its_rights(world, broker, topic):
    """Owners are kept by name; the workers of the renamed role must not run for the one that has its name now."""
    name = topic()
    as_alice(world, f"""CREATE TABLE lab.stream (n bigint);
                        CREATE FOREIGN TABLE lab.source (n bigint) SERVER pipeline_kafka
                          OPTIONS (topic '{name}', format 'text')""")
    statement = "INSERT INTO lab.ran_as SELECT current_user FROM lab.source"
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s, statement => %s)", [name, statement])
    broker.produce(name, "1")
    wait_for(lambda: ran_as(world) == {"alice"}, what="alice's row")
    world.execute("TRUNCATE lab.ran_as; ALTER ROLE alice RENAME TO alicia; CREATE ROLE alice LOGIN")
    wait_for(lambda: not consumers.workers(world), what="the end of the worker")
    world.execute("""GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO alice; GRANT USAGE ON SCHEMA lab TO alice;
                     GRANT INSERT ON lab.stream TO alice; GRANT SELECT ON lab.source TO alice""")
    broker.produce(name, "2")
    as_alice(world, "SELECT kafka_consume_begin('lab.stream', %s)", [name])
    wait_for(lambda: ran_as(world), what="a row")
    assert ran_as(world) == {"alice"}


# --- processes ---

@pytest.mark.pg_settings(max_worker_processes=3)
def test_a_slot_without_a_process_is_seen_and_a_begin_takes_none_that_others_need(world, broker, topic):
    # The launcher has one process, that of logical replication another; parallel queries are off.
    name = topic(partitions=3)
    world.execute("CREATE TABLE stream (n bigint)")
    warnings = consumers.begin(world, "stream", name, parallelism=5)
    assert any("no free worker process" in warning for warning in warnings)
    wait_for(lambda: consumers.workers(world), what="workers")
    consumers.wait_for_state(world, "stream", "waiting")
    detail, hint = world.execute("SELECT detail, hint FROM kafka_stat_consumers")[0]
    assert "has no worker process" in detail and "max_worker_processes" in hint


@pytest.mark.pg_settings(max_worker_processes=4)
def test_a_begin_that_changes_nothing_needs_no_process(world, broker, topic):
    # The launchers have two processes, the workers the others.
    name = topic(partitions=2)
    consumers.wait_for_launcher(world)
    world.execute("CREATE TABLE stream (n bigint)")
    assert consumers.begin(world, "stream", name, parallelism=2) == []
    wait_for(lambda: len(consumers.workers(world)) == 2, what="workers")
    consumers.wait_for_state(world, "stream", "idle")
    assert consumers.begin(world, "stream", name) == []
    assert consumers.begin(world, "stream", name) == []


# --- what a call costs, and how long it may last ---

def test_transactions_that_only_read_take_no_transaction_id_after_a_begin(world, topic):
    world.execute("CREATE TABLE lab.stream (n bigint)")
    world.execute("SELECT kafka_consume_begin('lab.stream', %s, 0)", [topic()])
    next_id = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = world.value(next_id)
    for _ in range(50):
        world.execute("SELECT 1")
    assert world.value(next_id) - before < 50


@pytest.mark.parametrize("timeout", ["1000 years", "178000000 years"])
def test_a_wait_may_last_as_long_as_one_likes(world, broker, topic, timeout):
    name = topic()
    broker.produce(name, "1")
    world.execute("CREATE TABLE lab.stream (n bigint)")
    consumers.begin(world, "lab.stream", name)
    assert world.value("SELECT kafka_consume_wait('lab.stream', %s, %s::interval)", [name, timeout])
