"""on_error ignore and dead_letter: what is kept of bad messages, how they are found, and when there are too many."""

import json
import math

import pytest
from support import consumers, wait_for
from support.oracle import COORDINATES, assert_each_once
from support.streams import count, numbers, produce, wait_for_error

both_ways = pytest.mark.usefixtures("way")

LETTERS = """SELECT partition, message_offset, key, value, headers, sqlstate, error, column_name
             FROM pipeline_kafka_errors ORDER BY partition, message_offset"""


@pytest.fixture
def stream(db):
    db.execute(COORDINATES)
    return "stream"


def begin(db, topic, on_error="dead_letter", **arguments):
    consumers.begin(db, "stream", topic, on_error=on_error, **arguments)


def offsets(db):
    return [offset for (offset,) in db.execute("SELECT message_offset FROM pipeline_kafka_errors ORDER BY 1")]


def with_bad_ones(count, bad):
    return ["bad" if number in bad else str(number) for number in range(count)]


# --- what is kept ---

@both_ways
def test_a_dead_letter_holds_all_of_the_message(db, stream, broker, topic):
    name = topic(partitions=2)
    begin(db, name)
    broker.produce(name, "1", {"value": b"\xff\x00", "key": b"k\x00", "headers": [("h", b"1"), ("a", None)], "partition": 1,
                               "timestamp": 1_600_000_000_123}, "2", partition=0)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    (letter,) = db.execute(LETTERS)
    assert letter[:3] == (1, 0, b"k\x00") and letter[3] == b"\xff\x00" and letter[4] == {"h": "1", "a": None}
    assert letter[5:] == ("22021", 'invalid byte sequence for encoding "UTF8"', None)
    assert float(db.value("SELECT extract(epoch FROM message_timestamp) FROM pipeline_kafka_errors")) == 1_600_000_000.123
    assert db.execute("SELECT messages, rows, rejected FROM kafka_stat_consumers") == [(3, 2, 1)]


@both_ways
def test_errors_of_the_statement_and_of_decoding_are_told_apart_in_one_batch(db, stream, broker, topic):
    name = topic()
    db.execute("ALTER TABLE stream ADD CHECK (n <> 50), ADD UNIQUE (n)")
    messages = with_bad_ones(100, {3, 97})
    messages[70] = "12"  # for the second time
    broker.produce(name, *messages)
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert [(letter[1], letter[5], letter[7]) for letter in db.execute(LETTERS)] == [
        (3, "22P02", "n"), (50, "23514", None), (70, "23505", None), (97, "22P02", "n")]


@both_ways
def test_what_is_ignored_is_counted(db, stream, broker, topic):
    name = topic()
    db.execute("ALTER TABLE stream ADD CHECK (n <> 7)")
    broker.produce(name, *with_bad_ones(30, {0, 12, 29}))
    begin(db, name, "ignore")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [n for n in range(30) if n not in (0, 7, 12, 29)]
    assert db.execute("SELECT messages, rows, rejected FROM kafka_stat_consumers") == [(30, 26, 4)]
    assert offsets(db) == []


def test_deferred_constraints_are_told_by_message_too(db, broker, topic):
    name = topic()
    db.execute(f"""CREATE TABLE parent (n bigint PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 99);
                   {COORDINATES}; ALTER TABLE stream ADD FOREIGN KEY (n) REFERENCES parent DEFERRABLE INITIALLY DEFERRED""")
    broker.produce(name, *(str(n) if n % 30 else "1000" for n in range(100)))
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert [(letter[1], letter[5]) for letter in db.execute(LETTERS)] == [(n, "23503") for n in (0, 30, 60, 90)]


def test_an_error_at_commit_that_no_batch_can_help_does_not_lose_messages(db, broker, topic):
    """A constraint trigger that is deferred raises when constraints are made immediate, before the offsets move."""
    name = topic()
    db.execute(f"""{COORDINATES};
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF NEW.n % 40 = 5 THEN RAISE 'not %', NEW.n; END IF; RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON stream DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()""")
    produce(broker, name, 0, 100)
    begin(db, name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert [(letter[1], letter[5], letter[6]) for letter in db.execute(LETTERS)] == [
        (n, "P0001", f"not {n}") for n in (5, 45, 85)]


@both_ways
@pytest.mark.parametrize("file_format, bad, good", [("json", '{"t": "a\\u0000b"}', '{"t": "good"}'),
                                                    ("text", "a\x00b", "good"), ("csv", "a\x00b", "good")])
def test_zero_bytes_are_bad_messages_and_no_more(db, broker, topic, file_format, bad, good):
    name = topic()
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, t text, more int)")
    broker.produce(name, good, bad, good, bad)
    begin(db, name, format=file_format, columns=["t"])
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert [(offset, state[:2], value) for _, offset, _, value, _, state, *_ in db.execute(LETTERS)] == [
        (1, "22", bad.encode()), (3, "22", bad.encode())]


