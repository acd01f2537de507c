"""Random WHERE clauses over foreign tables, and over plain tables with the same rows: the same rows come out.

KAFKA_FDW_WHERE_SEED repeats a run, or tries another; KAFKA_FDW_WHERE_CLAUSES sets how many clauses there are in all.
"""

import collections
import os
import random

import psycopg
import pytest
from support.clauses import ALTERNATIVES, ClauseGenerator

SEED = int(os.environ.get("KAFKA_FDW_WHERE_SEED", "20261123"))
CLAUSES = int(os.environ.get("KAFKA_FDW_WHERE_CLAUSES", "2000"))
SHOWN_FAILURES = 5
NEW_YEAR_2024 = 1_704_067_200_000
SECOND = 1000
MOST_DISORDER_SECONDS = 5
KEYS = [f"user {number}" for number in range(12)]
URLS = ["/", "/a", "/ab", "/abc/def", None]
# A create time may lie in any future.
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1), "message.timestamp.before.max.ms": str(2**63 - 1)}

DISORDER = f"max_timestamp_disorder '{MOST_DISORDER_SECONDS} s'"
# name: topic, type of ts, type of key, table options
TABLES = {
    "moments": ("placed", "timestamptz", "text", ""),
    "local_times": ("placed", "timestamp", "bytea", ""),
    "milliseconds": ("placed", "int8", "text", ""),
    "by_murmur2": ("murmur2", "timestamptz", "text", f", key_partitioner 'murmur2', {DISORDER}"),
    "by_crc32": ("crc32", "timestamp", "text", f", key_partitioner 'crc32', {DISORDER}"),
}
COLUMNS = """part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
             ts {time_type} OPTIONS ("timestamp" 'true'), key {key_type} OPTIONS ("key" 'true'), n int, url text"""
ROW = "part, offs, ts, key, n, url"


class Odd:
    """Messages with create times in no order: some at the epoch, some far ahead."""

    def __init__(self, rng):
        self._rng = rng

    def __call__(self, number, partition=None):
        chance = self._rng.random()
        time = NEW_YEAR_2024 + self._rng.randint(0, 300) * SECOND + self._rng.choice([0, 0, 500, 999])
        if chance < 0.02:
            time = self._rng.choice([1, 1000, 86_400_000])
        elif chance < 0.04:
            time = NEW_YEAR_2024 + 9 * 365 * 86_400 * SECOND
        return message(self._rng, number, time, partition)


class NearlyOrdered:
    """Messages whose times keep the promise of max_timestamp_disorder, and whose partition the producer chooses."""

    def __init__(self, rng):
        self._rng = rng

    def __call__(self, number):
        late = self._rng.randint(0, MOST_DISORDER_SECONDS * SECOND)
        return message(self._rng, number, NEW_YEAR_2024 + number * 500 + late)


def message(rng, number, time, partition=None):
    url = rng.choice(URLS)
    value = f'{{"n": {number}' + (f', "url": "{url}"' if url else "") + "}"
    return {"timestamp": time, "partition": partition, "key": rng.choice([*KEYS, None]), "value": value}


def fill_placed(broker, name, rng):
    """Partition 2 is empty; the others have gaps, aborted messages, and markers at their ends."""
    make, number = Odd(rng), 0
    for _ in range(4):
        for partition, count in [(0, 40), (1, 25), (3, 12)]:
            broker.produce(name, *(make(number + i, partition) for i in range(count)))
            number += count
        for aborted in (True, False):
            with broker.transaction(abort=aborted) as produce:
                produce(name, *(make(number + i, partition) for i in range(6) for partition in (0, 3)))
            number += 6
    return name


def fill_by_keys(broker, name, rng, partitioner):
    make = NearlyOrdered(rng)
    broker.produce(name, *(make(number) for number in range(500)), settings={"partitioner": partitioner})
    return name


@pytest.fixture(scope="module")
def where_topics(broker):
    print("seed", SEED)
    rng = random.Random(f"{SEED} topics")
    make = lambda name: broker.create_topic(f"where-{name}", 4, ANY_TIME)  # noqa: E731
    return {"placed": fill_placed(broker, make("placed"), rng),
            "murmur2": fill_by_keys(broker, make("murmur2"), rng, "murmur2_random"),
            "crc32": fill_by_keys(broker, make("crc32"), rng, "consistent_random")}


