"""Steady load: the delay from a message's produce call until another session sees its row.

Messages with ids in their order go to a topic of one partition. Rows become visible in that order, so that a reader
need not look at all of them: every millisecond it looks up the next LOOKED_UP of those that were the first of their
millisecond, by the index on id, in one statement, and takes the time after the answer. So a delay is too long by the time
between two looks at most, which is printed too. All contestants are read alike.
"""

import bisect
import functools
import subprocess
import threading
import time

import report
import rounds
from input import COLUMNS, JSON

from .contestant import ROW_CHECKSUM
from .drain import CONTESTANTS as ALL

CONTESTANTS = {name: contestant for name, contestant in ALL.items() if contestant.steady}
HALF = "half"  # of what the contestant drains in a second
LOOKED_UP, LOOK_SECONDS = 32, 0.001
WARM_SECONDS = 3  # their messages do not count
PATIENCE_SECONDS = 60  # until the first row is seen, and the last one
TOPIC = "steady"

FIRST = -1  # the id of a message that tells by its row that the contestant is running
MESSAGE = JSON % (FIRST, "2026-01-01T00:00:00.123456Z", "customer-00000042-0123456789ab", "Tromsø", "1234.56", "42",
                  "0.123456789012", "true")
PREFIX, SUFFIX = MESSAGE.split(str(FIRST), 1)
DEFINITION = f"CREATE TABLE filled ({COLUMNS}); CREATE INDEX ON filled (id)"
LOOK = """SELECT count((SELECT id FROM filled WHERE id = wanted))
          FROM generate_series(%s::bigint, %s::bigint, %s::bigint) AS wanted"""
FOUND = f"SELECT count(*), {ROW_CHECKSUM} FROM filled"
EXPECTED = f"""SELECT count(*), {ROW_CHECKSUM} FROM generate_series({FIRST}, %s) AS id,
               (SELECT at, customer, city, amount, quantity, score, paid FROM json_populate_record(NULL::filled, %s)) AS same"""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
LEAST_SAMPLES = {"p99": 100, "p99.9": 1000}
# Of ours, at a rate, in milliseconds.
TARGETS = [("1", "p50", 10), ("10000", "p50", 10), ("10000", "p99", 50)]


class Reader:
    """Looks from a thread of its own until row `last` is seen, or its time is over."""

    def __init__(self, db, step, last):
        self.seen = {}  # id: when, in nanoseconds of CLOCK_MONOTONIC
        self.looks = []  # when each answer came
        self._session, self._step, self._last = db.connect(prepare_threshold=0), step, last
        for way in ("seqscan", "bitmapscan"):
            self._session.execute(f"SET enable_{way} = off")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        following = 0
        while following <= self._last and not self._end.is_set():
            count = self._look(following)
            now = time.monotonic_ns()
            self.looks.append(now)
            for _ in range(count):
                self.seen[following] = now
                following += self._step
            if count < LOOKED_UP:
                time.sleep(LOOK_SECONDS)

    def _look(self, following):
        (count,) = self._session.execute(LOOK, [following, following + (LOOKED_UP - 1) * self._step, self._step]).fetchone()
        return count

    def finish(self, patience):
        self._thread.join(patience)
        self._end.set()
        self._thread.join()
        self._session.close()


def quantiles(values):
    values = sorted(values)
    return {name: values[min(len(values) - 1, int(len(values) * share))] for name, share in QUANTILES.items()
            if len(values) >= LEAST_SAMPLES.get(name, 1)}


