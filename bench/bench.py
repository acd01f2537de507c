"""Scans and consumers of a topic, and COPY FROM of the same rows from a file: interleaved rounds, medians and ratios.

Usage: bench/run [--messages N] [--rounds N]. Raw figures go to bench/results/, one file a run.
"""

import argparse
import datetime
import hashlib
import json
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/integration"))

from support import Broker, Postgres  # noqa: E402

COLUMNS = """id bigint, at timestamptz, customer text, city text, amount numeric, quantity int, score float8,
             paid boolean"""
PARTITIONS = 4
CITIES = ("Berlin", "Lisbon", "Nairobi", "Osaka", "Quito", "Tromsø")
BROKER_OPTIONS = "-Xmx1g -XX:+UseSerialGC"
POSTGRES_SETTINGS = {"shared_preload_libraries": "kafka_fdw", "fsync": "on", "synchronous_commit": "on",
                     "shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "off"}


def rows(count):
    """The same rows in every run: tuples of text, in the order of COLUMNS."""
    source = random.Random(1)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for number in range(count):
        at = start + datetime.timedelta(milliseconds=number * 10)
        yield (str(number), at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), f"customer-{source.randrange(100000):08d}",
               source.choice(CITIES), f"{source.randrange(10_000_000) / 100:.2f}", str(source.randrange(100)),
               f"{source.random():.12f}", source.choice(("true", "false")))


def write_inputs(folder, count):
    """A file of JSON messages for Kafka and one of the same rows for COPY; returns their paths."""
    messages, copy = folder / "rows.json", folder / "rows.tsv"
    with messages.open("w") as as_json, copy.open("w") as as_text:
        for row in rows(count):
            as_json.write('{"id": %s, "at": "%s", "customer": "%s", "city": "%s", "amount": %s, "quantity": %s, '
                          '"score": %s, "paid": %s}\n' % row)
            as_text.write("\t".join(row) + "\n")
    for path in (folder, messages, copy):
        path.chmod(0o755)
    return messages, copy


class Bench:
    def __init__(self, broker, postgres, copy_file, count):
        self.broker, self.copy_file, self.count = broker, copy_file, count
        self.db = postgres.create_database()
        self.db.use_broker(broker)
        self.db.execute(f"CREATE FOREIGN TABLE topic ({COLUMNS}) SERVER pipeline_kafka OPTIONS (topic 'rows')")
        self.expected = None

    def close(self):
        self.db.drop()

    def timed(self, statement):
        begin = time.perf_counter()
        result = self.db.value(statement)
        return time.perf_counter() - begin, result

    def check(self, table):
        """Every row once: the count and a checksum that does not depend on their order."""
        found = self.db.execute(f"SELECT count(*), sum(hashtextextended({table}::text, 0)) FROM {table}")[0]
        if self.expected is None:
            self.expected = found
        if found != self.expected or found[0] != self.count:
            raise SystemExit(f"{table} holds {found} instead of {self.expected}")

    # --- the contestants: each returns seconds ---

    def scan_count(self):
        seconds, count = self.timed("SELECT count(*) FROM topic")
        assert count == self.count, count
        return seconds

    def scan_sum(self):
        return self.timed("SELECT sum(amount) FROM topic")[0]

    def copy(self):
        self.db.execute(f"DROP TABLE IF EXISTS copied; CREATE TABLE copied ({COLUMNS}); CHECKPOINT")
        begin = time.perf_counter()
        self.db.execute(f"COPY copied FROM '{self.copy_file}'")
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


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{model}, {cores} cores"


def report(figures, count, versions):
    medians = {name: statistics.median(times) for name, times in figures.items()}
    base = medians["COPY FROM text"]
    print(f"\n{count:,} messages over {PARTITIONS} partitions; {versions}\n")
    print(f"{'':28} {'median s':>9} {'min':>7} {'max':>7} {'rows/s':>11} {'× COPY':>7}")
    for name, times in figures.items():
        print(f"{name:28} {medians[name]:9.2f} {min(times):7.2f} {max(times):7.2f} {count / medians[name]:11,.0f} "
              f"{base / medians[name]:7.2f}")


def run(arguments):
    with tempfile.TemporaryDirectory(prefix="kafka_fdw-bench-") as name:
        folder = pathlib.Path(name)
        messages, copy_file = write_inputs(folder, arguments.messages)
        broker, postgres = Broker(java_options=BROKER_OPTIONS), Postgres(POSTGRES_SETTINGS)
        try:
            broker.create_topic("rows", PARTITIONS)
            subprocess.run(["kcat", "-P", "-b", broker.bootstrap, "-t", "rows", "-l", str(messages), "-X", "linger.ms=50",
                            "-X", "partitioner=random"], check=True)
            bench = Bench(broker, postgres, copy_file, arguments.messages)
            contestants = {"COPY FROM text": bench.copy, "consumer, 1 worker": bench.consumer,
                           "SELECT count(*)": bench.scan_count, "SELECT sum(amount)": bench.scan_sum}
            figures = {name: [] for name in contestants}
            for number in range(-1, arguments.rounds):  # the first is a warm-up
                for name, contestant in contestants.items():
                    seconds = contestant()
                    if number >= 0:
                        figures[name].append(seconds)
                print(f"round {number + 1} of {arguments.rounds}" + (" (warm-up)" if number < 0 else ""), flush=True)
            versions = f"PostgreSQL {bench.db.value('SHOW server_version')}, {machine()}"
            bench.close()
        finally:
            postgres.close()
            broker.close()
        return figures, versions, hashlib.sha256(messages.read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    figures, versions, digest = run(arguments)
    report(figures, arguments.messages, versions)
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
    results = ROOT / "bench/results"
    results.mkdir(exist_ok=True)
    (results / f"{when}.json").write_text(json.dumps(
        {"messages": arguments.messages, "input_sha256": digest, "versions": versions, "settings": POSTGRES_SETTINGS,
         "broker": BROKER_OPTIONS, "seconds": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
