"""kafka_consume_retry: dead letters go through the consumer's statement again; those that succeed are removed."""

import hashlib
import threading

import psycopg
import pytest
from support import consumers, wait_for
from support.streams import count, numbers, produce

pytestmark = pytest.mark.usefixtures("way")

COORDINATES = "kafka_partition int, kafka_offset bigint"


def retry(db, topic, *arguments):
    places = "".join(", %s" for _ in arguments)
    return db.value(f"SELECT kafka_consume_retry('stream', %s{places})", [topic, *arguments])


def letters(db, columns="message_offset"):
    rows = db.execute(f"SELECT {columns} FROM pipeline_kafka_errors ORDER BY partition, message_offset")
    return [row[0] for row in rows] if "," not in columns else rows


def reject(db, broker, topic, *messages, definition, **arguments):
    """A consumer that has taken the messages, or kept them as dead letters."""
    db.execute(f"CREATE TABLE stream ({definition})")
    broker.produce(topic, *messages)
    consumers.begin(db, "stream", topic, on_error="dead_letter", **arguments)
    if arguments.get("parallelism") == 0:
        db.value("SELECT kafka_consume_once('stream', %s)", [topic])
    else:
        consumers.wait_for_end(db, "stream", topic)


def reject_odd(db, broker, topic, behind=10, **arguments):
    """Of the numbers below, the odd ones are dead letters, by constraint odd."""
    reject(db, broker, topic, *map(str, range(behind)),
           definition=f"n bigint CONSTRAINT odd CHECK (n % 2 = 0), {COORDINATES}", **arguments)


def assert_each_once(db, broker, topic):
    """Each message is in the table or a dead letter, and never both."""
    found = db.execute("""SELECT kafka_partition, kafka_offset FROM stream
                          UNION ALL SELECT partition, message_offset FROM pipeline_kafka_errors""")
    assert sorted(found) == [(message.partition(), message.offset()) for message in broker.consume(topic)]


