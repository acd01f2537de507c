"""Functions and operators that somebody made in the extension's schema before CREATE EXTENSION: it runs none of them.

PostgreSQL takes the one whose argument types fit exactly before one of pg_catalog whose arguments must be converted.
"""

import pathlib
import re

import pytest
from psycopg import ClientCursor
from support import consumers

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ["text", "name", "boolean", "integer", "bigint", "numeric", "double precision", "oid", "regclass", "interval",
         "timestamptz", "jsonb", "text[]", "anyelement", "anyarray"]

PLANT = """
DO $plant$
DECLARE
  trap CONSTANT text := $$LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END'$$;
  planted record;
BEGIN
  FOR planted IN
    SELECT DISTINCT p.proname, arguments
      FROM pg_proc p, unnest(%(types)s::text[]) AS a, unnest(%(types)s::text[]) AS b,
           unnest(ARRAY[a, a || ', ' || b]) AS arguments
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (%(words)s)
  LOOP
    EXECUTE format('CREATE FUNCTION lair.%%I(%%s) RETURNS bigint %%s', planted.proname, planted.arguments, trap);
  END LOOP;
  FOR planted IN
    SELECT DISTINCT o.oprname, a, b
      FROM pg_operator o, unnest(%(types)s::text[]) AS a, unnest(%(types)s::text[]) AS b
     WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname = ANY (%(symbols)s)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION lair.trap(%%s, %%s) RETURNS boolean %%s', planted.a, planted.b, trap);
    EXECUTE format('CREATE OPERATOR lair.%%s (LEFTARG = %%s, RIGHTARG = %%s, FUNCTION = lair.trap)',
                   planted.oprname, planted.a, planted.b);
  END LOOP;
END $plant$"""

DEPENDENT = """
    SELECT pg_describe_object(classid, objid, 0), pg_describe_object(refclassid, refobjid, 0)
      FROM pg_depend
     WHERE (refclassid, refobjid) IN (SELECT classid, objid FROM planted)
       AND (classid, objid) NOT IN (SELECT classid, objid FROM planted)"""


@pytest.fixture
def lair(bare_db, broker):
    """The extension in a schema that has a trap for whatever its SQL calls, and that is everybody's search_path."""
    sources = [*ROOT.glob("sql/parts/*.sql"), *ROOT.glob("src/ingest/*.cpp")]
    text = "".join(file.read_text() for file in sources)
    bare_db.execute("CREATE SCHEMA lair; GRANT USAGE ON SCHEMA lair TO PUBLIC")
    with bare_db.connect(cursor_factory=ClientCursor) as session:
        session.execute(PLANT, {"types": TYPES, "words": sorted(set(re.findall(r"\w+", text))),
                                "symbols": sorted(set(re.findall(r"[-+*/<>=~!@#%^&|`?]+", text)))})
    bare_db.execute(f"""
        CREATE TABLE public.planted AS
            SELECT 'pg_proc'::regclass AS classid, oid AS objid FROM pg_proc WHERE pronamespace = 'lair'::regnamespace
             UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace = 'lair'::regnamespace;
        ALTER DATABASE {bare_db.name} SET search_path = lair""")
    bare_db.close_sessions()
    bare_db.use_broker(broker)
    return bare_db


def test_nothing_of_the_extension_was_made_with_a_planted_object(lair):
    assert lair.value("SELECT pg_catalog.count(*) FROM public.planted") > 1000
    with lair.connect() as session:
        session.execute("SET search_path = public")
        assert session.execute(DEPENDENT).fetchall() == []


def test_a_superuser_and_a_worker_run_no_planted_object(lair, broker, topic):
    name = topic()
    broker.produce(name, "1", "2", "3")
    lair.execute("CREATE TABLE public.s (n integer); CREATE TABLE public.o (n integer)")
    consumers.begin(lair, "public.s", name)
    consumers.begin(lair, "public.o", name, parallelism=0, start="-2")
    consumers.wait_for_end(lair, "public.s", name)
    assert lair.value("SELECT kafka_consume_once('public.o', %s)", [name]) == 2
    for call in ["kafka_consume_position('public.s', %(t)s)", "kafka_consume_seek('public.s', %(t)s, 'latest')",
                 "kafka_consume_end('public.s', %(t)s)", "kafka_consume_end()", "kafka_consume_begin()",
                 "kafka_consume_drop('public.s', %(t)s)", "kafka_add_broker('b')", "kafka_remove_broker('b')"]:
        lair.execute("SELECT " + call, {"t": name})
    lair.execute("SELECT * FROM kafka_messages(%s)", [name])
    lair.execute("SELECT * FROM kafka_get_watermarks('public.o_kafka_2')")


@pytest.mark.parametrize("role", ["a superuser", "another role"])
def test_the_views_and_policies_run_no_planted_object(lair, broker, topic, role):
    name = topic()
    broker.produce(name, "1")
    lair.execute("CREATE TABLE public.s (n integer)")
    consumers.begin(lair, "public.s", name)
    consumers.wait_for_end(lair, "public.s", name)
    lair.execute("""INSERT INTO pipeline_kafka_errors (consumer_id, topic, partition, message_offset, sqlstate, error)
                    SELECT id, topic, 0, 0, '22P02', 'bad' FROM pipeline_kafka_consumers""")
    with lair.connect() as session:
        if role == "another role":
            session.execute(f"CREATE ROLE other_{lair.name}; SET ROLE other_{lair.name}")
        for relation in ["kafka_stat_consumers", "kafka_stat_partitions", "pipeline_kafka_consumers",
                         "pipeline_kafka_offsets", "pipeline_kafka_workers", "pipeline_kafka_errors"]:
            session.execute(f"SELECT * FROM {relation}").fetchall()
        session.execute("DELETE FROM pipeline_kafka_errors")
        session.execute(f"RESET ROLE; DROP ROLE IF EXISTS other_{lair.name}")
