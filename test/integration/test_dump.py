"""What pg_dump carries into another database, and what it leaves out."""

import os
import pathlib
import subprocess

import pytest
from support import consumers, wait_for
from support.command import TEST_FOLDER


def bindir():
    config = os.environ.get("PG_CONFIG") or subprocess.run(
        [TEST_FOLDER.parent / "scripts/pg-config"], check=True, capture_output=True, text=True).stdout.strip()
    return pathlib.Path(subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True).stdout.strip())


def run(database, program, *arguments, text=None):
    info = database.connect().info
    address = ["--host", info.host, "--port", str(info.port), "--username", info.user, "--dbname", database.name]
    result = subprocess.run([bindir() / program, *address, *arguments], input=text, capture_output=True, text=True)
    assert result.returncode == 0 and "ERROR" not in result.stderr, result.stderr
    return result.stdout


@pytest.fixture
def restore(pg):
    """restore(database) gives a new database made from its dump."""
    made = []

    def copy(database):
        made.append(pg.create_database())
        run(made[-1], "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", text=run(database, "pg_dump"))
        return made[-1]
    yield copy
    for database in made:
        database.drop()


def table(database, name):
    return database.execute(f"SELECT to_jsonb(t) FROM {name} t ORDER BY to_jsonb(t)::text")


def with_names(database):
    """The consumers; OIDs are other ones in every database."""
    return database.execute("SELECT to_jsonb(c) - 'stream' - 'source' - 'database_oid', stream::regclass::text, source::regclass::text "
                            "FROM pipeline_kafka_consumers c ORDER BY id")


def test_a_dump_carries_brokers_consumers_offsets_errors_and_sequences(db, broker, topic, restore):
    names = [topic(partitions=2), topic()]
    db.execute("CREATE SCHEMA app; CREATE TABLE app.first (n bigint); CREATE TABLE second (n bigint)")
    consumers.begin(db, "app.first", names[0], parallelism=2, batch_size=123)
    consumers.begin(db, "second", names[1], columns=["n"])
    for stream, name in zip(("app.first", "second"), names):
        broker.produce(name, *map(str, range(10)))
        consumers.wait_for_end(db, stream, name)
    db.execute("""INSERT INTO pipeline_kafka_errors (consumer_id, topic, partition, message_offset, value, sqlstate, error)
                  SELECT id, topic, 0, 3, 'bad', '22P02', 'no number' FROM pipeline_kafka_consumers""")

    copy = restore(db)
    for state in ("pipeline_kafka_brokers", "pipeline_kafka_offsets", "pipeline_kafka_errors"):
        assert table(db, state) == table(copy, state) != []
    assert with_names(db) == with_names(copy)
    assert table(copy, "pipeline_kafka_workers") == []
    for sequence in ("pipeline_kafka_consumers_id_seq", "pipeline_kafka_errors_id_seq"):
        assert db.value(f"SELECT last_value FROM {sequence}") == copy.value(f"SELECT last_value FROM {sequence}") > 1


def test_a_restored_consumer_starts_when_it_is_told_and_goes_on_where_the_dump_was(db, broker, topic, restore):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    broker.produce(name, *map(str, range(10)))
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    copy = restore(db)
    broker.produce(name, *map(str, range(10, 20)))
    consumers.wait_for_end(db, "stream", name)
    (state, detail, hint), = copy.execute("SELECT state, detail, hint FROM kafka_stat_consumers")
    assert state == "stopped" and detail and "kafka_consume_begin()" in hint
    assert consumers.workers(copy) == [] and copy.value("SELECT count(*) FROM stream") == 10
    assert copy.value("SELECT kafka_consume_begin()") == 1
    consumers.wait_for_end(copy, "stream", name)
    for database in (db, copy):
        assert database.execute("SELECT n FROM stream ORDER BY n") == [(n,) for n in range(20)]
    broker.produce(name, "20")
    for database in (db, copy):
        consumers.wait_for_end(database, "stream", name)
        assert len(consumers.workers(database)) == 1


def test_a_dropped_stream_or_source_leaves_nothing_dangling(db, broker, topic, restore):
    names = [topic(), topic(), topic()]
    for stream in ("kept", "gone", "sourceless"):
        db.execute(f"CREATE TABLE {stream} (n bigint)")
    db.execute(f"CREATE FOREIGN TABLE source (n bigint) SERVER pipeline_kafka OPTIONS (topic '{names[2]}', format 'text')")
    for name in names:
        broker.produce(name, "1")
    for stream, name in zip(("kept", "gone"), names):
        consumers.begin(db, stream, name)
        consumers.wait_for_end(db, stream, name)
    consumers.begin(db, "sourceless", names[2], source="source")
    consumers.wait_for_end(db, "sourceless", names[2])
    db.execute("SELECT kafka_consume_end(); DROP TABLE gone; DROP FOREIGN TABLE source")
    copy = restore(db)
    assert copy.execute("SELECT stream::text FROM pipeline_kafka_consumers") == [("kept",)]
    (kept,) = [consumer for (consumer,) in copy.execute("SELECT id FROM pipeline_kafka_consumers")]
    assert copy.execute("SELECT DISTINCT consumer_id FROM pipeline_kafka_offsets") == [(kept,)]


def test_a_consumer_of_a_role_that_is_gone_stays_behind(pg, db, broker, topic, restore):
    role = "bob_" + db.name
    db.execute(f"""CREATE ROLE {role} LOGIN; CREATE TABLE stream (n bigint); GRANT INSERT ON stream TO {role};
                   GRANT CREATE ON SCHEMA public TO {role}; GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO {role}""")
    name = topic()
    with db.connect(user=role) as session:
        session.execute("SELECT kafka_consume_begin('stream', %s)", [name])
    db.execute(f"SELECT kafka_consume_end(); DROP OWNED BY {role} CASCADE")
    wait_for(lambda: consumers.workers(db) == [], what="the end of the worker")
    db.execute(f"DROP ROLE {role}")
    copy = restore(db)
    assert copy.value("SELECT count(*) FROM pipeline_kafka_consumers") == 0
