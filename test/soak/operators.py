"""What people do with consumers and their tables while these run."""

import contextlib
import json
import random
import threading
import time

import psycopg
from load import TOPIC
from streams import LETTERS, STREAMS
from support.waiting import wait_for

TABLES = ("events", "sought")
UP_SECONDS = 60
# Seeks go back that many messages of a partition at most, so that the stream is not behind for ever.
FURTHEST = 5000
# An operator meets restarts of both servers, deadlocks with workers, and timeouts; anything else is a finding.
PASSING = ("08", "40", "55P03", "57")
SESSION = {"options": "-c lock_timeout=10s -c statement_timeout=60s"}


def is_passing(error):
    # A broker that has just started answers before it knows its partitions.
    if error.sqlstate == "42704" and "partition" in str(error):
        return True
    is_lost = error.sqlstate is None
    return isinstance(error, psycopg.OperationalError) and (is_lost or error.sqlstate.startswith(PASSING))


class Operator:
    """Deals the actions below, a shuffled deck of them after the other, from a thread while its block runs."""

    ACTIONS = ("change_parallelism", "change_parallelism", "end_and_begin", "roll_back_an_end", "drop_and_begin", "take_once",
               "seek", "seek", "seek", "roll_back_a_seek", "start_again", "change_the_way", "cancel_workers",
               "add_a_column", "drop_a_column", "change_a_type", "add_an_index", "drop_an_index", "add_a_trigger", "drop_a_trigger",
               "add_a_generated_column", "rewrite_a_table", "rename_a_table", "lock_a_table", "hold_a_snapshot", "read_beside")

    def __init__(self, database, arguments, name, seed, note):
        """arguments: those of kafka_consume_begin by stream."""
        self._db, self._arguments, self._name, self._note = database, arguments, name, note
        self._chance = random.Random(f"{seed} {name}")
        self._end, self._thread = threading.Event(), threading.Thread(target=self._run)
        self._session, self._failed, self._seen = None, None, 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self.check()

    def check(self):
        if self._failed:
            raise SystemExit(f"{self._name}: {self._failed!r}")

    def _run(self):
        try:
            while True:
                for action in self._chance.sample(self.ACTIONS, len(self.ACTIONS)):
                    if self._end.wait(self._chance.uniform(0, 1.5)):
                        return
                    self._act(action)
        except Exception as error:
            self._failed = error

    def _act(self, action):
        try:
            arguments = getattr(self, action)()
            self._note(f"{self._name}: {action}", arguments or "")
        except psycopg.Error as error:
            if not is_passing(error):
                self._note(f"{self._name}: {action}", f"{error.sqlstate} {error}")
                raise
            # What it did or did not do is right either way.
            self._note(f"{self._name}: {action} not done", f"{error.sqlstate} {error}".splitlines()[0])

    def _execute(self, statement, parameters=None):
        if self._session is None or self._session.closed:
            self._session = wait_for(lambda: self._db.connect(**SESSION), UP_SECONDS, "PostgreSQL", ignore=psycopg.OperationalError)
        cursor = self._session.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def _transaction(self, roll_back=False):
        self._execute("SELECT true")
        return self._session.transaction(force_rollback=roll_back)

    def _insist(self, statement):
        """For what must not be left half done."""
        def done():
            self._execute(statement)
            return True
        wait_for(done, UP_SECONDS, statement, ignore=psycopg.OperationalError)

    # --- consumers ---

    def change_parallelism(self):
        stream = self._chance.choice(STREAMS)
        workers = self._chance.randrange(0 if stream == "totals" else 1, 4)  # so that there is always one to be killed
        self._execute(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}', parallelism => {workers})")
        return f"{stream} {workers}"

    def end_and_begin(self):
        stream = self._chance.choice(STREAMS)
        self._execute(f"SELECT kafka_consume_end('{stream}', '{TOPIC}')")
        self._end.wait(self._chance.uniform(0, 0.5))
        self._insist(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}')")
        return stream

    def roll_back_an_end(self):
        stream = self._chance.choice(STREAMS)
        with self._transaction(roll_back=True):
            self._execute(f"SELECT kafka_consume_end('{stream}', '{TOPIC}')")
            self._end.wait(self._chance.uniform(0, 0.5))
        return stream

    def drop_and_begin(self):
        """A new consumer goes on where the old one was. What went with the old one is kept: after the end nothing is added."""
        stream = self._chance.choice(STREAMS)
        with self._transaction():
            self._execute(f"SELECT kafka_consume_end('{stream}', '{TOPIC}')")
            self._execute(f"INSERT INTO kept_letters SELECT * FROM ({LETTERS}) AS letters WHERE stream = '{stream}'")
            self._execute("INSERT INTO kept_tombstones SELECT stream, tombstones FROM kafka_stat_consumers WHERE stream = %s::regclass",
                          [stream])
            ((start,),) = self._execute(f"SELECT kafka_consume_drop('{stream}', '{TOPIC}')::text")
            arguments = {**self._arguments[stream], "start": start}
            names = "".join(f", {name} => %({name})s" for name in arguments)
            self._execute(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}'{names})", arguments)
        return f"{stream} at {start}"

    def start_again(self):
        """All of the topic into the emptied table, in one transaction and any order."""
        steps = ["TRUNCATE sought", f"SELECT kafka_consume_seek('sought', '{TOPIC}', 'earliest')"]
        with self._transaction():
            for step in self._chance.sample(steps, len(steps)):
                self._execute(step)
            self._execute("DELETE FROM seeks; DELETE FROM kept_letters WHERE stream = 'sought'; DELETE FROM pipeline_kafka_errors "
                          "WHERE consumer_id = (SELECT id FROM pipeline_kafka_consumers WHERE stream = 'sought'::regclass)")

    def take_once(self):
        """Without workers; some of it rolled back."""
        stream = self._chance.choice(STREAMS)
        self._execute(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}', parallelism => 0)")
        try:
            for _ in range(self._chance.randrange(1, 5)):
                with self._transaction(roll_back=self._chance.random() < 0.3):
                    self._execute(f"SELECT kafka_consume_once('{stream}', '{TOPIC}', {self._chance.choice((1, 10, 5000))})")
        finally:
            self._insist(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}', parallelism => 2)")
        return stream

    def seek(self, roll_back=False):
        """With the positions before and behind it, in one transaction."""
        target = self._target()
        with self._transaction(roll_back), self._places_noted():
            ((before,),) = self._execute("SELECT kafka_consume_seek('sought', %s, %s)::text", [TOPIC, target])
            ((behind,),) = self._execute("SELECT kafka_consume_position('sought', %s)::text", [TOPIC])
            self._execute("INSERT INTO seeks (before, behind) VALUES (%s, %s)", [before, behind])
        return f"{target}: {before} to {behind}"

    @contextlib.contextmanager
    def _places_noted(self):
        """Where an offset that was seen is said to be past the end: how it was seen, and what is so now."""
        try:
            yield
        except psycopg.errors.InvalidParameterValue:
            with self._db.connect() as other:
                for query in ("SELECT now(), * FROM kafka_stat_partitions WHERE stream = 'sought'::regclass",
                              f"SELECT now(), * FROM kafka_get_watermarks('{TOPIC}')"):
                    self._note("seen", "\n".join(map(str, other.execute(query).fetchall())))
            raise

    def roll_back_a_seek(self):
        return self.seek(roll_back=True)

    def _target(self):
        ago = time.gmtime(time.time() - self._chance.randrange(1, 10))
        places = self._execute("SELECT partition, next_offset, end_offset FROM kafka_stat_partitions WHERE stream = 'sought'::regclass "
                               "AND next_offset IS NOT NULL AND end_offset IS NOT NULL ORDER BY partition")
        offsets = {partition: self._chance.randint(max(0, here - FURTHEST), max(here, end))
                   for partition, here, end in places if self._chance.random() < 0.5}
        return self._chance.choice(("latest", f"-{self._chance.randrange(1, FURTHEST)}", time.strftime("%Y-%m-%dT%H:%M:%SZ", ago),
                                    *[json.dumps(offsets)] * 3))

    def change_the_way(self):
        setting = self._chance.choice(("on", "off"))
        self._execute(f"ALTER DATABASE {self._db.name} SET kafka_fdw.fast_apply = {setting}")
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE backend_type = 'kafka consumer' AND datname = current_database()")
        return setting

    def cancel_workers(self):
        self._execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                      "WHERE backend_type = 'kafka consumer' AND datname = current_database()")

    # --- tables ---

    def _alter(self, change):
        table = self._chance.choice(TABLES)
        self._execute(change.format(table))
        return table

    def add_a_column(self):
        return self._alter(self._chance.choice(("ALTER TABLE {} ADD COLUMN IF NOT EXISTS more text",
                                                "ALTER TABLE {} ADD COLUMN IF NOT EXISTS more text DEFAULT 'none'")))

    def drop_a_column(self):
        return self._alter("ALTER TABLE {} DROP COLUMN IF EXISTS more")

    def add_a_generated_column(self):
        return self._alter(self._chance.choice((
            "ALTER TABLE {} ADD COLUMN IF NOT EXISTS twice numeric GENERATED ALWAYS AS (kafka_offset * 2) STORED",
            "ALTER TABLE {} DROP COLUMN IF EXISTS twice")))

    def change_a_type(self):
        return self._alter("ALTER TABLE {} ALTER v TYPE " + self._chance.choice(("bigint", "numeric", "int")))

    def add_an_index(self):
        return self._alter(self._chance.choice((
            "CREATE INDEX IF NOT EXISTS {0}_key ON {0} (key)",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {0}_key ON {0} (key)",
            "CREATE INDEX IF NOT EXISTS {0}_key ON {0} (lower(key)) WHERE v > 0")))

    def drop_an_index(self):
        return self._alter("DROP INDEX IF EXISTS {}_key")

    def add_a_trigger(self):
        """One that changes nothing; rows then go through the statement."""
        return self._alter("""
            CREATE OR REPLACE FUNCTION same_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE OR REPLACE TRIGGER same_row BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION same_row()""")

    def drop_a_trigger(self):
        return self._alter("DROP TRIGGER IF EXISTS same_row ON {}")

    def rewrite_a_table(self):
        return self._alter("VACUUM FULL {}")

    def rename_a_table(self):
        table = self._chance.choice(TABLES)
        self._execute(f"ALTER TABLE {table} RENAME TO moved")
        self._end.wait(self._chance.uniform(0, 1))
        self._insist(f"ALTER TABLE IF EXISTS moved RENAME TO {table}")
        return table

    def lock_a_table(self):
        table = self._chance.choice((*TABLES, "totals"))
        with self._transaction():
            self._execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            self._end.wait(self._chance.uniform(0, 2))
        return table

    def hold_a_snapshot(self):
        """Everything of the table and its errors as one snapshot shows it lies before the offsets that it shows."""
        with self._transaction():
            self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            rows = self._execute(f"""
                SELECT p.partition, p.next, max(e.kafka_offset)
                  FROM (SELECT partition::int, next::bigint
                          FROM jsonb_each_text(kafka_consume_position('events', '{TOPIC}')) AS p (partition, next)) AS p
                       JOIN events e ON e.kafka_partition = p.partition GROUP BY 1, 2""")
            self._end.wait(self._chance.uniform(0, 3))
        ahead = [row for row in rows if row[2] >= row[1]]
        if ahead:
            raise AssertionError(f"rows that the offsets do not cover: {ahead}")

    def read_beside(self):
        """A SELECT of the topic sees the log, not a batch, and moves no consumer."""
        ((count,),) = self._execute("SELECT count(*) FROM event_log")
        if count < self._seen:
            raise AssertionError(f"the topic had {self._seen} messages and has {count}")
        self._seen = count
        return str(count)
