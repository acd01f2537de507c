"""Ad hoc queries over a topic, beside librdkafka alone and file_fdw over the same rows."""

import functools
import subprocess
import time

import report
import rounds
from input import COLUMNS, PARTITIONS, START, STEP_MS

# With the ratios that are aimed at: of the seconds of the one to the seconds of the other.
TARGETS = [
    ("raw librdkafka", "SELECT count(*)", "≥", 0.8),
    ("raw librdkafka", "SELECT sum(quantity)", "≥", 0.5),
    ("raw librdkafka", "SELECT sum(amount)", "≥", 0.5),
    ("file_fdw sum(quantity)", "SELECT sum(quantity)", "≥", 1.0),
    ("file_fdw sum(amount)", "SELECT sum(amount)", "≥", 1.0),
    ("1% by offset", "SELECT sum(amount)", "≤", 0.03),
    ("1% by timestamp", "SELECT sum(amount)", "≤", 0.03),
    ("one partition, serial", "one partition, 2 processes", "≥", 1.2),
]

CONTESTANTS = {
    "raw librdkafka": lambda scans: scans.raw(),
    "SELECT count(*)": lambda scans: scans.checked("SELECT count(*) FROM rows", scans.input.count),
    "SELECT sum(quantity)": lambda scans: scans.sum("rows", "quantity"),
    "SELECT sum(amount)": lambda scans: scans.sum("rows", "amount"),
    "file_fdw sum(quantity)": lambda scans: scans.sum("csv", "quantity"),
    "file_fdw sum(amount)": lambda scans: scans.sum("csv", "amount"),
    "1% by offset": lambda scans: scans.by_offset(),
    "1% by timestamp": lambda scans: scans.by_timestamp(),
    "one partition, serial": lambda scans: scans.sum("one", "amount"),
    "one partition, 2 processes": lambda scans: scans.two_processes(),
    "point lookup, warm": lambda scans: scans.point_lookup(),
}


class Scans:
    def __init__(self, bench, chosen):
        self._contestants = rounds.choose(CONTESTANTS, chosen)
        self.db, self.broker, self.input = bench.db, bench.broker, bench.input
        self.raw_reader = str(bench.build / "raw_reader")
        metadata = """part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
                      ts timestamptz OPTIONS ("timestamp" 'true'), """
        for topic in ("rows", "one"):
            self.db.execute(f"CREATE FOREIGN TABLE {topic} ({metadata + COLUMNS}) SERVER pipeline_kafka "
                            f"OPTIONS (topic '{topic}', max_timestamp_disorder '1 s')")
        self.db.execute(f"""CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
                            CREATE FOREIGN TABLE csv ({COLUMNS}) SERVER files
                              OPTIONS (filename '{self.input.csv}', format 'csv')""")
        self.expected = dict(zip(("amount", "quantity"), self.db.execute("SELECT sum(amount), sum(quantity) FROM csv")[0]))
        self.db.execute("SET max_parallel_workers_per_gather = 0")

    def measure(self, count):
        """{name: [seconds, …]}"""
        return rounds.measure({name: functools.partial(contestant, self) for name, contestant in self._contestants.items()}, count)

    def report(self, figures):
        seconds = report.medians(figures)
        lines = [[name, f"{seconds[name]:.4f}", f"{min(times):.4f}", f"{max(times):.4f}", f"{self.input.count / seconds[name]:,.0f}"]
                 for name, times in figures.items()]
        verdicts = [report.verdict(f"{one} / {other}", seconds[one] / seconds[other], relation, target)
                    for one, other, relation, target in TARGETS if one in seconds and other in seconds]
        return "\n".join([report.table(["scans", "median s", "min", "max", "rows/s"], lines), "", *verdicts])

    def checked(self, statement, expected):
        begin = time.perf_counter()
        found = self.db.value(statement)
        seconds = time.perf_counter() - begin
        if found != expected:
            raise SystemExit(f"{statement} gave {found} instead of {expected}")
        return seconds

    def sum(self, table, column):
        return self.checked(f"SELECT sum({column}) FROM {table}", self.expected[column])

    def raw(self):
        output = subprocess.run([self.raw_reader, self.broker.bootstrap, "rows"], capture_output=True, text=True,
                                check=True).stdout
        count, seconds = output.split()
        assert int(count) == self.input.count, count
        return float(seconds)

    def part_of_rows(self):
        """Numbers of the rows in the middle hundredth."""
        return self.input.count // 2, self.input.count // 2 + self.input.count // 100

    def range_count(self, where):
        first, last = self.part_of_rows()
        begin = time.perf_counter()
        count, total = self.db.execute(f"SELECT count(*), sum(amount) FROM rows WHERE {where}")[0]
        seconds = time.perf_counter() - begin
        if count != last - first:
            raise SystemExit(f"{where}: {count} rows instead of {last - first}")
        return seconds

    def by_offset(self):
        first, last = (number // PARTITIONS for number in self.part_of_rows())
        return self.range_count(f"offs >= {first} AND offs < {last}")

    def by_timestamp(self):
        first, last = (f"'{START.isoformat()}'::timestamptz + interval '{number * STEP_MS} ms'"
                       for number in self.part_of_rows())
        return self.range_count(f"ts >= {first} AND ts < {last}")

    def two_processes(self):
        self.db.execute("SET max_parallel_workers_per_gather = 1; SET parallel_setup_cost = 0; "
                        "SET parallel_tuple_cost = 0")
        try:
            return self.sum("one", "amount")
        finally:
            self.db.execute("SET max_parallel_workers_per_gather = 0")

    def point_lookup(self):
        """The median of a hundred."""
        times = sorted(self.checked(f"SELECT id FROM one WHERE part = 0 AND offs = {offset}", offset)
                       for offset in range(0, self.input.count, max(1, self.input.count // 100)))
        return times[len(times) // 2]
