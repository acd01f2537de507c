"""What begin, end, drop and seek do in transactions, alone and under load, and what once, position and wait say."""

import collections
import itertools
import random

import psycopg
import pytest
from support import consumers, wait_for
from support.flow import Flow

SEED = 20261122

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def stream(db):
    """A stream for numbers, with their coordinates."""
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, n bigint)")
    return "stream"


def begin(session, topic, **arguments):
    names = "".join(f", {name} => %({name})s" for name in arguments)
    rows = session.execute(f"SELECT kafka_consume_begin('stream', %(topic)s{names})", {"topic": topic, **arguments})
    return list(rows)[0][0]  # of a session or a Database


def numbers(database):
    return [n for (n,) in database.execute("SELECT n FROM stream ORDER BY n")]


def count(database):
    return database.value("SELECT count(*) FROM stream")


def produce(broker, topic, first, behind, partition=0):
    broker.produce(topic, *map(str, range(first, behind)), partition=partition)


def wait_for_rows(database):
    wait_for(lambda: count(database) > 0, what="rows of the stream")


def assert_nothing_began(database, broker, topic):
    """A worker that started all the same would have been seen by the time another consumer has done its work."""
    assert database.execute("SELECT * FROM pipeline_kafka_consumers") == []
    assert database.execute("SELECT ftrelid::regclass FROM pg_foreign_table") == []
    database.execute("CREATE TABLE other (n bigint)")
    name = topic()
    produce(broker, name, 0, 1)
    consumers.begin(database, "other", name)
    consumers.wait_for_end(database, "other", name)
    assert len(consumers.workers(database)) == 1
    assert count(database) == 0


def multiplicity_of_rows(database):
    rows = database.execute("SELECT kafka_partition, kafka_offset, count(*) FROM stream GROUP BY 1, 2")
    return {(partition, offset): times for partition, offset, times in rows}


def assert_each_once(database, broker, topic, partitions):
    ends = {partition: broker.watermarks(topic, partition)[1] for partition in range(partitions)}
    assert multiplicity_of_rows(database) == {(partition, offset): 1 for partition, end in ends.items()
                                              for offset in range(end)}


# --- begin ---