# --- how they are found ---

def test_bad_messages_are_found_in_few_attempts(db, stream, broker, topic):
    """A set-based statement, whose errors point at no message; each attempt takes a number from a sequence."""
    name, size, bad = topic(), 8192, [17, 4000, 4001, 8100]
    db.execute(f"""CREATE FOREIGN TABLE source (kafka_partition int OPTIONS (partition 'true'),
                       kafka_offset bigint OPTIONS ("offset" 'true'), n bigint)
                   SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text');
                   CREATE SEQUENCE attempts;
                   CREATE FUNCTION count_attempt() RETURNS trigger LANGUAGE plpgsql AS
                   $$BEGIN PERFORM nextval('attempts'); RETURN NULL; END$$;
                   CREATE TRIGGER count_attempt BEFORE INSERT ON stream FOR EACH STATEMENT EXECUTE FUNCTION count_attempt();
                   ALTER TABLE stream ADD CHECK (n NOT IN ({', '.join(map(str, bad))}))""")
    produce(broker, name, 0, size)
    begin(db, name, statement="INSERT INTO stream SELECT * FROM (SELECT * FROM source ORDER BY n DESC) s", batch_delay="1 s")
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert offsets(db) == bad
    attempts = db.value("SELECT last_value FROM attempts")
    print(attempts, "attempts")
    assert attempts <= len(bad) * 2 * (math.log2(size) + 1) + size / 1024 + 10


def test_the_batch_is_not_fetched_again(bare_db, own_broker):
    """The broker is gone by the time the statement fails, and the batch is narrowed down all the same."""
    bare_db.use_broker(own_broker)
    bare_db.execute(f"""{COORDINATES}; ALTER TABLE stream ADD CHECK (n % 100 <> 50);
        CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END$$;
        CREATE TRIGGER wait_for_test BEFORE INSERT ON stream FOR EACH STATEMENT EXECUTE FUNCTION wait_for_test()""")
    own_broker.create_topic("numbers")
    produce(own_broker, "numbers", 0, 1000)
    session = bare_db.connect()
    session.execute("SELECT pg_advisory_lock(1)")
    begin(bare_db, "numbers")
    wait_for(lambda: bare_db.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' "
                                   "AND backend_type = 'kafka consumer'"), what="the statement")
    own_broker.kill()
    session.execute("SELECT pg_advisory_unlock(1)")
    wait_for(lambda: count(bare_db) == 990, what="the good messages")
    assert offsets(bare_db) == list(range(50, 1000, 100))
    own_broker.restart()
    assert_each_once(bare_db, own_broker, "numbers")


# --- when there are too many ---

@both_ways
def test_reject_limit_counts_from_begin_and_from_seek(db, stream, broker, topic):
    name = topic()
    broker.produce(name, *with_bad_ones(20, {3, 7, 11, 15, 18}))
    begin(db, name, reject_limit=2)
    assert wait_for_error(db)[:4] == ("22P02", name, 0, 11)
    assert offsets(db) == [3, 7] and numbers(db) == [n for n in range(11) if n not in (3, 7)]
    assert "reject_limit" in db.value("SELECT detail FROM kafka_stat_consumers")
    consumers.begin(db, "stream", name)
    assert wait_for_error(db)[:4] == ("22P02", name, 0, 18)
    assert offsets(db) == [3, 7, 11, 15]
    db.execute("SELECT kafka_consume_seek('stream', %s, '18')", [name])
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert db.execute("SELECT rejected FROM kafka_stat_consumers") == [(5,)]


@both_ways
@pytest.mark.parametrize("on_error", ["ignore", "dead_letter"])
def test_reject_limit_holds_across_batches_and_workers(db, stream, broker, topic, on_error):
    name = topic(partitions=2)
    begin(db, name, on_error, reject_limit=10, parallelism=2, batch_size=4)
    broker.produce(name, *({"value": "bad" if n % 5 == 0 else str(n), "partition": n % 2} for n in range(200)))
    assert wait_for_error(db)[0] == "22P02"
    # A worker that rejects at the same moment does not see the other's: no more than a batch of each beyond the limit.
    assert 10 <= consumers.stat(db, "stream", "rejected") <= 14
    db.execute("SELECT kafka_consume_begin('stream', %s, reject_limit => -1)", [name])
    consumers.wait_for_end(db, "stream", name)
    assert consumers.stat(db, "stream", "rejected") == 40 and count(db) == 160


