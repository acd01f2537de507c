"""Streams of numbers (a column n), their topics, and what their consumers have taken."""

import psycopg

from . import consumers
from .waiting import wait_for

CRASH = ("terminated by signal", "PANIC", "TRAP", "server process")


def produce(broker, topic, first, behind, partition=None):
    broker.produce(topic, *map(str, range(first, behind)), partition=partition)


def numbers(database, stream="stream"):
    return [n for (n,) in database.execute(f"SELECT n FROM {stream} ORDER BY n")]


def count(database):
    return database.value("SELECT count(*) FROM stream")


def make_stream(database, broker, topic, **arguments):
    """A stream of numbers whose consumer has taken 0 to 9."""
    database.execute("CREATE TABLE stream (n bigint)")
    produce(broker, topic, 0, 10)
    warnings = consumers.begin(database, "stream", topic, **arguments)
    consumers.wait_for_end(database, "stream", topic)
    return warnings


def wait_for_numbers(database, behind):
    wait_for(lambda: numbers(database) == list(range(behind)), what=f"numbers below {behind}",
             ignore=psycopg.OperationalError)


def wait_for_no_workers(database):
    wait_for(lambda: consumers.workers(database) == [], what="the end of the workers")


def wait_for_error(database, stream="stream"):
    """Waits until the consumer stands still with an error; gives (sqlstate, topic, partition, offset, message)."""
    consumers.wait_for_state(database, stream, "error")
    (row,) = database.execute("SELECT error_sqlstate, error_topic, error_partition, error_offset, last_error "
                              "FROM kafka_stat_consumers WHERE stream = %s::regclass", [stream])
    return row


def assert_no_crash(server):
    log = server.log.read()
    assert not any(word in log for word in CRASH), log