class Steady:
    def __init__(self, bench, chosen, rates, seconds, drained):
        """rates: messages a second, as text, or HALF of the rows a second that were drained, by name."""
        self._bench, self._db = bench, bench.db
        self._contestants = {name: contestant(bench) for name, contestant in rounds.choose(CONTESTANTS, chosen).items()}
        self._rates, self._seconds, self._drained = rates, seconds, drained

    def measure(self, count):
        """{"name @ rate": [{…}, …]}"""
        try:
            return rounds.measure({f"{name} @ {rate}": functools.partial(self._measure, contestant, rate)
                                   for rate in self._rates for name, contestant in self._contestants.items()}, count, False)
        finally:
            for contestant in self._contestants.values():
                contestant.close()

    def _measure(self, contestant, rate):
        rate = int(self._drained[contestant.name] / 2) if rate == HALF else int(rate)
        broker = self._bench.broker
        broker.create_topic(TOPIC)
        self._db.execute(DEFINITION)
        contestant.begin(TOPIC)
        broker.produce(TOPIC, MESSAGE)
        self._wait_for_first(contestant)
        figure = self._load(contestant, rate)
        contestant.end()
        self._db.execute("DROP TABLE filled")
        broker.delete_topic(TOPIC)
        return figure

    def _wait_for_first(self, contestant):
        end = time.monotonic() + PATIENCE_SECONDS
        while self._db.value("SELECT count(*) FROM filled") == 0:
            if time.monotonic() > end:
                raise SystemExit(f"{contestant.name} has not begun within {PATIENCE_SECONDS} s")
            time.sleep(0.05)

    def _load(self, contestant, rate):
        seconds = WARM_SECONDS + self._seconds
        total, step = rate * seconds, max(1, rate // 1000)
        reader = Reader(self._db, step, total - 1)
        sent = self._produce(rate, seconds)
        reader.finish(PATIENCE_SECONDS)
        if len(reader.seen) < -(-total // step):
            return {"rate": rate, "behind": total - len(reader.seen) * step}
        self._check(contestant, total)
        return {"rate": rate, **figures(reader, sent)}

    def _produce(self, rate, seconds):
        """[(first id, count, when)]"""
        program = self._bench.build / "steady_producer"
        output = subprocess.run([program, self._bench.broker.bootstrap, TOPIC, str(rate), str(seconds), PREFIX, SUFFIX],
                                stdout=subprocess.PIPE, text=True, check=True).stdout
        return [tuple(map(int, line.split())) for line in output.splitlines()]

    def _check(self, contestant, total):
        found, expected = self._db.execute(FOUND)[0], self._db.execute(EXPECTED, [total - 1, MESSAGE])[0]
        if found != expected:
            raise SystemExit(f"{contestant.name} made {found} of {expected}")
        offsets = contestant.offsets()
        if offsets not in (None, {0: total + 1}):
            raise SystemExit(f"{contestant.name} stored {offsets} of {total + 1}")

    def report(self, found):
        lines = []
        for name, contestant in self._contestants.items():
            for rate in self._rates:
                lines.append([f"{name}: {contestant.label}", *self._cells(found[f"{name} @ {rate}"])])
        verdicts = [report.verdict(f"ours, {quantile} at {int(rate):,} a second, ms", value, "≤", target)
                    for rate, quantile, target in TARGETS if (value := middle(found.get(f"ours @ {rate}", []), quantile))]
        headings = ["steady load", "messages/s", *(f"{name} ms" for name in QUANTILES), "looks: p50", "p99 ms"]
        return "\n".join([report.table(headings, lines), "", *verdicts])

    @staticmethod
    def _cells(rounds_found):
        rate = f"{report.median(figure['rate'] for figure in rounds_found):,.0f}"
        if behind := [figure["behind"] for figure in rounds_found if "behind" in figure]:
            return [rate, f"fell behind by {max(behind):,}", *[""] * (len(QUANTILES) + 1)]
        delays = [middle(rounds_found, name) for name in QUANTILES]
        looks = [report.median(figure["looks"][name] for figure in rounds_found) for name in ("p50", "p99")]
        return [rate, *("" if value is None else f"{value:.1f}" for value in delays), *(f"{value:.1f}" for value in looks)]


def middle(rounds_found, quantile):
    """The median of the rounds; None where that quantile is not known."""
    values = [figure["delays"][quantile] for figure in rounds_found if quantile in figure.get("delays", {})]
    return report.median(values) if values else None


def figures(reader, sent):
    """Milliseconds: the delays of the rows that were looked for, and the times between looks."""
    firsts, begin = [first for first, _, _ in sent], sent[0][2] + WARM_SECONDS * 1_000_000_000
    delays = []
    for number, seen in reader.seen.items():
        when = sent[bisect.bisect_right(firsts, number) - 1][2]
        if when >= begin:
            delays.append((seen - when) / 1e6)
    looks = [(after - before) / 1e6 for before, after in zip(reader.looks, reader.looks[1:])]
    return {"delays": quantiles(delays), "samples": len(delays), "looks": quantiles(looks)}
