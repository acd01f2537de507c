"""Consumers act as their owners, with their privileges and nothing more."""

import psycopg
import pytest
from support import consumers, wait_for
from support.streams import numbers, produce, wait_for_error

pytestmark = pytest.mark.usefixtures("way")


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