@pytest.fixture(scope="module")
def where_db(pg, broker, where_topics):
    """Each foreign table f_NAME has its rows in the plain table p_NAME."""
    database = pg.create_database()
    database.use_broker(broker)
    database.execute("SET TimeZone = 'UTC'")
    database.execute("CREATE TABLE lims (lim_k int, lim_o bigint)")
    database.execute("INSERT INTO lims VALUES (0, 20), (1, 60), (2, 5), (3, 11), (7, 0), (NULL, 3), (1, NULL), (3, 40)")
    for name, (topic, time_type, key_type, options) in TABLES.items():
        columns = COLUMNS.format(time_type=time_type, key_type=key_type)
        database.execute(f"CREATE FOREIGN TABLE f_{name} ({columns}) SERVER pipeline_kafka "
                         f"OPTIONS (topic '{where_topics[topic]}'{options})")
        database.execute(f"CREATE TABLE p_{name} AS SELECT * FROM f_{name}")
        found = database.execute(f"SELECT part, offs FROM p_{name} ORDER BY part, offs")
        assert found == [(read.partition(), read.offset()) for read in broker.consume(where_topics[topic])]
        database.execute(f"ANALYZE p_{name}")
    try:
        yield database
    finally:
        database.drop()


# --- how a clause is run: each gives statements by the name of the table, and how their results compare ---

def unordered(rows):
    return collections.Counter(rows)


def plain(clause, rng):
    return lambda table, foreign: [f"SELECT {ROW} FROM {table} WHERE {clause.literal(table)}"], unordered


def prepared(clause, rng):
    """The foreign table is asked with parameters, the plain one with constants."""
    types = ", ".join(constant.type_name for constant in clause.constants)
    mode = rng.choice(["force_custom_plan", "force_generic_plan", "auto"])

    def statements(table, foreign):
        if not foreign or not clause.constants:
            return [f"SELECT {ROW} FROM {table} WHERE {clause.literal(table, i)}" for i in range(ALTERNATIVES)]
        query = clause.sql(table, lambda number: f"${number + 1}")
        executions = [f"EXECUTE q ({', '.join(constant.literal(i) for constant in clause.constants)})"
                      for i in range(ALTERNATIVES)]
        return ["DEALLOCATE ALL", f"SET plan_cache_mode = {mode}",
                f"PREPARE q ({types}) AS SELECT {ROW} FROM {table} WHERE {query}", *executions]
    return statements, unordered


def lateral(clause, rng):
    """The constants come from the outer side of a nested loop."""
    names = [f"c{number}" for number in range(len(clause.constants))]

    def statements(table, foreign):
        outer = ", ".join(f"({', '.join([str(i), *(constant.literal(i) for constant in clause.constants)])})"
                          for i in range(ALTERNATIVES))
        query = clause.sql(table, lambda number: f"v.{names[number]}")
        return [f"SELECT v.i, x.* FROM (VALUES {outer}) v({', '.join(['i', *names])}), "
                f"LATERAL (SELECT {ROW} FROM {table} WHERE {query} OFFSET 0) x"]
    return statements, unordered


def joined(clause, rng):
    operator = rng.choice(["=", ">=", "<", "<="])
    word = rng.choice(["JOIN", "LEFT JOIN"])
    return lambda table, foreign: [
        f"SELECT lim_k, lim_o, {ROW} FROM lims {word} {table} ON part = lim_k AND offs {operator} lim_o "
        f"AND {clause.literal(table)}"], unordered


def correlated(clause, rng):
    return lambda table, foreign: [
        f"SELECT lim_k, lim_o, "
        f"(SELECT count(*) FROM {table} WHERE part = lim_k AND offs < lim_o AND {clause.literal(table)}), "
        f"(SELECT min(n) FROM {table} WHERE offs >= lim_o OR {clause.literal(table)}) FROM lims"], unordered


def ordered(clause, rng):
    limit = rng.choice(["", "", " LIMIT 7", " LIMIT 3 OFFSET 2", " LIMIT 1"])
    direction = rng.choice(["", " DESC"])
    return lambda table, foreign: [f"SELECT {ROW} FROM {table} WHERE {clause.literal(table)} "
                                   f"ORDER BY part{direction}, offs{direction}{limit}"], list


def tail(clause, rng):
    partition, limit = rng.choice([0, 1, 2, 3]), rng.choice([1, 2, 5, 40])
    direction = rng.choice(["DESC", "DESC", "ASC"])
    return lambda table, foreign: [f"SELECT {ROW} FROM {table} WHERE part = {partition} AND {clause.literal(table)} "
                                   f"ORDER BY offs {direction} LIMIT {limit}"], list


