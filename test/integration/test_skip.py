"""kafka_consume_skip: the message that stopped a consumer goes to pipeline_kafka_errors, and the consumer goes on."""

import psycopg
import pytest
from support import consumers
from support.streams import count, numbers, produce, wait_for_error, wait_for_no_workers

pytestmark = pytest.mark.usefixtures("way")


def skip(db, topic):
    return db.value("SELECT kafka_consume_skip('stream', %s)", [topic])


def errors(db, columns):
    return db.execute(f"SELECT {columns} FROM pipeline_kafka_errors ORDER BY id")


def stop_at(db, broker, topic, *messages, definition="n bigint", **arguments):
    """A consumer that one of the messages has stopped."""
    db.execute(f"CREATE TABLE stream ({definition})")
    broker.produce(topic, *messages)
    consumers.begin(db, "stream", topic, **arguments)
    error = wait_for_error(db)
    wait_for_no_workers(db)
    return error


def test_a_message_that_does_not_decode_is_kept_whole(db, broker, topic):
    name = topic()
    bad = {"value": b"bad", "key": b"k\x00", "timestamp": 1_600_000_000_123,
           "headers": [("b", b"2"), ("a", None), ("b", b"\xff")]}
    (sqlstate, *_, message) = stop_at(db, broker, name, "1", "2", bad, "3")
    row = skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2, 3]
    assert errors(db, "id, topic, partition, message_offset, key, value, headers, sqlstate, error, column_name") == [
        (row, name, 0, 2, b"k\x00", b"bad", {"a": None, "b": ["2", "\\xff"]}, sqlstate, message, "n")]
    assert db.value("SELECT extract(epoch FROM message_timestamp) * 1000 FROM pipeline_kafka_errors") == bad["timestamp"]
    assert db.execute("SELECT state <> 'error', messages, rows, rejected FROM kafka_stat_consumers") == [(True, 4, 3, 1)]


def test_a_message_that_a_constraint_refuses_is_kept_with_its_reason(db, broker, topic):
    name = topic()
    stop_at(db, broker, name, *map(str, range(10)), definition="n bigint NOT NULL CHECK (n <> 7)")
    skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [n for n in range(10) if n != 7]
    ((offset, value, sqlstate, error, detail),) = errors(db, "message_offset, value, sqlstate, error, detail")
    assert (offset, value, sqlstate) == (7, b"7", "23514") and "check constraint" in error
    assert detail.startswith("Failing row contains (7)")


def test_each_of_several_bad_messages_is_skipped_by_a_call_of_its_own(db, broker, topic):
    name = topic(partitions=2)
    messages = [{"value": value, "partition": partition} for partition in (0, 1) for value in ("1", "bad", "worse", "2")]
    stop_at(db, broker, name, *messages, parallelism=2)
    for _ in range(4):
        wait_for_error(db)
        skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 1, 2, 2]
    assert sorted(errors(db, "partition, message_offset, value")) == [
        (p, *letter) for p in (0, 1) for letter in [(1, b"bad"), (2, b"worse")]]


def test_a_skip_that_is_rolled_back_has_not_happened(db, broker, topic):
    name = topic()
    stop_at(db, broker, name, "1", "bad", "2")
    session = db.connect(autocommit=False)
    session.execute("SELECT kafka_consume_skip('stream', %s)", [name])
    assert session.execute("SELECT count(*) FROM pipeline_kafka_errors").fetchone() == (1,)
    session.rollback()
    assert errors(db, "id") == [] and consumers.position(db, "stream", name) == {0: 1}
    assert consumers.stat(db, "stream", "state") == "error" and consumers.workers(db) == []
    skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2] and errors(db, "message_offset") == [(1,)]


def test_a_consumer_that_no_message_stopped_has_nothing_to_skip(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    produce(broker, name, 0, 5)
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="was not stopped by a message"):
        skip(db, name)
    broker.produce(name, "bad", "6")
    wait_for_error(db)
    db.execute("SELECT kafka_consume_seek('stream', %s, '6')", [name])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [0, 1, 2, 3, 4, 6] and errors(db, "id") == []


def test_a_consumer_that_was_ended_after_its_error_stays_ended(db, broker, topic):
    name = topic()
    stop_at(db, broker, name, "bad", "1")
    db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        skip(db, name)
    assert consumers.stat(db, "stream", "state") == "stopped" and count(db) == 0


def test_a_message_that_retention_has_deleted_is_recorded_without_its_value(db, broker, topic):
    name = topic()
    sqlstate, *_, message = stop_at(db, broker, name, "1", "bad", "2", "3")
    broker.delete_records(name, 0, 2)
    skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2, 3]
    ((*kept, detail),) = errors(db, "message_offset, message_timestamp, key, value, headers, sqlstate, error, detail")
    assert kept == [1, None, None, None, None, "58P01", message]
    assert f"SQLSTATE {sqlstate}, and was not in the log any more" in detail
    assert db.execute("SELECT messages, rows, rejected FROM kafka_stat_consumers") == [(4, 3, 1)]


def test_what_retention_has_deleted_besides_is_still_a_gap(db, broker, topic):
    name = topic()
    stop_at(db, broker, name, "1", "bad", "2", "3")
    broker.delete_records(name, 0, 3)
    skip(db, name)
    assert wait_for_error(db)[0] == "58P01"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        skip(db, name)  # no message stopped it this time
    assert consumers.position(db, "stream", name) == {0: 2} and numbers(db) == [1]


def test_nothing_before_the_message_is_skipped(db, broker, topic):
    """Whatever the workers' table says: between the stored offset and the message may be none that is not taken."""
    name = topic()
    stop_at(db, broker, name, "1", "2", "bad", "3")
    db.execute("UPDATE pipeline_kafka_offsets SET next_offset = 0")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        skip(db, name)
    assert consumers.position(db, "stream", name) == {0: 0} and errors(db, "id") == []


def test_records_that_are_no_messages_lie_between_the_offset_and_the_message(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (n bigint)")
    with broker.transaction() as send:
        send(name, "1")
    with broker.transaction(abort=True) as send:
        send(name, "aborted", "too")
    broker.produce(name, "bad", "2")
    consumers.begin(db, "stream", name)
    bad = wait_for_error(db)[3]
    skip(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [1, 2] and errors(db, "message_offset, value") == [(bad, b"bad")]
