"""Messages that a consumer cannot take, and errors of its statement."""

import hashlib

import psycopg
import pytest
from support import consumers
from support.streams import count, numbers, produce, wait_for_error, wait_for_no_workers

pytestmark = pytest.mark.usefixtures("way")


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


def test_a_message_too_large_for_an_index_is_found(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (t text); CREATE INDEX ON stream (t)")
    incompressible = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(2000))
    broker.produce(name, "fits", "fits too", incompressible, "after")
    consumers.begin(db, "stream", name)
    sqlstate, _, _, offset, _ = wait_for_error(db)
    assert (sqlstate, offset) == ("54000", 2)
    assert count(db) == 2
