"""Plans that a foreign table must fit into, beside other sessions and with values of any size."""

import hashlib
import json
import random
import threading

import psycopg
import pytest
from support import wait_for

LARGE = 10_000_000
LARGEST_COLUMNS = 1500

NUMBERS = """CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
             SERVER pipeline_kafka OPTIONS (topic '{topic}')"""


@pytest.fixture
def numbers(db, broker, topic):
    """A table of numbers, and a local one of the first of them with a bound for each."""
    name = topic()
    broker.produce(name, *(f'{{"n": {n}}}' for n in range(5000)))
    db.execute(NUMBERS.format(topic=name))
    db.execute("""CREATE TABLE local (n int PRIMARY KEY, bound int);
                  INSERT INTO local SELECT n, 5 FROM generate_series(0, 19) n; ANALYZE local""")
    return db


# The first session sets the bound of 3 to a value for which the row of 3 does not belong to the result any more, or still does.
NEAR = "k.offs BETWEEN l.bound - 2 AND l.bound"
WAITING = {
    "FOR UPDATE": f"SELECT l.n, l.bound FROM local l JOIN numbers k ON k.n = l.n AND {NEAR} WHERE l.n IN (3, 4) "
                  "ORDER BY l.n FOR UPDATE OF l",
    "a subquery": "SELECT n, bound FROM local l WHERE n IN (3, 4) AND EXISTS (SELECT FROM numbers k WHERE k.n = l.n AND "
                  f"{NEAR}) ORDER BY n FOR UPDATE",
    "a correlated count": "SELECT n, bound FROM local l WHERE n IN (3, 4) AND (SELECT count(*) FROM numbers WHERE offs <= l.bound) "
                          "> n ORDER BY n FOR UPDATE",
    "UPDATE FROM": f"UPDATE local l SET bound = bound FROM numbers k WHERE k.n = l.n AND {NEAR} AND l.n IN (3, 4) "
                   "RETURNING l.n, l.bound",
    "DELETE USING": f"DELETE FROM local l USING numbers k WHERE k.n = l.n AND {NEAR} AND l.n IN (3, 4) "
                    "RETURNING l.n, l.bound",
}


@pytest.mark.parametrize("bound", [2, 4])
@pytest.mark.parametrize("plan", ["looks rows up", "reads all"])
@pytest.mark.parametrize("statement", WAITING)
def test_a_row_that_changed_while_its_lock_was_waited_for_is_looked_at_anew(numbers, statement, plan, bound):
    first, second, answer = numbers.connect(autocommit=False), numbers.connect(), []
    second.execute(f"SET enable_{'hashjoin' if plan == 'looks rows up' else 'nestloop'} = off; SET enable_mergejoin = off")
    explained = str(second.execute(f"EXPLAIN {WAITING[statement]}").fetchall())
    assert ("Pushed condition" in explained) == (plan == "looks rows up" or statement == "a correlated count"), explained
    first.execute("UPDATE local SET bound = %s WHERE n = 3", [bound])
    waiting = threading.Thread(target=lambda: answer.append(second.execute(WAITING[statement]).fetchall()))
    waiting.start()
    wait_for(lambda: numbers.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                                   [second.info.backend_pid]), what="the second session's waiting")
    first.commit()
    waiting.join(30)
    expected = [(4, 5)] if bound == 2 else [(3, 4), (4, 5)]
    assert sorted(answer[0]) == expected


def test_merge_looks_again_at_a_row_that_changed(numbers):
    first, second, answer = numbers.connect(autocommit=False), numbers.connect(), []
    first.execute("UPDATE local SET bound = 100 WHERE n = 3")
    merge = """MERGE INTO local l USING (SELECT * FROM numbers WHERE offs IN (3, 4, 19)) k ON k.n = l.n
               WHEN MATCHED AND l.bound > 50 THEN DELETE WHEN MATCHED THEN UPDATE SET bound = k.offs"""
    waiting = threading.Thread(target=lambda: answer.append(second.execute(merge).rowcount))
    waiting.start()
    wait_for(lambda: numbers.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                                   [second.info.backend_pid]), what="the second session's waiting")
    first.commit()
    waiting.join(30)
    assert answer == [3]
    assert numbers.execute("SELECT n, bound FROM local WHERE n IN (3, 4, 19) ORDER BY n") == [(4, 4), (19, 19)]