def test_a_begin_rolled_back_leaves_nothing(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    session = db.connect(autocommit=False)
    begin(session, name, parallelism=3)
    session.rollback()
    assert_nothing_began(db, broker, topic)


def test_a_begin_whose_commit_fails_leaves_nothing(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    db.execute("CREATE TABLE strict (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    session = db.connect(autocommit=False)
    session.execute("INSERT INTO strict VALUES (1), (1)")
    begin(session, name, parallelism=3)
    with pytest.raises(psycopg.errors.UniqueViolation):
        session.commit()
    assert_nothing_began(db, broker, topic)


def test_a_begin_in_a_subtransaction_rolled_back_leaves_nothing(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    session = db.connect(autocommit=False)
    session.execute("SAVEPOINT outer_one")
    session.execute("SAVEPOINT inner_one")
    begin(session, name)
    session.execute("RELEASE inner_one")
    session.execute("ROLLBACK TO outer_one")
    session.commit()
    assert_nothing_began(db, broker, topic)


def test_a_begin_that_is_repeated_in_a_subtransaction_rolled_back_holds(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    session = db.connect(autocommit=False)
    begin(session, name)
    session.execute("SAVEPOINT s")
    begin(session, name, parallelism=3)
    session.execute("ROLLBACK TO s")
    session.commit()
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == list(range(10))
    assert len(consumers.workers(db)) == 1


def test_workers_start_at_commit_and_not_before(db, stream, broker, topic):
    name = topic(partitions=2)
    produce(broker, name, 0, 10)
    session = db.connect(autocommit=False)
    begin(session, name, parallelism=2)
    assert consumers.workers(db) == []
    session.commit()
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == list(range(10))


def test_a_repeated_begin_is_harmless_and_tells_what_changes(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    session = db.connect()
    notices = []
    session.add_notice_handler(lambda notice: notices.append((notice.severity_nonlocalized, notice.message_primary)))
    first = begin(session, name)
    consumers.wait_for_end(db, stream, name)
    notices.clear()
    assert begin(session, name) == first
    assert [text for severity, text in notices if severity == "NOTICE"] == []
    assert begin(session, name, batch_size=7) == first
    (changed,) = [text for severity, text in notices if severity == "NOTICE"]
    assert "batch_size" in changed and "50000" in changed and "7" in changed
    produce(broker, name, 10, 100)
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == list(range(100))
    assert consumers.position(db, stream, name) == {0: 100}


def test_begin_for_all_brings_back_what_was_ended(db, broker, topic):
    names = [topic(), topic()]
    for number, name in enumerate(names):
        db.execute(f"CREATE TABLE stream_{number} (n bigint)")
        consumers.begin(db, f"stream_{number}", name)
    assert db.value("SELECT kafka_consume_end()") == 2
    assert db.value("SELECT kafka_consume_end()") == 0
    wait_for(lambda: consumers.workers(db) == [], what="the end of the workers")
    for name in names:
        produce(broker, name, 0, 5)
    assert db.value("SELECT kafka_consume_begin()") == 2
    for number, name in enumerate(names):
        consumers.wait_for_end(db, f"stream_{number}", name)
        assert db.value(f"SELECT count(*) FROM stream_{number}") == 5


def test_parallelism_changes_while_messages_come(db, stream, broker, topic):
    name = topic(partitions=4)
    with Flow(broker, name, 4) as flow:
        for parallelism in (1, 4, 2, 0, 6, 3):
            begin(db, name, parallelism=parallelism)
            wait_for(lambda wanted=parallelism: len(consumers.workers(db)) == wanted, what=f"{parallelism} workers")
            flow.wait_for_more()
    consumers.wait_for_end(db, stream, name)
    assert_each_once(db, broker, name, 4)


# --- end ---

def test_an_end_rolled_back_goes_on(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_end('stream', %s)", [name]).fetchone() == (True,)
    produce(broker, name, 10, 20)
    session.rollback()
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == list(range(20))


def test_no_row_comes_once_end_has_returned(db, stream, broker, topic):
    name = topic(partitions=3)
    with Flow(broker, name, 3) as flow:
        for _ in range(3):
            begin(db, name, parallelism=3)
            before = count(db)
            wait_for(lambda before=before: count(db) > before, what="more rows")
            session = db.connect(autocommit=False)
            assert session.execute("SELECT kafka_consume_end('stream', %s)", [name]).fetchone() == (True,)
            ended = count(db)
            flow.wait_for_more()
            assert count(db) == ended
            session.commit()
            flow.wait_for_more()
            assert count(db) == ended
            assert not db.value("SELECT kafka_consume_end('stream', %s)", [name])
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    assert_each_once(db, broker, name, 3)


TRUNCATE_AND_END = ["TRUNCATE stream", "SELECT kafka_consume_end('stream', %(topic)s)"]


@pytest.mark.parametrize("statements", [TRUNCATE_AND_END, TRUNCATE_AND_END[::-1]], ids=["truncate first", "end first"])
def test_truncate_and_end_in_one_transaction_under_load(db, stream, broker, topic, statements):
    name = topic(partitions=6)
    with Flow(broker, name, 6) as flow:
        for _ in range(5):
            begin(db, name, parallelism=6, batch_delay="0")
            wait_for_rows(db)
            session = db.connect(autocommit=False)
            for statement in statements:
                session.execute(statement, {"topic": name})
            session.commit()
            assert count(db) == 0
            flow.wait_for_more()
            assert count(db) == 0
    assert "deadlock" not in db.pg.log.read()


# --- seek ---

class Multiplicity:
    """How often each message must be there, from what seek says it had and what it moved to."""

    def __init__(self, database, topic, partitions):
        self._database, self._topic = database, topic
        self._from = dict.fromkeys(range(partitions), 0)
        self.expected = collections.Counter()

    def seek(self, session, target):
        (had,) = session.execute("SELECT kafka_consume_seek('stream', %s, %s)", [self._topic, target]).fetchone()
        (now,) = session.execute("SELECT kafka_consume_position('stream', %s)", [self._topic]).fetchone()
        return had, now

    def committed(self, had, now):
        for partition in self._from:
            self.expected.update((partition, offset) for offset in range(self._from[partition], had.get(str(partition), 0)))
            self._from[partition] = now.get(str(partition), 0)

    def ended(self):
        self.committed(self._database.value("SELECT kafka_consume_position('stream', %s)", [self._topic]), {})


def test_seek_under_load_takes_every_message_as_often_as_it_was_sought(db, stream, broker, topic):
    name = topic(partitions=3)
    rng = random.Random(SEED)
    print("seed", SEED)
    model = Multiplicity(db, name, 3)
    with Flow(broker, name, 3) as flow:
        begin(db, name, parallelism=3)
        for number in range(12):
            before = count(db)
            wait_for(lambda before=before: count(db) > before, what="more rows")
            end = broker.watermarks(name, 0)[1]
            target = rng.choice(["earliest", "latest", "-100", f'{{"0": {rng.randint(0, end)}}}',
                                 '{"1": "earliest", "2": -5}'])
            session = db.connect(autocommit=False)
            moved = model.seek(session, target)
            if number % 4 == 3:
                session.rollback()
            else:
                session.commit()
                model.committed(*moved)
            flow.wait_for_more(100)
    consumers.wait_for_end(db, stream, name)
    db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    model.ended()
    assert multiplicity_of_rows(db) == model.expected
    assert max(model.expected.values()) > 1


def test_seek_and_truncate_in_one_transaction_take_all_anew(db, stream, broker, topic):
    name = topic(partitions=6)
    with Flow(broker, name, 6) as flow:
        begin(db, name, parallelism=6, batch_delay="0")
        for order in (["seek", "truncate"], ["truncate", "seek"]) * 3:
            wait_for_rows(db)
            session = db.connect(autocommit=False)
            for step in order:
                if step == "seek":
                    session.execute("SELECT kafka_consume_seek('stream', %s, 'earliest')", [name])
                else:
                    session.execute("TRUNCATE stream")
            session.commit()
            flow.wait_for_more(100)
    consumers.wait_for_end(db, stream, name)
    assert_each_once(db, broker, name, 6)


def test_a_seek_of_an_ended_consumer_moves_it_and_leaves_it_ended(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    assert db.value("SELECT kafka_consume_seek('stream', %s, '7')", [name]) == {"0": 10}
    assert consumers.stat(db, stream, "state") == "stopped"
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    assert numbers(db) == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9]


def test_a_seek_past_the_end_or_to_an_unknown_partition_is_refused(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name, parallelism=0)
    for target in ("11", '{"3": 0}', "nowhere"):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            db.execute("SELECT kafka_consume_seek('stream', %s, %s)", [name, target])


# --- position, wait ---

def test_rows_and_position_agree_in_every_snapshot(db, stream, broker, topic):
    name = topic(partitions=3)
    with Flow(broker, name, 3):
        begin(db, name, parallelism=3)
        wait_for_rows(db)
        seen = set()
        for _ in range(200):
            (rows, position), = db.execute("SELECT (SELECT count(*) FROM stream), kafka_consume_position('stream', %s)",
                                           [name])
            assert rows == sum(position.values())
            seen.add(rows)
        assert len(seen) > 3, "the consumer stood still"


def test_wait_says_whether_the_target_is_committed(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name, parallelism=0)
    assert not db.value("SELECT kafka_consume_wait('stream', %s, '50 ms')", [name])
    assert db.value("SELECT kafka_consume_wait('stream', %s, '50 ms', '0')", [name])
    begin(db, name, parallelism=1)
    assert db.value("SELECT kafka_consume_wait('stream', %s, target => '10')", [name])
    assert count(db) == 10
    assert not db.value("SELECT kafka_consume_wait('stream', %s, '50 ms', '11')", [name])


def test_wait_sees_rows_in_its_own_transaction_of_read_committed(db, stream, broker, topic):
    name = topic()
    begin(db, name)
    session = db.connect(autocommit=False)
    session.execute("SELECT count(*) FROM stream")
    produce(broker, name, 0, 10)
    assert session.execute("SELECT kafka_consume_wait('stream', %s)", [name]).fetchone() == (True,)
    assert session.execute("SELECT count(*) FROM stream").fetchone() == (10,)


def test_wait_errors_where_it_would_be_in_vain(db, stream, broker, topic):
    name = topic()
    session = db.connect(autocommit=False)
    begin(session, name)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="this transaction"):
        session.execute("SELECT kafka_consume_wait('stream', %s)", [name])
    session.rollback()
    begin(db, name)
    produce(broker, name, 0, 1)
    consumers.wait_for_end(db, stream, name)
    session.execute("SELECT kafka_consume_end('stream', %s)", [name])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        session.execute("SELECT kafka_consume_wait('stream', %s, target => '1')", [name])
    session.rollback()
    db.execute("SELECT kafka_consume_end('stream', %s)", [name])
    produce(broker, name, 1, 2)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="stopped"):
        db.execute("SELECT kafka_consume_wait('stream', %s)", [name])


@pytest.mark.parametrize("call", ["kafka_consume_end({}, 't')", "kafka_consume_drop({}, 't')",
                                  "kafka_consume_seek({}, 't', 'earliest')", "kafka_consume_position({}, 't')",
                                  "kafka_consume_once({}, 't')", "kafka_consume_wait({}, 't')"])
def test_what_does_not_exist_is_said(db, stream, call):
    with pytest.raises(psycopg.errors.UndefinedObject):
        db.execute("SELECT " + call.format("'stream'"))
    with pytest.raises(psycopg.errors.UndefinedTable):
        db.execute("SELECT " + call.format("'nothing'"))


# --- once ---

def test_once_takes_what_is_there_in_the_caller_s_transaction(db, stream, broker, topic):
    name = topic(partitions=2)
    produce(broker, name, 0, 7)
    begin(db, name, parallelism=0)
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_once('stream', %s)", [name]).fetchone() == (7,)
    assert session.execute("SELECT count(*) FROM stream").fetchone() == (7,)
    session.rollback()
    assert count(db) == 0
    taken = [db.value("SELECT kafka_consume_once('stream', %s, 3)", [name]) for _ in range(4)]
    assert taken == [3, 3, 1, 0]
    assert numbers(db) == list(range(7))
    assert consumers.workers(db) == []
    produce(broker, name, 7, 9, partition=1)
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 2
    assert_each_once(db, broker, name, 2)


def test_once_beside_workers_takes_no_message_twice(db, stream, broker, topic):
    name = topic(partitions=3)
    with Flow(broker, name, 3) as flow:
        begin(db, name, parallelism=3)
        taken = 0
        while taken == 0 or flow.sent < 5000:
            taken += db.value("SELECT kafka_consume_once('stream', %s)", [name])
    consumers.wait_for_end(db, stream, name)
    assert_each_once(db, broker, name, 3)


def test_calls_of_once_from_many_sessions_share_the_log(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 1000)
    begin(db, name, parallelism=0)
    sessions = [db.connect() for _ in range(3)]
    for session in itertools.cycle(sessions):
        if session.execute("SELECT kafka_consume_once('stream', %s, 90)", [name]).fetchone() == (0,):
            break
    assert numbers(db) == list(range(1000))


def test_once_leaves_the_offsets_before_a_bad_message(db, stream, broker, topic):
    name = topic()
    broker.produce(name, "1", "2", "x", "4")
    begin(db, name, parallelism=0)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
        db.execute("SELECT kafka_consume_once('stream', %s)", [name])
    assert f'topic "{name}", partition 0, offset 2, column "n"' in raised.value.diag.context
    assert count(db) == 0
    assert db.value("SELECT kafka_consume_once('stream', %s, 2)", [name]) == 2
    db.execute("SELECT kafka_consume_seek('stream', %s, '3')", [name])
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 1
    assert numbers(db) == [1, 2, 4]


# --- drop ---

def test_drop_forgets_the_consumer_and_its_table(db, stream, broker, topic):
    name = topic()
    produce(broker, name, 0, 10)
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_drop('stream', %s)", [name]).fetchone() == ({"0": 10},)
    session.rollback()
    produce(broker, name, 10, 20)
    consumers.wait_for_end(db, stream, name)
    assert db.value("SELECT kafka_consume_drop('stream', %s)", [name]) == {"0": 20}
    assert db.execute("SELECT ftrelid::regclass FROM pg_foreign_table") == []
    for table in ("consumers", "offsets", "workers"):
        assert db.value(f"SELECT count(*) FROM pipeline_kafka_{table}") == 0
    wait_for(lambda: consumers.workers(db) == [], what="the end of the worker")
    assert numbers(db) == list(range(20))
    begin(db, name)
    consumers.wait_for_end(db, stream, name)
    assert count(db) == 40


def test_drop_under_load_adds_no_row_afterwards(db, stream, broker, topic):
    name = topic(partitions=3)
    with Flow(broker, name, 3) as flow:
        for _ in range(3):
            begin(db, name, parallelism=3)
            before = count(db)
            wait_for(lambda before=before: count(db) > before, what="more rows")
            db.execute("SELECT kafka_consume_drop('stream', %s)", [name])
            dropped = count(db)
            flow.wait_for_more()
            assert count(db) == dropped
