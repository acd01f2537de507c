"""A scan keeps within kafka_fdw.fetch_buffer, whatever the topic holds."""

import os
import pathlib

import pytest

MESSAGES, MESSAGE_BYTES = 240, 1_000_000
LARGE = {"max.message.bytes": str(4 * MESSAGE_BYTES)}


def highest_kb(pid):
    """The most memory that the process had since forget_highest."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def forget_highest(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.fixture
def large_messages(db, broker, topic):
    name = topic(partitions=3, config=LARGE)
    for _ in range(MESSAGES // 12):
        broker.produce(name, *(os.urandom(MESSAGE_BYTES) for _ in range(12)),
                       settings={"message.max.bytes": 2 * MESSAGE_BYTES})
    db.execute(f"""CREATE FOREIGN TABLE log (offs bigint OPTIONS ("offset" 'true'), part int OPTIONS (partition 'true'),
                   value bytea OPTIONS (payload 'true')) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'raw')""")
    return "log"


@pytest.mark.parametrize("buffer_mb", [8, 32])
@pytest.mark.parametrize("query", ["SELECT count(*), sum(length(value)) FROM log",
                                   "SELECT count(*), sum(length(value)) FROM (SELECT value FROM log ORDER BY offs DESC) x"])
def test_a_scan_of_large_messages_keeps_within_its_buffer(db, large_messages, buffer_mb, query):
    with db.connect() as session:
        session.execute(f"SET kafka_fdw.fetch_buffer = '{buffer_mb} MB'; SET enable_sort = off")
        session.execute("SELECT length(value) FROM log LIMIT 1").fetchall()
        pid = session.info.backend_pid
        forget_highest(pid)
        before = highest_kb(pid)
        assert session.execute(query).fetchone() == (MESSAGES, MESSAGES * MESSAGE_BYTES)
        grown_mb = (highest_kb(pid) - before) / 1024
        # A message that is larger than its share is fetched alone, and the row has a copy of it.
        assert grown_mb < buffer_mb + 4 * MESSAGE_BYTES / 2**20, grown_mb
        print(f"{buffer_mb} MB: grew by {grown_mb:.1f} MB")
