"""Brokers and topics that are not there: a SELECT says so, a consumer waits and goes on by itself."""

import contextlib
import socket
import time
import uuid

import psycopg
import pytest
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, NewPartitions, ResourcePatternType,
                                   ResourceType)
from support import Broker, consumers, wait_for

CONNECT_TIMEOUT = 2


@contextlib.contextmanager
def port_that(listens):
    """A loopback port of which the kernel refuses connections, or accepts them for nobody to answer."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        if listens:
            holder.listen(64)
        yield holder.getsockname()[1]


@pytest.fixture
def outage_db(bare_db, own_broker):
    """A database whose broker may be stopped, with a stream for the topic of the same name."""
    bare_db.use_broker(own_broker)
    bare_db.execute("CREATE TABLE stream (kafka_offset bigint, n int)")
    return bare_db


def rows(database):
    return [n for (n,) in database.execute("SELECT n FROM stream ORDER BY kafka_offset")]


def produce(broker, topic, numbers):
    broker.produce(topic, *(str(n) for n in numbers))


def add_partitions(broker, topic, count):
    broker.admin.create_partitions([NewPartitions(topic, count)])[topic].result()
    wait_for(lambda: len(broker.partitions(topic)) == count, what=f"{count} partitions of {topic}")


@pytest.mark.parametrize("listens", [False, True], ids=["refuses connections", "never answers"])
@pytest.mark.parametrize("query", ["SELECT * FROM dead", "SELECT count(*) FROM dead WHERE part = 3",
                                   "SELECT * FROM kafka_get_watermarks('dead')"])
def test_a_select_says_in_time_which_broker_cannot_be_reached(bare_db, listens, query):
    bare_db.execute("CREATE EXTENSION kafka_fdw")
    with port_that(listens) as port:
        bare_db.execute(f"""CREATE SERVER dead FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:{port}');
                            CREATE FOREIGN TABLE dead (part int OPTIONS (partition 'true'), n int) SERVER dead
                            OPTIONS (topic 'dead', format 'text');
                            SET kafka_fdw.connect_timeout = '{CONNECT_TIMEOUT}s'""")
        start = time.monotonic()
        with pytest.raises(psycopg.Error) as raised:
            bare_db.execute(query)
        elapsed = time.monotonic() - start
    diagnostic = raised.value.diag
    assert diagnostic.sqlstate == "08006"
    assert f"127.0.0.1:{port}" in f"{diagnostic.message_primary} {diagnostic.message_detail}"
    assert elapsed < CONNECT_TIMEOUT + 1


def test_a_scan_whose_broker_goes_away_is_an_error_and_never_fewer_rows(outage_db, own_broker):
    topic = own_broker.create_topic("scanned")
    produce(own_broker, topic, range(5))
    outage_db.execute("CREATE FOREIGN TABLE scanned (n int) SERVER pipeline_kafka OPTIONS (topic 'scanned', format 'text');"
                      f"SET kafka_fdw.connect_timeout = '{CONNECT_TIMEOUT}s'; SET kafka_fdw.read_timeout = '2s'")
    assert outage_db.value("SELECT count(*) FROM scanned") == 5
    own_broker.kill()
    with pytest.raises(psycopg.Error) as raised:
        outage_db.execute("SELECT * FROM scanned")
    assert raised.value.diag.sqlstate in ("08006", "57014")
    own_broker.restart()
    assert outage_db.execute("SELECT n FROM scanned ORDER BY n") == [(n,) for n in range(5)]


def test_a_partition_without_a_leader_is_an_error_that_names_it(outage_db, own_broker):
    patience = 3 * CONNECT_TIMEOUT  # the client must hear of the loss first
    with contextlib.closing(Broker(join=own_broker)) as second:
        own_broker.create_topic("half", 3, placement=[[1], [2], [1]])
        own_broker.produce("half", *({"value": str(n), "partition": n % 3} for n in range(3000)))
        outage_db.execute(f"""CREATE FOREIGN TABLE half (part int OPTIONS (partition 'true'), n int) SERVER pipeline_kafka
                              OPTIONS (topic 'half', format 'text');
                              SET kafka_fdw.connect_timeout = '{patience}s'; SET kafka_fdw.read_timeout = '{patience}s';
                              SET kafka_fdw.fetch_buffer = '1MB'""")
        assert outage_db.value("SELECT count(n) FROM half") == 3000
        second.kill()
        wait_for(lambda: own_broker.admin.list_topics("half", timeout=10).topics["half"].partitions[1].leader < 0,
                 what="the partition's losing its leader")
        for query in ["SELECT count(*) FROM half", "SELECT n FROM half WHERE part > 0", "SELECT * FROM half ORDER BY part DESC"]:
            start = time.monotonic()
            with pytest.raises(psycopg.OperationalError, match='partition 1 of topic "half"') as raised:
                outage_db.execute(query)
            assert raised.value.diag.sqlstate == "08006", query
            assert time.monotonic() - start < patience + 1
        # Who does not ask for it does not miss it.
        assert outage_db.value("SELECT count(n) FROM half WHERE part IN (0, 2)") == 2000
        second.restart()
        wait_for(lambda: outage_db.value("SELECT count(n) FROM half") == 3000, ignore=psycopg.Error, what="the partition's leader")


def test_a_partition_that_loses_its_leader_during_a_scan_is_an_error_that_names_it(outage_db, own_broker):
    with contextlib.closing(Broker(join=own_broker)) as second:
        own_broker.create_topic("half", 2, placement=[[1], [2]])
        own_broker.produce("half", *({"value": "x" * 100_000, "partition": n % 2} for n in range(200)))
        session = outage_db.connect()
        session.execute(f"""CREATE FOREIGN TABLE half (part int OPTIONS (partition 'true'), v text) SERVER pipeline_kafka
                            OPTIONS (topic 'half', format 'text'); SET kafka_fdw.read_timeout = '{CONNECT_TIMEOUT}s';
                            SET kafka_fdw.fetch_buffer = '1MB'; BEGIN; DECLARE c CURSOR FOR SELECT part FROM half""")
        session.execute("FETCH 1 FROM c")
        second.kill()
        # By the scan that waits, or by its look at the log before.
        by_either = 'topic "half", partition 1, for|partition 1 of topic "half" has no leader'
        with pytest.raises(psycopg.Error, match=by_either) as raised:
            session.execute("FETCH ALL FROM c")
        assert raised.value.diag.sqlstate in ("08006", "57014")


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.usefixtures("way")
def test_a_consumer_backs_off_while_its_broker_is_down_and_goes_on_by_itself(outage_db, own_broker, end):
    topic = own_broker.create_topic("numbers")
    produce(own_broker, topic, range(100))
    consumers.begin(outage_db, "stream", topic)
    consumers.wait_for_end(outage_db, "stream", topic)

    getattr(own_broker, end)()
    consumers.wait_for_state(outage_db, "stream", "backoff")
    assert own_broker.bootstrap in consumers.stat(outage_db, "stream", "concat(detail, last_error)")
    assert consumers.stat(outage_db, "stream", "last_error_at IS NOT NULL")
    own_broker.restart()

    produce(own_broker, topic, range(100, 200))
    consumers.wait_for_end(outage_db, "stream", topic)
    assert rows(outage_db) == list(range(200))
    wait_for(lambda: consumers.stat(outage_db, "stream", "state") in ("running", "idle"), what="an end of the back-off")
    assert consumers.stat(outage_db, "stream", "detail") is None


def test_a_consumer_begun_while_the_broker_is_down_starts_when_it_is_up(outage_db, own_broker):
    topic = own_broker.create_topic("numbers")
    produce(own_broker, topic, range(100))
    own_broker.stop()
    outage_db.execute("ALTER DATABASE " + outage_db.name + " SET kafka_fdw.connect_timeout = '1s'")
    warnings = consumers.begin(outage_db, "stream", topic, start="earliest")
    assert any(own_broker.bootstrap in warning for warning in warnings)
    consumers.wait_for_state(outage_db, "stream", "backoff")
    assert own_broker.bootstrap in consumers.stat(outage_db, "stream", "detail")
    own_broker.restart()
    # Before the worker has asked the broker, nothing is stored that kafka_consume_wait could compare.
    consumers.wait_for_end(outage_db, "stream", topic)
    assert rows(outage_db) == list(range(100))


def test_a_start_that_only_the_broker_can_resolve_is_refused_while_it_is_down(bare_db):
    bare_db.execute("CREATE EXTENSION kafka_fdw; CREATE TABLE stream (n int)")
    with port_that(listens=False) as port:
        bare_db.execute(f"SELECT kafka_add_broker('127.0.0.1:{port}')")
        bare_db.execute(f"ALTER DATABASE {bare_db.name} SET kafka_fdw.connect_timeout = '1s'")
        with pytest.raises(psycopg.Error) as raised:
            consumers.begin(bare_db, "stream", "numbers", start="latest")
    assert raised.value.diag.sqlstate == "08006"
    assert bare_db.value("SELECT count(*) FROM kafka_stat_consumers") == 0


def test_a_consumer_waits_for_its_topic(db, broker):
    topic = f"later-{uuid.uuid4().hex[:12]}"
    db.execute("CREATE TABLE stream (kafka_offset bigint, n int)")
    assert any(topic in warning for warning in consumers.begin(db, "stream", topic))
    wait_for(lambda: topic in (consumers.stat(db, "stream", "detail") or ""), what="the reason for waiting")
    assert consumers.stat(db, "stream", "state") == "waiting"

    broker.create_topic(topic, 2)
    broker.produce(topic, *({"value": str(n), "partition": n % 2} for n in range(100)))
    wait_for(lambda: consumers.stat(db, "stream", "state") != "waiting", what="the topic's being found")
    consumers.wait_for_end(db, "stream", topic)
    assert sorted(rows(db)) == list(range(100))


@pytest.mark.usefixtures("way")
def test_partitions_added_later_are_taken_from_their_beginning(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (kafka_offset bigint, n int)")
    consumers.begin(db, "stream", name, parallelism=2, start="latest")
    consumers.wait_for_state(db, "stream", "idle")
    add_partitions(broker, name, 2)
    broker.produce(name, "1", "2", partition=1)
    wait_for(lambda: sorted(rows(db)) == [1, 2], timeout=60, what="the rows of the new partition")


# --- what a broker refuses ---

@pytest.mark.broker_settings(authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                             allow_everyone_if_no_acl_found="true")
def test_a_topic_that_the_broker_keeps_from_us_is_not_authorized(own_broker, bare_db):
    own_broker.create_topic("secret")
    denied = AclBinding(ResourceType.TOPIC, "secret", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
                        AclOperation.ALL, AclPermissionType.DENY)
    for result in own_broker.admin.create_acls([denied]).values():
        result.result()
    bare_db.use_broker(own_broker)
    bare_db.execute("CREATE FOREIGN TABLE secret (n int) SERVER pipeline_kafka OPTIONS (topic 'secret')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="secret"):
        bare_db.execute("SELECT * FROM secret")