def aggregated(clause, rng):
    what = rng.choice(["count(*)", "max(offs), min(offs)", "max(offs)", "min(offs), count(*), max(part)",
                       "count(key), sum(n)"])
    where = rng.choice([f"part = {rng.randint(0, 3)} AND ", "", ""])
    return lambda table, foreign: [f"SELECT {what} FROM {table} WHERE {where}{clause.literal(table)}"], unordered


def limited(clause, rng):
    """Any rows of those there are, as many as asked for: the number and that no row comes twice are compared."""
    limit = rng.choice([0, 1, 5, 50])
    return lambda table, foreign: [
        f"SELECT count(*), count(DISTINCT (part, offs)), count(*) FILTER (WHERE NOT EXISTS ("
        f"SELECT FROM {table.replace('f_', 'p_')} p WHERE (p.part, p.offs) = (x.part, x.offs))) "
        f"FROM (SELECT * FROM {table} WHERE {clause.literal(table)} LIMIT {limit}) x"], unordered


MODES = {plain: 28, prepared: 18, lateral: 12, joined: 8, correlated: 4, ordered: 10, tail: 10, aggregated: 6,
         limited: 4}
REPEATING = {lateral, joined, correlated}


def results(session, statements):
    """Rows of each statement that gives rows, or the SQLSTATE of the one that failed."""
    found = []
    try:
        with session.transaction():
            for statement in statements:
                cursor = session.execute(statement, prepare=False)
                if cursor.description:
                    found.append(cursor.fetchall())
    except psycopg.Error as error:
        found.append(error.sqlstate)
    return found


def compared(found, comparable):
    return [rows if isinstance(rows, str) else comparable(rows) for rows in found]


def described(found):
    return [rows if isinstance(rows, str) else f"{len(rows)} rows" for rows in found]


# How a share of the clauses is run. Starting workers takes time, so that share is small.
SHARES = {"default": 0.35, "nested loops": 0.25, "parallel": 0.15, "no sort": 0.25}
SETTINGS = {
    "default": {},
    "nested loops": {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_material": "off",
                     "enable_memoize": "off", "TimeZone": "America/St_Johns"},
    "parallel": {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0",
                 "TimeZone": "Europe/Berlin"},
    "no sort": {"enable_sort": "off", "enable_incremental_sort": "off", "enable_hashagg": "off",
                "TimeZone": "Asia/Kolkata"},
}
TIMES = [0, 0.001, 1, 86_400, *(NEW_YEAR_2024 / 1000 + second for second in range(0, 310, 7)),
         NEW_YEAR_2024 / 1000 + 9 * 365 * 86_400]


def generator(rng, name):
    return ClauseGenerator(rng, *TABLES[name][1:3], partitions=[-1, 0, 0, 1, 1, 2, 3, 3, 4, 9], keys=KEYS, times=TIMES,
                           offsets=[*range(0, 30, 3), *range(30, 260, 11), 1, 2])


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_foreign_table_gives_the_rows_of_its_copy(where_db, settings, name):
    print("seed", SEED)
    rng = random.Random(f"{SEED} {settings} {name}")
    session = where_db.connect(prepare_threshold=None, options="-c log_min_messages=panic -c jit=off")
    for setting, value in SETTINGS[settings].items():
        session.execute(f"SET {setting} = '{value}'")
    clauses, wrong, rows, errors = generator(rng, name), [], 0, 0
    count = int(CLAUSES * SHARES[settings] / len(TABLES))
    for _ in range(count):
        clause = clauses.clause()
        modes = [mode for mode in MODES if not (clause.reads_table and mode in REPEATING)]
        mode, = rng.choices(modes, [MODES[mode] for mode in modes])
        statements, comparable = mode(clause, rng)
        foreign, copy = statements(f"f_{name}", True), statements(f"p_{name}", False)
        with session.transaction(force_rollback=True):  # so that now() is one
            expected, found = results(session, copy), results(session, foreign)
        rows += sum(len(part) for part in expected if not isinstance(part, str))
        errors += isinstance(expected[-1], str)
        if compared(expected, comparable) != compared(found, comparable):
            wrong.append("\n".join([f"{mode.__name__}: {described(expected)} expected, {described(found)} found",
                                    *foreign, *copy]))
            if len(wrong) == SHOWN_FAILURES:
                break
    session.close()
    assert not wrong, "\n\n".join([f"seed {SEED}, settings {settings}", *wrong])
    # The clauses are of use only if they run, and select something.
    assert errors <= count / 50 and rows > count, (errors, rows)
