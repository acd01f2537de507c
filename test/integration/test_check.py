"""kafka_check: each step that fails says what to change, and those behind it say that they were not tried."""

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
from support import wait_for
from support.secured import PASSWORD, USER, SecuredBroker

NOT_TRIED = (None, "not tried")
SASL = {"sasl.mechanism": "PLAIN"}


@pytest.fixture(scope="module")
def secured():
    with contextlib.closing(SecuredBroker()) as server:
        server.create_topic("clicks", partitions=3)
        server.produce("clicks", "a message", partition=1)
        server.create_topic("nothing")
        yield server


class Checked:
    """The steps by their names."""

    def __init__(self, rows):
        self.rows = rows
        self._steps = {step: row for step, *row in rows}
        assert len(self._steps) == len(rows)

    def step(self, name):
        """(ok, detail, hint)"""
        return self._steps[name]

    def outcome(self, step):
        """(ok, detail)"""
        return tuple(self._steps[step][:2])

    def failure(self, step):
        """(detail, hint), after a look at what was tried: all steps before it were passed, and none behind it."""
        places = [number for number, row in enumerate(self.rows) if row[1] is False]
        assert [self.rows[place][0] for place in places] == [step], self.rows
        assert all(row[1] for row in self.rows[:places[0]]), self.rows
        assert all(tuple(row[1:3]) == NOT_TRIED for row in self.rows[places[0] + 1:]), self.rows
        return self._steps[step][1:]


@pytest.fixture
def check(bare_db):
    """check(brokers, topic, server options, password) runs the function; no text may hold the password."""
    bare_db.execute("CREATE EXTENSION kafka_fdw")

    def run(brokers, topic="clicks", options=None, password=None, timeout="20s"):
        literal = psycopg.sql.Literal
        settings = {"brokers": brokers} | (options or {})
        clause = psycopg.sql.SQL(", ").join(
            psycopg.sql.SQL("{} {}").format(psycopg.sql.Identifier(name), literal(value)) for name, value in settings.items())
        bare_db.execute(psycopg.sql.SQL("CREATE SERVER checked FOREIGN DATA WRAPPER kafka_fdw OPTIONS ({})").format(clause))
        if password is not None:
            bare_db.execute(psycopg.sql.SQL('''CREATE USER MAPPING FOR CURRENT_USER SERVER checked
                OPTIONS ("sasl.username" {}, "sasl.password" {})''').format(literal(USER), literal(password)))
        bare_db.execute(f"SET kafka_fdw.connect_timeout = '{timeout}'")
        rows = bare_db.execute("SELECT * FROM kafka_check(%s, 'checked')", [topic])
        assert password is None or password not in str(rows)
        return Checked(rows)
    return run


@contextlib.contextmanager
def port_that(listens):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        if listens:
            holder.listen(64)
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def test_all_steps_of_a_good_server_pass(check, secured):
    checked = check(secured.address("PLAINTEXT"))
    assert [row[0] for row in checked.rows] == [
        "settings", "resolve 127.0.0.1", f"connect {secured.address('PLAINTEXT')}", "log in", "metadata", "reach broker 1",
        "topic", "read"]
    assert all(ok and detail and hint is None for _, ok, detail, hint in checked.rows), checked.rows
    assert checked.outcome("topic")[1] == "partitions: 3"
    assert checked.outcome("read")[1] == "partition 1, offset 0, bytes: 9"


@pytest.mark.parametrize("listener, options", [("SSL", {"security.protocol": "ssl"}),
                                               ("SASL_SSL", {"security.protocol": "SASL_SSL"} | SASL),
                                               ("SASL_PLAINTEXT", {"security.protocol": "sasl_plaintext"} | SASL)])
