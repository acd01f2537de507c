"""Scans that several processes share, over more messages than one fetch brings."""

import json

import psycopg
import pytest
from support import wait_for

COUNT = 300_000
SETTINGS = {"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "max_parallel_workers_per_gather": 3,
            "max_parallel_workers": 8, "kafka_fdw.fetch_buffer": "'8MB'"}


@pytest.fixture
def session(db):
    with db.connect() as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"SET {name} = {value}")
        yield connection


def create_table(session, topic, columns="n int"):
    session.execute(f"""CREATE FOREIGN TABLE log (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
                                                  {columns}) SERVER pipeline_kafka OPTIONS (topic '{topic}')""")


def fill(broker, topic, partitions, bad=()):
    broker.produce(topic, *({"partition": number % partitions,
                             "value": "bad" if number in bad else json.dumps({"n": number, "text": "x" * 40})}
                            for number in range(COUNT)))


def scan_of(session, query):
    plan, = session.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}").fetchone()[0]
    plan = plan["Plan"]
    while plan["Node Type"] != "Foreign Scan":
        plan = plan["Plans"][-1]
    return plan


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("leader", ["on", "off"])
def test_every_message_is_read_once(session, broker, topic, partitions, leader):
    name = topic(partitions)
    fill(broker, name, partitions)
    create_table(session, name)
    session.execute(f"SET parallel_leader_participation = {leader}")
    for where, expected in [("true", range(COUNT)), ("offs % 1000 < 500 AND part = 0", None), ("offs >= 50000", None)]:
        expected = expected or [n for n in range(COUNT) if where.startswith("offs >") and n // partitions >= 50000
                                or where.startswith("offs %") and n // partitions % 1000 < 500 and n % partitions == 0]
        found = session.execute(f"SELECT count(*), count(DISTINCT n), sum(n) FROM log WHERE {where}").fetchone()
        assert found == (len(expected), len(expected), sum(expected)), where
    scan = scan_of(session, "SELECT sum(n) FROM log")
    read = [process["Messages"] for process in scan["Processes"]]
    assert sum(read) == scan["Messages"] == COUNT
    if leader == "off":
        assert read[0] == 0 and sum(messages > 0 for messages in read) >= 2, read


def test_the_work_of_rescans_is_added_up(session, broker, topic):
    """Each rescan has workers of its own."""
    name = topic()
    broker.produce(name, *('{"n": 1}' for _ in range(60_000)))
    create_table(session, name)
    for method in ("material", "hashjoin", "mergejoin"):
        session.execute(f"SET enable_{method} = off")
    query = "SELECT * FROM (VALUES (1), (2), (3)) v(i) LEFT JOIN (SELECT count(*) AS n, sum(n) FROM log) s ON s.n > i"
    scan = scan_of(session, query)
    assert sum(process["Messages"] for process in scan["Processes"]) == scan["Messages"] == scan["Decoded"] == 180_000


def test_an_error_of_a_worker_names_its_message(session, broker, topic):
    name = topic()
    fill(broker, name, 1, bad=[COUNT - 5])
    create_table(session, name)
    session.execute("SET parallel_leader_participation = off")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as error:
        session.execute("SELECT sum(n) FROM log")
    context = error.value.diag.context.splitlines()
    assert context == [f'topic "{name}", partition 0, offset {COUNT - 5}', "parallel worker"]
    assert session.execute("SELECT sum(n) FROM log WHERE offs < 100").fetchone() == (4950,)


def test_it_ends_soon_when_it_is_cancelled_or_nobody_wants_more(session, db, broker, topic):
    name = topic()
    fill(broker, name, 1)
    create_table(session, name)
    session.execute("SET statement_timeout = '200 ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute("SELECT sum(n), pg_sleep(10) FROM log")
    session.execute("RESET statement_timeout")
    assert len(session.execute("SELECT n FROM log LIMIT 7").fetchall()) == 7
    wait_for(lambda: db.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'") == 0,
             what="the end of the workers")


def test_a_cached_parallel_plan_reads_the_batch_within_a_consumers_statement(session, db, broker, topic):
    """The function's plan is made before the consumer's statement runs it."""
    name = topic()
    broker.produce(name, *(f'{{"n": {number}}}' for number in range(10)))
    create_table(session, name)
    session.execute("SET min_parallel_table_scan_size = 0; SET plan_cache_mode = force_generic_plan; "
                    "SET parallel_leader_participation = off")
    session.execute("""CREATE FUNCTION total() RETURNS bigint PARALLEL SAFE LANGUAGE plpgsql AS
                       $$BEGIN RETURN (SELECT sum(n) FROM log); END$$;
                       CREATE TABLE totals (total bigint)""")
    assert session.execute("SELECT total()").fetchone() == (45,)
    session.execute("SELECT kafka_consume_begin('totals', %s, parallelism => 0, batch_size => 4, statement => "
                    "'INSERT INTO totals SELECT total() FROM (SELECT count(*) FROM log) x')", [name])
    for _ in range(3):
        session.execute("SELECT kafka_consume_once('totals', %s)", [name])
    assert session.execute("SELECT total FROM totals").fetchall() == [(6,), (22,), (17,)]
