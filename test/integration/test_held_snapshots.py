"""Consumers beside a transaction that holds its snapshot for long, as pg_dump does, and beside changes of the offsets' table."""

import pytest
from support import consumers
from support.flow import Flow
from support.oracle import COORDINATES, assert_each_once, taken


@pytest.fixture
def name(db, topic):
    db.execute(COORDINATES)
    return topic(partitions=3)


def begin(db, name, **arguments):
    consumers.begin(db, "stream", name, parallelism=2, batch_size=20, batch_delay="0", **arguments)


def test_rows_and_offsets_agree_beside_a_held_snapshot(db, name, broker):
    holder = db.connect(autocommit=False)
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with Flow(broker, name, 3) as flow:
        begin(db, name)
        flow.wait_for_more(1000)
        before = holder.execute("SELECT sum(messages) FROM pipeline_kafka_offsets").fetchall()
        flow.wait_for_more(3000)
        assert holder.execute("SELECT sum(messages) FROM pipeline_kafka_offsets").fetchall() == before
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.value("SELECT sum(messages) FROM pipeline_kafka_offsets") == flow.sent
    holder.rollback()


@pytest.mark.parametrize("rewrite", ["VACUUM FULL {}", "CLUSTER {} USING pipeline_kafka_offsets_pkey", "VACUUM {}",
                                     "UPDATE {} SET updated_at = now()"])
def test_rows_of_offsets_that_move_are_found_again(db, name, broker, rewrite):
    """Others' rows come to be where they were, and they where others' were."""
    db.execute("CREATE TABLE other (n bigint)")
    with Flow(broker, name, 3) as flow:
        begin(db, name)
        consumers.begin(db, "other", name, columns=["n"], batch_size=15)
        for _ in range(4):
            flow.wait_for_more(500)
            db.execute(rewrite.format("pipeline_kafka_offsets"))
    for stream in ("stream", "other"):
        consumers.wait_for_end(db, stream, name)
        assert consumers.stat(db, stream, "messages") == flow.sent
    assert_each_once(db, broker, name)
    assert db.value("SELECT count(DISTINCT n) FROM other") == db.value("SELECT count(*) FROM other") == flow.sent


def test_an_offset_that_is_moved_by_a_seek_is_not_moved_back(db, name, broker):
    with Flow(broker, name, 3) as flow:
        begin(db, name)
        sought = 0
        for _ in range(5):
            flow.wait_for_more(500)
            before = db.value("SELECT kafka_consume_seek('stream', %s, '{\"1\": 0}')", [name])
            sought += before.get("1", 0)
    consumers.wait_for_end(db, "stream", name)
    found = taken(db)
    assert sum(found.values()) == flow.sent + sought
    assert {place for place, times in found.items() if times > 1} <= {(1, offset) for offset in range(flow.sent)}
    assert len(found) == flow.sent