def test_each_way_to_log_in_is_tried(check, secured, listener, options):
    if listener.endswith("SSL"):
        options = options | {"ssl.ca.pem": secured.authority}
    checked = check(secured.address(listener), options=options, password=PASSWORD if "SASL" in listener else None)
    assert all(ok for _, ok, _, _ in checked.rows), checked.rows
    assert listener.lower() in checked.outcome("log in")[1]


# --- the network ---

def test_a_wrong_host_name(check):
    checked = check("no-such-host.invalid:9092")
    detail, hint = checked.step("resolve no-such-host.invalid")[1:]
    assert checked.outcome("resolve no-such-host.invalid")[0] is False and detail
    assert "name of the host" in hint
    for step in ("connect no-such-host.invalid:9092", "log in", "metadata", "topic", "read"):
        assert checked.outcome(step) == NOT_TRIED


@pytest.mark.parametrize("brokers", [",", " "])
def test_an_empty_list_of_brokers(check, brokers):
    detail, hint = check(brokers).failure("connect")
    assert detail == "the list of brokers is empty" and "host:port" in hint


def test_a_broker_whose_protocol_is_not_the_client_s(check, secured):
    """As Kafka's own settings write listeners; librdkafka would not connect to it."""
    address = secured.address("PLAINTEXT")
    detail, hint = check(f"SSL://{address}").failure(f"connect {address}")
    assert "protocol is ssl" in detail and '"security.protocol" to ssl' in hint


def test_a_broker_with_the_client_s_protocol(check, secured):
    assert all(ok for _, ok, _, _ in check(f"PlainText://{secured.address('PLAINTEXT')}").rows)


def test_a_closed_port(check):
    with port_that(listens=False) as address:
        detail, hint = check(address).failure(f"connect {address}")
    assert detail == "Connection refused"
    assert "the broker runs" in hint


def test_a_port_that_never_answers_takes_no_longer_than_the_timeout(check):
    with port_that(listens=True) as address:
        start = time.monotonic()
        checked = check(address, timeout="1500ms")
        assert time.monotonic() - start < 2.5
    detail, hint = checked.failure("log in")
    assert "1500 ms" in detail
    assert "Kafka broker" in hint


def test_one_broker_of_several_is_enough(check, secured):
    with port_that(listens=False) as closed:
        checked = check(f"{closed},{secured.address('PLAINTEXT')}")
    assert checked.outcome(f"connect {closed}") == (False, "Connection refused")
    assert checked.outcome("read")[0] is True


@contextlib.contextmanager
def port_that_swallows_connections():
    """The queue of a listener who accepts nobody is full: the kernel leaves whoever comes now without an answer."""
    with socket.socket() as holder, contextlib.ExitStack() as waiting:
        holder.bind(("127.0.0.1", 0))
        holder.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(holder.getsockname())
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def test_a_broker_that_does_not_answer_leaves_time_for_the_others(check, secured):
    with port_that_swallows_connections() as lost:
        start = time.monotonic()
        checked = check(f"{lost},{secured.address('PLAINTEXT')}", timeout="4s")
        assert time.monotonic() - start < 5
    assert checked.outcome(f"connect {lost}") == (False, "no answer in time")
    assert checked.outcome("read")[0] is True


def test_an_advertised_address_that_cannot_be_reached(check, secured):
    checked = check(secured.address("LOST"))
    ok, detail, hint = checked.step("reach broker 1")
    assert ok is False and f"127.0.0.1:{secured.nowhere}" in detail
    assert "advertised.listeners" in hint
    assert checked.outcome("topic")[0] is True
    assert checked.outcome("read") == NOT_TRIED


def test_a_check_can_be_cancelled(check, bare_db):
    with port_that(listens=True) as address:
        bare_db.execute("SET statement_timeout = '300ms'")
        start = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            check(address)
        assert time.monotonic() - start < 5


