"""The harness itself, without the extension: what the other tests lean on."""

import pathlib

import psycopg
import pytest
from support import wait_for

without_extension = pytest.mark.pg_settings(shared_preload_libraries="")


def values(messages):
    return [message.value() for message in messages]


def test_a_message_keeps_its_partition_key_headers_and_timestamp(broker, topic):
    name = topic(partitions=3)
    placed = broker.produce(name, {"value": "v", "key": "k", "partition": 2, "headers": [("h", b"1"), ("h", None)],
                                   "timestamp": 1_600_000_000_123}, None)
    (tombstone, message) = sorted(broker.consume(name), key=lambda read: read.value() is not None)
    assert placed[0] == (2, 0)
    assert (message.partition(), message.key(), message.value()) == (2, b"k", b"v")
    assert message.headers() == [("h", b"1"), ("h", None)]
    assert message.timestamp()[1] == 1_600_000_000_123
    assert tombstone.value() is None and placed[1] == (tombstone.partition(), tombstone.offset())


def test_a_reader_of_committed_messages_does_not_see_aborted_ones(broker, topic):
    name = topic()
    with broker.transaction() as produce:
        produce(name, "committed")
    with broker.transaction(abort=True) as produce:
        produce(name, "aborted")
    assert values(broker.consume(name)) == [b"committed"]
    assert values(broker.consume(name, "read_uncommitted")) == [b"committed", b"aborted"]
    assert broker.watermarks(name) == (0, 4)  # two messages, two control records


def test_topics_are_each_test_s_own(broker, topic):
    first, second = topic(), topic(partitions=2)
    assert first != second and broker.partitions(second) == [0, 1]
    broker.delete_topic(first)
    assert first not in broker.admin.list_topics(timeout=10).topics


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_comes_back_has_its_address_and_data(own_broker, end):
    address = own_broker.bootstrap
    own_broker.create_topic("kept")
    own_broker.produce("kept", "a", "b")
    getattr(own_broker, end)()
    own_broker.restart()
    own_broker.produce("kept", "c")
    assert own_broker.bootstrap == address
    assert values(own_broker.consume("kept")) == [b"a", b"b", b"c"]


@pytest.mark.broker_settings(message_max_bytes=2000)
def test_broker_settings_reach_the_broker(own_broker):
    own_broker.create_topic("small")
    with pytest.raises(Exception, match="MSG_SIZE_TOO_LARGE"):
        own_broker.produce("small", "x" * 3000)


def test_databases_are_each_test_s_own(pg, bare_db):
    bare_db.execute("CREATE TABLE t AS SELECT 1 AS x")
    assert bare_db.value("SELECT x FROM t") == 1
    other = pg.create_database()
    assert other.value("SELECT to_regclass('t') IS NULL")
    other.drop()
    assert not bare_db.value("SELECT count(*) FROM pg_database WHERE datname = %s", [other.name])


@without_extension
def test_a_killed_backend_makes_the_server_recover(own_pg):
    database = own_pg.create_database()
    database.execute("CREATE TABLE t AS SELECT 1 AS x")
    victim = database.connect()
    own_pg.kill_backend(victim.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        wait_for(lambda: victim.execute("SELECT 1") is None, what="the loss of the session")
    own_pg.wait_until_up()
    wait_for(lambda: database.value("SELECT x FROM t") == 1, ignore=psycopg.OperationalError)
    assert "terminated by signal 9" in own_pg.log.read()


@without_extension
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_comes_back_has_its_data_and_new_settings(own_pg, mode):
    database = own_pg.create_database()
    database.execute("CREATE TABLE t AS SELECT 1 AS x")
    own_pg.stop(mode)
    own_pg.restart(settings={"work_mem": "5MB"})
    with database.connect() as session:
        assert session.execute("SELECT x, current_setting('work_mem') FROM t").fetchone() == (1, "5MB")


@without_extension
def test_only_the_server_s_own_processes_are_killed(own_pg):
    with pytest.raises(AssertionError):
        own_pg.kill_backend(1)


def test_waiting_is_bounded_and_says_for_what():
    with pytest.raises(AssertionError, match="the moon did not come true within 0.1 s; last: 0"):
        wait_for(lambda: 0, timeout=0.1, what="the moon")


def test_servers_of_a_failed_test_leave_nothing_behind_and_show_their_log(pytester):
    pytester.makeconftest(f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n"
                          "from conftest_under_test import *")
    pytester.path.joinpath("conftest_under_test.py").write_text(
        pathlib.Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile("""
        import pytest
        @pytest.mark.pg_settings(shared_preload_libraries="")
        def test_that_fails(own_pg):
            print("folder", own_pg._dir, own_pg.pid)
            with own_pg.connect() as session:
                session.execute("SELECT 1 / 0")
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*log of Postgres*", "*division by zero*"])
    folder, pid = next(line.split()[1:] for line in result.outlines if line.startswith("folder "))
    assert not pathlib.Path(folder).exists() and not pathlib.Path(f"/proc/{pid}/exe").exists()
