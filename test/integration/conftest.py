"""Fixtures. Shared servers live for the session; a test that kills or restarts takes own_broker and own_pg."""

import contextlib
import signal
import uuid

import pytest
from support import Broker, Database, Postgres


def pytest_configure(config):
    config.addinivalue_line("markers", "broker_settings(**properties): of own_broker; _ stands for . in names")
    config.addinivalue_line("markers", "pg_settings(**settings): of own_pg, over the ones it has")
    # So that a run ended from outside ends its servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _marked(request, name):
    marker = request.node.get_closest_marker(name)
    return dict(marker.kwargs) if marker else {}


@pytest.fixture(params=["fast", "general"])
def way(request, monkeypatch):
    """For tests of consumers: rows are inserted in batches, or by the statement alone."""
    if request.param == "general":
        monkeypatch.setattr(Database, "settings", {"kafka_fdw.fast_apply": "off"})
    return request.param


@pytest.fixture(scope="session")
def broker():
    with contextlib.closing(Broker()) as server:
        yield server


@pytest.fixture(scope="session")
def pg():
    """Without shared_preload_libraries, as the extension is after a plain CREATE EXTENSION."""
    with contextlib.closing(Postgres()) as server:
        yield server


@pytest.fixture
def own_broker(request):
    """A broker of the test's own, to be killed and restarted."""
    settings = {name.replace("_", "."): value for name, value in _marked(request, "broker_settings").items()}
    with contextlib.closing(Broker(settings)) as server:
        yield server


@pytest.fixture
def own_pg(request):
    """A PostgreSQL of the test's own, to be killed and restarted, that preloads the extension."""
    settings = {"shared_preload_libraries": "kafka_fdw"} | _marked(request, "pg_settings")
    with contextlib.closing(Postgres(settings)) as server:
        yield server


@pytest.fixture
def bare_db(pg):
    """A fresh database without the extension."""
    database = pg.create_database()
    try:
        yield database
    finally:
        database.drop()


@pytest.fixture
def db(bare_db, broker):
    """A fresh database with the extension, whose server pipeline_kafka is the shared broker."""
    bare_db.use_broker(broker)
    return bare_db


@pytest.fixture
def own_db(own_pg, own_broker):
    """The same on own_pg and own_broker, which end with it."""
    database = own_pg.create_database()
    database.use_broker(own_broker)
    return database


@pytest.fixture
def topic(broker):
    """Makes topics of the shared broker that no other test has: topic(partitions=1, config=None) gives the name."""
    def create(partitions=1, config=None):
        return broker.create_topic(f"topic-{uuid.uuid4().hex[:12]}", partitions, config)
    return create


def _servers(item):
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Database):
            yield value.pg
        elif isinstance(value, (Broker, Postgres)):
            yield value


def pytest_runtest_call(item):
    for server in _servers(item):
        server.log.mark()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds what the servers logged during a failed test to its report."""
    report = yield
    if report.failed and call.when == "call":
        for server in dict.fromkeys(_servers(item)):
            report.sections.append((f"log of {type(server).__name__}", server.log.tail()))
    return report