def test_a_session_can_be_terminated_while_it_checks(check, bare_db):
    with port_that(listens=True) as address:
        check(address, timeout="100ms")
        session = bare_db.connect()
        pid = session.info.backend_pid
        session.execute("SET kafka_fdw.connect_timeout = '1min'")
        with ThreadPoolExecutor() as threads:
            checking = threads.submit(session.execute, "SELECT * FROM kafka_check('clicks', 'checked')")
            running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%kafka_check%%'"
            wait_for(lambda: bare_db.value(running, [pid]) == 1, what="the check")
            assert bare_db.value("SELECT pg_terminate_backend(%s)", [pid])
            with pytest.raises(psycopg.OperationalError):
                checking.result(30)
        wait_for(lambda: bare_db.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]) == 0, 5, "its end")


# --- who speaks what ---

@pytest.mark.parametrize("listener, protocol", [("SSL", "plaintext"), ("SASL_SSL", "sasl_plaintext")])
def test_a_client_without_tls_at_a_port_with_it(check, secured, listener, protocol):
    checked = check(secured.address(listener), options={"security.protocol": protocol} | SASL, password=PASSWORD)
    assert "seems to speak TLS" in checked.failure("log in")[1]


@pytest.mark.parametrize("listener, protocol", [("PLAINTEXT", "ssl"), ("SASL_PLAINTEXT", "sasl_ssl")])
def test_a_client_with_tls_at_a_port_without_it(check, secured, listener, protocol):
    options = {"security.protocol": protocol, "ssl.ca.pem": secured.authority} | SASL
    checked = check(secured.address(listener), options=options, password=PASSWORD)
    assert "seems to speak no TLS" in checked.failure("log in")[1]


@pytest.mark.parametrize("brokers", ["127.0.0.1", "localhost"])
def test_a_certificate_of_an_unknown_authority_or_for_another_host(check, secured, brokers):
    options = {"security.protocol": "ssl"} | ({"ssl.ca.pem": secured.authority} if brokers == "localhost" else {})
    detail, hint = check(f"{brokers}:{secured.port['SSL']}", options=options).failure("log in")
    assert "certificate" in detail
    assert "ssl.ca.pem" in hint and "brokers" in hint


def test_a_client_without_sasl_at_a_port_with_it(check, secured):
    detail, hint = check(secured.address("SASL_PLAINTEXT")).failure("log in")
    assert "sasl_plaintext" in hint and "user mapping" in hint


def test_a_client_with_sasl_at_a_port_without_it(check, secured):
    options = {"security.protocol": "sasl_plaintext"} | SASL
    detail, hint = check(secured.address("PLAINTEXT"), options=options, password=PASSWORD).failure("log in")
    assert "takes no SASL" in hint


