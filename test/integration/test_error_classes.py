"""What a consumer makes of an error, by its SQLSTATE: try again, hold the message for bad, or wait for a person."""

import pytest
from support import consumers, wait_for
from support.oracle import COORDINATES, wait_until_taken
from support.streams import produce, wait_for_error

TRANSIENT = ["08000", "08006", "40001", "40P01", "55P03", "53000", "53100", "53300", "53400", "25006", "57P01", "57P02", "57P03"]
BAD_MESSAGE = ["21000", "22000", "22012", "22P05", "23000", "23505", "23514", "44000", "P0001"]
TOO_MUCH = ["57014", "53200", "54000", "54001", "54023"]
BAD_CONSUMER = ["0A000", "2D000", "38000", "38001", "39000", "39P01", "42501", "42601", "42883", "42P01", "55000", "55006",
                "XX000", "XX001", "P0002", "ZZ001", "3F000", "25001"]


class Wrong:
    """A stream whose trigger raises an SQLSTATE, as long as that is in the table `wrong`."""

    def __init__(self, db, broker, topic):
        self.db, self._broker, self._topic, self._sent = db, broker, topic, 0
        db.execute(f"""{COORDINATES}; CREATE TABLE wrong (state text);
            CREATE FUNCTION go_wrong() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE found text;
            BEGIN SELECT state INTO found FROM wrong; IF found IS NULL THEN RETURN NEW; END IF;
                  RAISE EXCEPTION USING ERRCODE = found, MESSAGE = 'wrong'; END$$;
            CREATE TRIGGER go_wrong BEFORE INSERT ON stream FOR EACH ROW EXECUTE FUNCTION go_wrong()""")

    def go_wrong(self, sqlstate):
        self.db.execute("INSERT INTO wrong VALUES (%s)", [sqlstate])
        produce(self._broker, self._topic, self._sent, self._sent + 3)
        self._sent += 3

    def mend(self):
        self.db.execute("DELETE FROM wrong")

    def wait_until_taken(self):
        wait_until_taken(self.db, self._broker, self._topic)


@pytest.fixture
def name(topic):
    return topic()


@pytest.fixture
def wrong(db, broker, name):
    stream = Wrong(db, broker, name)
    consumers.begin(db, "stream", name)
    return stream


def has(db, state, sqlstate):
    return db.execute("SELECT state, error_sqlstate FROM kafka_stat_consumers") == [(state, sqlstate)]


def test_transient_errors_are_tried_again(db, wrong):
    for sqlstate in TRANSIENT:
        wrong.go_wrong(sqlstate)
        wait_for(lambda sqlstate=sqlstate: has(db, "backoff", sqlstate), what=f"back-off for {sqlstate}")
        wrong.mend()
        wrong.wait_until_taken()
    assert db.value("SELECT enabled FROM pipeline_kafka_consumers") is True


@pytest.mark.parametrize("sqlstates", [BAD_MESSAGE, TOO_MUCH], ids=["bad", "too much for one message"])
def test_errors_of_a_message_stop_at_it(db, wrong, name, sqlstates):
    for number, sqlstate in enumerate(sqlstates):
        wrong.go_wrong(sqlstate)
        assert wait_for_error(db) == (sqlstate, name, 0, 3 * number, "wrong")
        wrong.mend()
        consumers.begin(db, "stream", name)
        wrong.wait_until_taken()


def test_all_other_errors_wait_for_a_change_of_the_catalog(db, wrong):
    for sqlstate in BAD_CONSUMER:
        wrong.go_wrong(sqlstate)
        wait_for(lambda sqlstate=sqlstate: has(db, "error", sqlstate), what=f"state error for {sqlstate}")
        assert db.value("SELECT enabled FROM pipeline_kafka_consumers") is True
        wrong.mend()
        db.execute(f"CREATE TABLE change_{sqlstate} ()")
        wrong.wait_until_taken()


@pytest.mark.parametrize("sqlstate", ["40001", "55000"])
def test_what_is_no_message_s_fault_is_no_dead_letter(db, wrong, name, sqlstate):
    consumers.begin(db, "stream", name, on_error="dead_letter")
    wrong.go_wrong(sqlstate)
    wait_for(lambda: consumers.stat(db, "stream", "error_sqlstate") == sqlstate, what="the error")
    wrong.mend()
    consumers.begin(db, "stream", name, batch_size=2)
    wrong.wait_until_taken()
    assert db.value("SELECT count(*) FROM pipeline_kafka_errors") == 0