@both_ways
def test_a_limit_of_none_stops_at_the_first(db, stream, broker, topic):
    name = topic()
    broker.produce(name, *with_bad_ones(20, {3}))
    begin(db, name, reject_limit=0)
    assert wait_for_error(db)[:4] == ("22P02", name, 0, 3)
    assert numbers(db) == [0, 1, 2] and offsets(db) == []


@both_ways
@pytest.mark.parametrize("batch_size", [30, 50_000])
def test_when_everything_fails_alike_it_is_not_the_messages(db, stream, broker, topic, batch_size):
    name = topic()
    begin(db, name, batch_size=batch_size)
    produce(broker, name, 0, 20)
    consumers.wait_for_end(db, "stream", name)
    db.execute("ALTER TABLE stream ADD added int NOT NULL DEFAULT 1; ALTER TABLE stream ALTER added DROP DEFAULT")
    broker.produce(name, *(f"{n}\t\\N" for n in range(20, 520)))
    sqlstate, *place, _ = wait_for_error(db)
    assert (sqlstate, place) == ("23502", [name, 0, 119])
    assert offsets(db) == list(range(20, 119)) and numbers(db) == list(range(20))
    assert "in a row" in db.value("SELECT detail FROM kafka_stat_consumers")
    db.execute("ALTER TABLE stream ALTER added DROP NOT NULL")
    consumers.begin(db, "stream", name)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)


@both_ways
def test_good_messages_between_bad_ones_break_the_row(db, stream, broker, topic):
    name = topic()
    db.execute("ALTER TABLE stream ADD CHECK (n % 50 = 0)")
    produce(broker, name, 1, 260)
    begin(db, name, batch_size=40)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert numbers(db) == [50, 100, 150, 200, 250]


@both_ways
def test_many_messages_that_do_not_decode_do_not_stop_it(db, stream, broker, topic):
    name = topic()
    broker.produce(name, *["bad"] * 300, "1")
    begin(db, name, batch_size=120)
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert numbers(db) == [1]


@both_ways
def test_once_keeps_dead_letters_in_the_callers_transaction(db, stream, broker, topic):
    name = topic()
    broker.produce(name, *with_bad_ones(10, {4}))
    begin(db, name, parallelism=0)
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_once('stream', %s)", [name]).fetchone() == (10,)
    session.rollback()
    assert offsets(db) == [] and count(db) == 0
    assert db.value("SELECT kafka_consume_once('stream', %s)", [name]) == 10
    assert_each_once(db, broker, name)


def test_a_child_whose_parent_comes_behind_it_in_the_batch_is_taken(db, broker, topic):
    name = topic()
    db.execute("CREATE TABLE stream (kafka_partition int, kafka_offset bigint, id int PRIMARY KEY, parent int REFERENCES stream)")
    pairs = [(1, 2), (2, 3), (3, None), (4, 99), (5, 1)]
    broker.produce(name, *(json.dumps({"id": i, "parent": p}) for i, p in pairs))
    begin(db, name, format="json")
    consumers.wait_for_end(db, "stream", name)
    assert_each_once(db, broker, name)
    assert offsets(db) == [3]


def test_a_statement_that_changes_the_catalog_has_dead_letters_too(db, stream, broker, topic):
    name = topic()
    db.execute(f"""CREATE FOREIGN TABLE source (kafka_partition int OPTIONS (partition 'true'),
                                                kafka_offset bigint OPTIONS ("offset" 'true'), n text)
                     SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text');
                   CREATE FUNCTION seen() RETURNS boolean LANGUAGE plpgsql AS $$
                   BEGIN CREATE TEMP TABLE IF NOT EXISTS seen (n int) ON COMMIT DROP; RETURN true; END $$""")
    broker.produce(name, *with_bad_ones(20, {7, 13}))
    begin(db, name, statement="INSERT INTO stream SELECT kafka_partition, kafka_offset, n::bigint FROM source WHERE seen()")
    consumers.wait_for_end(db, "stream", name)
    assert offsets(db) == [7, 13] and count(db) == 18