@pytest.mark.parametrize("listener", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_a_wrong_password(check, secured, listener):
    options = {"security.protocol": listener, "ssl.ca.pem": secured.authority} | SASL
    detail, hint = check(secured.address(listener), options=options, password="incorrect horse").failure("log in")
    assert "refused the authentication" in detail
    assert "sasl.password" in hint


def test_a_mechanism_that_the_broker_does_not_have(check, secured):
    options = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-256"}
    detail, hint = check(secured.address("SASL_PLAINTEXT"), options=options, password=PASSWORD).failure("log in")
    assert "PLAIN,SCRAM-SHA-512" in detail
    assert "sasl.mechanism" in hint


def test_scram_works_or_the_hint_says_that_librdkafka_is_too_old_for_it(check, secured):
    options = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-512"}
    checked = check(secured.address("SASL_PLAINTEXT"), options=options, password=PASSWORD)
    version = tuple(map(int, checked.outcome("settings")[1].rsplit("librdkafka ", 1)[1].split(".")[:3]))
    if version >= (2, 6, 1):
        assert all(ok for _, ok, _, _ in checked.rows), checked.rows
    else:
        assert "2.6.1" in checked.failure("log in")[1]


def test_a_property_that_librdkafka_refuses_when_it_is_used(check, secured):
    options = {"security.protocol": "ssl", "ssl.ca.pem": "not a certificate"}
    detail, hint = check(secured.address("SSL"), options=options).failure("log in")
    assert "ssl.ca.pem" in detail and "properties" in hint


# --- settings and topics ---

def test_a_server_without_brokers(bare_db):
    bare_db.execute("CREATE EXTENSION kafka_fdw")
    checked = Checked(bare_db.execute("SELECT * FROM kafka_check()"))
    detail, hint = checked.failure("settings")
    assert "has no brokers" in detail
    assert "kafka_add_broker" in hint
    assert checked.outcome("connect") == NOT_TRIED and checked.outcome("read") == NOT_TRIED


def test_a_secret_that_is_missing(bare_db, secured):
    bare_db.execute(f"""CREATE EXTENSION kafka_fdw;
        CREATE SERVER checked FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '{secured.address("SASL_PLAINTEXT")}',
            "security.protocol" 'sasl_plaintext', "sasl.mechanism" 'PLAIN');
        DROP ROLE IF EXISTS checker; CREATE ROLE checker; GRANT USAGE ON FOREIGN SERVER checked TO checker;
        SET ROLE checker""")
    rows = bare_db.execute("SELECT * FROM kafka_check('clicks', 'checked')")
    bare_db.execute("RESET ROLE; DROP OWNED BY checker; DROP ROLE checker")
    detail, hint = Checked(rows).failure("settings")
    assert "secret of your own" in detail
    assert "user mapping" in hint


def test_a_topic_that_does_not_exist(check, secured):
    detail, hint = check(secured.address("PLAINTEXT"), topic="clickz").failure("topic")
    assert '"clickz" does not exist' in detail
    assert hint == 'Perhaps you meant the topic "clicks".'


def test_a_topic_whose_name_no_topic_can_have(check, secured):
    detail, hint = check(secured.address("PLAINTEXT"), topic="no/topic at all").failure("topic")
    assert detail and hint


def test_an_empty_topic(check, secured):
    checked = check(secured.address("PLAINTEXT"), topic="nothing")
    assert checked.outcome("topic")[0] is True
    assert checked.rows[-1] == ("read", None, "the topic is empty", "Send a message to the topic, and check again.")


def test_a_topic_whose_newest_offset_is_a_mark_of_a_transaction(check, broker, topic):
    name = topic()
    with broker.transaction() as produce:
        produce(name, "committed")
    with broker.transaction(abort=True) as produce:
        produce(name, "aborted")
    assert check(broker.bootstrap, topic=name).outcome("read") == (True, "partition 0, offset 0, bytes: 9")


def test_without_a_topic_the_server_is_checked(check, secured):
    checked = check(secured.address("PLAINTEXT"), topic=None)
    assert [ok for _, ok, _, _ in checked.rows] == [True] * 6 + [None] * 2
    assert "kafka_check('topic')" in checked.rows[-1][3]


@pytest.mark.broker_settings(authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                             allow_everyone_if_no_acl_found="true")
def test_a_topic_that_may_not_be_read_or_not_even_be_seen(own_broker, check, bare_db):
    for name, operation in (("unreadable", AclOperation.READ), ("unseen", AclOperation.ALL)):
        own_broker.create_topic(name)
        own_broker.produce(name, "secret")
        bindings = [AclBinding(ResourceType.TOPIC, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation,
                               AclPermissionType.DENY),
                    AclBinding(ResourceType.TOPIC, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
                               AclOperation.DESCRIBE, AclPermissionType.ALLOW)]
        for result in own_broker.admin.create_acls(bindings).values():
            result.result()
    detail, hint = check(own_broker.bootstrap, topic="unreadable").failure("read")
    assert "permission denied" in detail and "permission to read" in hint
    rows = bare_db.execute("SELECT * FROM kafka_check('unseen', 'checked')")
    assert "permissions" in Checked(rows).failure("topic")[1]
