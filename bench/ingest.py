"""A consumer of a topic, and COPY FROM of the same rows from a file."""

import time

from input import COLUMNS

TARGETS = [("COPY FROM text", "consumer, 1 worker", ">=", 1.3)]


class Ingest:
    def __init__(self, bench):
        self.db, self.input = bench.db, bench.input
        self.expected = None

    def contestants(self):
        return {"COPY FROM text": self.copy, "consumer, 1 worker": self.consumer}

    def check(self, table):
        """Every row once: the count and a checksum that does not depend on their order."""
        found = self.db.execute(f"SELECT count(*), sum(hashtextextended({table}::text, 0)) FROM {table}")[0]
        if self.expected is None:
            self.expected = found
        if found != self.expected or found[0] != self.input.count:
            raise SystemExit(f"{table} holds {found} instead of {self.expected}")

    def copy(self):
        self.db.execute(f"DROP TABLE IF EXISTS copied; CREATE TABLE copied ({COLUMNS}); CHECKPOINT")
        begin = time.perf_counter()
        self.db.execute(f"COPY copied FROM '{self.input.tsv}'")
        seconds = time.perf_counter() - begin
        self.check("copied")
        return seconds

    def consumer(self):
        self.db.execute(f"CREATE TABLE consumed ({COLUMNS})")
        self.db.execute("CHECKPOINT")
        begin = time.perf_counter()
        self.db.execute("SELECT kafka_consume_begin('consumed', 'rows', format => 'json')")
        done = self.db.value("SELECT kafka_consume_wait('consumed', 'rows', '10 min')")
        seconds = time.perf_counter() - begin
        assert done
        self.db.execute("SELECT kafka_consume_drop('consumed', 'rows')")
        self.check("consumed")
        self.db.execute("DROP TABLE consumed")
        return seconds
