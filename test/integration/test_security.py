"""Whose rights a consumer's statement, its triggers and its defaults have."""

import pytest
from psycopg import errors


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