def letters(count, seed):
    return random.Random(seed).randbytes(count // 2).hex()


@pytest.mark.parametrize("fetch_buffer", ["1MB", "64MB"])
def test_values_of_ten_megabytes_come_whole(db, broker, topic, fetch_buffer):
    name = topic(config={"max.message.bytes": str(3 * LARGE)})
    values = [letters(LARGE, seed) for seed in range(2)]
    large = {"message.max.bytes": 3 * LARGE, "queue.buffering.max.kbytes": 10 * LARGE // 1024}
    broker.produce(name, *(json.dumps({"v": value, "n": [value]}) for value in values), settings=large)
    db.execute(f"""CREATE FOREIGN TABLE t (offs bigint OPTIONS ("offset" 'true'), v text, n jsonb, a text[] OPTIONS (field 'n'),
                   doc bytea OPTIONS (payload 'true'), bad int OPTIONS (field 'v'), junk text OPTIONS (junk 'true'),
                   why text OPTIONS (junk_error 'true'))
                   SERVER pipeline_kafka OPTIONS (topic '{name}');
                   SET kafka_fdw.fetch_buffer = '{fetch_buffer}';
                   CREATE TABLE kept (offs bigint, v text, n jsonb, a text[], doc bytea)""")
    db.execute("INSERT INTO kept SELECT offs, v, n, a, doc FROM t WHERE offs <> 1")
    db.execute("INSERT INTO kept SELECT offs, v, n, a, doc FROM t WHERE offs = 1")
    expected = [(offs, *[hashlib.md5(value.encode()).hexdigest()] * 3, hashlib.md5(json.dumps({"v": value, "n": [value]}).encode())
                 .hexdigest()) for offs, value in enumerate(values)]
    assert db.execute("SELECT offs, md5(v), md5(n ->> 0), md5(a[1]), md5(doc) FROM kept ORDER BY offs") == expected
    # As junk the whole message is a value again, and its reason does not become as long.
    assert db.execute("SELECT bad, md5(junk), length(why) < 600 FROM t ORDER BY offs") == [(None, row[4], True) for row in expected]
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
        db.execute("ALTER FOREIGN TABLE t DROP junk, DROP why")
        db.execute("SELECT bad FROM t")
    assert len(raised.value.diag.message_detail) < 150


def test_rows_as_wide_as_a_table_can_be(db, broker, topic):
    topics = {"json": topic(), "csv": topic()}
    values = [[row * 10_000 + column for column in range(LARGEST_COLUMNS)] for row in range(30)]
    broker.produce(topics["json"], *(json.dumps({f"c{column}": value for column, value in enumerate(row)}) for row in values))
    broker.produce(topics["csv"], *(",".join(map(str, row)) for row in values))
    columns = ", ".join(f"c{column} int" for column in range(LARGEST_COLUMNS))
    db.execute(f"CREATE TABLE kept ({columns})")
    for file_format, name in topics.items():
        db.execute(f"CREATE FOREIGN TABLE {file_format} ({columns}) SERVER pipeline_kafka OPTIONS "
                   f"(topic '{name}', format '{file_format}', strict 'true')")
        db.execute(f"TRUNCATE kept; INSERT INTO kept SELECT * FROM {file_format}")
        assert [list(row) for row in db.execute("SELECT * FROM kept ORDER BY c0")] == values
        assert db.value(f"SELECT sum(c{LARGEST_COLUMNS - 1}) FROM {file_format}") == sum(row[-1] for row in values)