def test_all_of_them_succeed_when_the_cause_is_gone(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    position = consumers.position(db, "stream", name)
    assert letters(db) == [1, 3, 5, 7, 9] and retry(db, name) == 0 and letters(db) == [1, 3, 5, 7, 9]
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    assert retry(db, name) == 5
    assert numbers(db) == list(range(10)) and letters(db) == []
    assert_each_once(db, broker, name)
    assert consumers.position(db, "stream", name) == position and retry(db, name) == 0


def test_only_those_with_the_ids_are_tried(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    ids = dict(letters(db, "message_offset, id"))
    assert retry(db, name, []) == 0
    assert retry(db, name, [ids[7], ids[3], ids[3], -1, None]) == 2
    assert numbers(db) == [0, 2, 3, 4, 6, 7, 8] and letters(db) == [1, 5, 9]
    assert_each_once(db, broker, name)


def test_dead_letters_of_another_consumer_are_left_alone(db, broker, topic):
    name, other = topic(), topic()
    reject_odd(db, broker, name)
    produce(broker, other, 0, 4)
    consumers.begin(db, "stream", other, on_error="dead_letter")
    consumers.wait_for_end(db, "stream", other)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    assert retry(db, other, [row for (row,) in db.execute("SELECT id FROM pipeline_kafka_errors")]) == 2
    assert letters(db) == [1, 3, 5, 7, 9]


def test_those_that_fail_again_stay_with_their_new_reason(db, broker, topic):
    name = topic()
    reject(db, broker, name, "1", "bad", "2", "3", "4", definition=f"n bigint CHECK (n < 2), {COORDINATES}")
    before = letters(db, "id, sqlstate")
    assert [sqlstate for _, sqlstate in before] == ["22P02", "23514", "23514", "23514"]
    db.execute("""ALTER TABLE stream DROP CONSTRAINT stream_n_check;
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN IF NEW.n = 3 THEN
                      RAISE 'not three' USING COLUMN = 'n', DETAIL = 'By order.', ERRCODE = '22000';
                  END IF; RETURN NEW; END$$;
                  CREATE TRIGGER refuse BEFORE INSERT ON stream FOR EACH ROW EXECUTE FUNCTION refuse()""")
    assert retry(db, name) == 2
    assert numbers(db) == [1, 2, 4]
    bad, three = letters(db, "id, message_offset, sqlstate, error, column_name, split_part(detail, E'\\n', 1)")
    assert bad[:3] == (before[0][0], 1, "22P02") and bad[4] == "n"
    assert three == (before[2][0], 3, "22000", "not three", "n", "By order.")
    assert_each_once(db, broker, name)


def test_a_retry_that_is_rolled_back_has_not_happened(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_retry('stream', %s)", [name]).fetchone() == (5,)
    assert session.execute("SELECT count(*) FROM stream").fetchone() == (10,)
    session.rollback()
    assert count(db) == 5 and letters(db) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("limits", [{"batch_size": 7}, {"batch_bytes": 10}], ids=str)
def test_many_are_taken_in_batches(db, broker, topic, limits):
    name = topic(partitions=3)
    reject_odd(db, broker, name, 200, **limits)
    db.execute("ALTER TABLE stream ADD CHECK (n % 10 <> 5), DROP CONSTRAINT odd")
    assert retry(db, name) == 80
    assert_each_once(db, broker, name)
    assert letters(db, "convert_from(value, 'UTF8')::int % 10, sqlstate") == [(5, "23514")] * 20


def test_however_many_fail_alike_each_keeps_its_reason(db, broker, topic):
    name = topic()
    reject(db, broker, name, *["bad"] * 150, "1", definition="n bigint")
    db.execute("ALTER TABLE stream ALTER n TYPE text; ALTER TABLE stream ADD CONSTRAINT short CHECK (length(n) < 3)")
    assert retry(db, name) == 0
    assert letters(db, "message_offset, sqlstate") == [(offset, "23514") for offset in range(150)]


def test_a_message_that_is_too_much_for_postgresql_does_not_hold_up_the_others(db, broker, topic):
    name = topic()
    incompressible = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(2000))
    reject(db, broker, name, "a", incompressible, "b", definition="t text CHECK (t = 'c')")
    db.execute("ALTER TABLE stream DROP CONSTRAINT stream_t_check; CREATE INDEX ON stream (t)")
    assert retry(db, name) == 2
    assert letters(db, "message_offset, sqlstate") == [(1, "54000")]
    db.execute("DROP INDEX stream_t_idx")
    assert retry(db, name) == 1 and letters(db) == []


# --- messages are as they were ---

METADATA = """n bigint, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, kafka_key bytea,
              kafka_headers jsonb"""


def test_metadata_are_as_they_were(db, broker, topic):
    name = topic(partitions=2, config={"message.timestamp.after.max.ms": str(2**63 - 1)})
    messages = [{"value": "1"}, {"value": "2", "key": b""}, {"value": "3", "key": b"\xff\x00", "timestamp": 0},
                {"value": "4", "headers": []}, {"value": "5", "headers": [("z", b"1"), ("a", None), ("z", b"\xff"), ("z", b"")]},
                {"value": "6", "headers": [("ä€", "ö".encode()), ("hex", b"\\xff"), ("half", b"\\xf"), ("text", b"\\x41")]},
                {"value": "7", "timestamp": 253_402_300_800_000}, {"value": "8", "timestamp": 1_600_000_000_123}]
    messages = [{**message, "partition": number % 2} for number, message in enumerate(messages)]
    reject(db, broker, name, *messages, definition=f"{METADATA} CONSTRAINT none CHECK (false)")
    db.execute(f"CREATE TABLE reference ({METADATA})")
    consumers.begin(db, "reference", name)
    consumers.wait_for_end(db, "reference", name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT none")
    assert retry(db, name) == len(messages)
    assert db.execute("TABLE stream EXCEPT ALL TABLE reference") == []
    assert count(db) == len(messages) == db.value("SELECT count(*) FROM reference")


def test_tombstones_stay_tombstones(db, broker, topic):
    name = topic()
    db.execute(f"""CREATE FOREIGN TABLE source (part int OPTIONS (partition 'true'), key text OPTIONS (key 'true'),
                       gone bool OPTIONS (tombstone 'true'), n bigint) SERVER pipeline_kafka OPTIONS (topic '{name}')""")
    reject(db, broker, name, {"key": "a", "value": '{"n": 1}'}, {"key": "b", "value": None}, {"key": None, "value": None},
           definition="key text, gone bool CHECK (NOT gone), n bigint", source="source")
    assert letters(db, "message_offset, value") == [(1, None), (2, None)]
    db.execute("ALTER TABLE stream DROP CONSTRAINT stream_gone_check")
    assert retry(db, name) == 2
    assert db.execute("SELECT * FROM stream ORDER BY key") == [("a", False, 1), ("b", True, None), (None, True, None)]


def test_what_is_no_message_is_left_out(db, broker, topic):
    name = topic()
    reject(db, broker, name, "1", definition="n bigint", on_gap="earliest", parallelism=0)
    produce(broker, name, 2, 6)
    broker.delete_records(name, 0, 3)
    db.value("SELECT kafka_consume_once('stream', %s)", [name])
    ids = letters(db, "id")
    assert letters(db, "message_offset, sqlstate") == [(1, "58P01")]
    assert retry(db, name) == 0 and retry(db, name, ids) == 0
    assert letters(db, "id") == ids and numbers(db) == [1, 4, 5]


def test_any_statement_can_be_retried(db, broker, topic):
    name = topic()
    db.execute(f"CREATE FOREIGN TABLE source (n int) SERVER pipeline_kafka OPTIONS (topic '{name}', format 'text')")
    reject(db, broker, name, *map(str, range(10)), definition="digit int PRIMARY KEY, total int CONSTRAINT small CHECK (total < 6)",
           statement="""INSERT INTO stream SELECT n % 2, sum(n) FROM source GROUP BY 1
                        ON CONFLICT (digit) DO UPDATE SET total = stream.total + excluded.total""")
    assert len(letters(db)) > 0
    db.execute("ALTER TABLE stream DROP CONSTRAINT small")
    assert retry(db, name) > 0
    assert db.execute("SELECT * FROM stream ORDER BY 1") == [(0, 20), (1, 25)] and letters(db) == []


def test_columns_of_the_stream_are_followed(db, broker, topic):
    name = topic()
    reject(db, broker, name, '{"n": 1, "t": "x"}', '{"n": "much", "t": "y"}', definition="n int", format="json", parallelism=0)
    db.execute("ALTER TABLE stream ALTER n TYPE text, ADD t text")
    assert retry(db, name) == 1
    assert db.execute("SELECT * FROM stream ORDER BY n") == [("1", None), ("much", "y")]


# --- with others at the same time ---

def test_a_consumer_runs_meanwhile(db, broker, topic):
    name = topic(partitions=2)
    reject_odd(db, broker, name, 500, parallelism=2, batch_size=100)
    stop = threading.Event()

    def go_on_producing():
        first = 500
        while not stop.is_set():
            produce(broker, name, first, first + 200)
            first += 200

    producer = threading.Thread(target=go_on_producing)
    producer.start()
    try:
        assert retry(db, name) == 0
        db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
        wait_for(lambda: retry(db, name) >= 0 and letters(db) == [], what="the end of the dead letters")
        # A retry that is not decided yet holds up no worker.
        session = db.connect(autocommit=False)
        session.execute("SELECT kafka_consume_retry('stream', %s)", [name])
        before = count(db)
        wait_for(lambda: count(db) > before, what="more rows")
        session.rollback()
    finally:
        stop.set()
        producer.join()
    consumers.wait_for_end(db, "stream", name)
    assert letters(db) == []
    assert_each_once(db, broker, name)


def test_a_worker_takes_more_while_a_retry_is_not_decided(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    session = db.connect(autocommit=False)
    assert session.execute("SELECT kafka_consume_retry('stream', %s)", [name]).fetchone() == (5,)
    produce(broker, name, 10, 20)
    consumers.wait_for_end(db, "stream", name)
    session.commit()
    assert numbers(db) == list(range(20))
    assert_each_once(db, broker, name)


@pytest.mark.parametrize("decision", ["commit", "rollback"])
def test_two_retries_at_once_take_nothing_twice(db, broker, topic, decision):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd")
    first = db.connect(autocommit=False)
    assert first.execute("SELECT kafka_consume_retry('stream', %s)", [name]).fetchone() == (5,)
    taken = []
    session = db.connect()
    second = threading.Thread(target=lambda: taken.extend(
        session.execute("SELECT kafka_consume_retry('stream', %s)", [name]).fetchone()))
    second.start()
    wait_for(lambda: db.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                              "AND query LIKE '%%kafka_consume_retry%%' AND datname = current_database()") == 1,
             what="the second retry")
    getattr(first, decision)()
    second.join()
    assert taken == [0 if decision == "commit" else 5]
    assert_each_once(db, broker, name)
    assert letters(db) == []


# --- who may, and when ---

def test_only_those_who_may_change_the_consumer_may_retry(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    role = f"stranger_{db.name}"
    db.execute(f'CREATE ROLE "{role}" LOGIN; GRANT ALL ON stream TO "{role}"')
    try:
        session = db.connect()
        session.execute(f'SET ROLE "{role}"')
        for function in ("retry", "skip"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner of consumer"):
                session.execute(f"SELECT kafka_consume_{function}('stream', %s)", [name])
        assert letters(db) == [1, 3, 5, 7, 9]
    finally:
        db.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_an_error_of_the_statement_that_is_no_messages_fault_changes_nothing(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("""ALTER TABLE stream DROP CONSTRAINT odd;
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1 FROM missing; END$$;
                  CREATE TRIGGER refuse BEFORE INSERT ON stream FOR EACH ROW EXECUTE FUNCTION refuse()""")
    with pytest.raises(psycopg.errors.UndefinedTable):
        retry(db, name)
    assert letters(db, "message_offset, sqlstate") == [(n, "23514") for n in (1, 3, 5, 7, 9)] and count(db) == 5


def test_an_envelope_needs_the_word_that_the_order_does_not_matter(db, broker, topic):
    name = topic()
    reject_odd(db, broker, name)
    db.execute("ALTER TABLE stream DROP CONSTRAINT odd; UPDATE pipeline_kafka_consumers SET envelope = 'upsert'")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        retry(db, name)
    assert letters(db) == [1, 3, 5, 7, 9]
