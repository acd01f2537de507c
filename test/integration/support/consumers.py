"""Consumers as a test watches them: through the views and functions that everybody has."""

import psycopg

from .waiting import wait_for

END_OF_LOG_SECONDS = 60


def begin(database, stream, topic, **arguments):
    """Calls kafka_consume_begin with these named arguments; returns the warnings that it gave."""
    warnings = []

    def note(diagnostic):
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic.message_primary)

    names = "".join(f", {name} => %({name})s" for name in arguments)
    with database.connect() as session:
        session.add_notice_handler(note)
        session.execute(f"SELECT kafka_consume_begin(%(stream)s, %(topic)s{names})",
                        {"stream": stream, "topic": topic, **arguments})
    return warnings


def stat(database, stream, column):
    """A column of the stream's row in kafka_stat_consumers."""
    return database.value(f"SELECT {column} FROM kafka_stat_consumers WHERE stream = %s::regclass", [stream])


def wait_for_state(database, stream, state, timeout=30):
    wait_for(lambda: stat(database, stream, "state") == state, timeout, f"state {state} of {stream}")


def wait_for_launcher(database):
    """Waits until the launcher sleeps: what it starts it has started then, and it needs no process but its own."""
    wait_for(lambda: database.value("SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'kafka launcher'")
             is not None, what="the launcher's sleep")


def wait_for_end(database, stream, topic):
    """Waits until all that is in the topic now is committed."""
    assert database.value("SELECT kafka_consume_wait(%s, %s, %s)", [stream, topic, f"{END_OF_LOG_SECONDS} s"]), \
        f"{stream} did not reach the end of {topic}: " + str(database.execute("SELECT * FROM kafka_stat_consumers"))


def wait_for_no_lag(database, stream):
    wait_for(lambda: stat(database, stream, "lag") == 0, what=f"lag 0 of {stream}")


def position(database, stream, topic):
    """{partition: next offset}"""
    stored = database.value("SELECT kafka_consume_position(%s, %s)", [stream, topic])
    return {int(partition): offset for partition, offset in stored.items()}


def workers(database):
    """Process ids of the workers that run in this database; none while the server does not answer."""
    try:
        rows = database.execute("SELECT pid FROM pg_stat_activity "
                                "WHERE backend_type = 'kafka consumer' AND datname = current_database() ORDER BY pid")
    except psycopg.OperationalError:
        return []
    return [pid for (pid,) in rows]
