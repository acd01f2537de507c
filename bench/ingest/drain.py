"""All of a topic that is there already: rows a second, and CPU."""

import functools

import report
import rounds
from input import COLUMNS

from . import cpu
from .copying import CopyAggregate, CopyCsv, CopyText, CopyWithKey, KcatCopy, KcatCopyJson
from .debezium import Debezium
from .handwritten import Handwritten
from .ours import Ours, OursAggregate, OursGeneral, OursPoisoned, OursTwoWorkers, OursWithKey

CONTESTANTS = {contestant.name: contestant for contestant in (
    CopyText, Ours, OursTwoWorkers, OursGeneral, OursPoisoned, CopyWithKey, OursWithKey, CopyAggregate, OursAggregate, CopyCsv,
    KcatCopy, KcatCopyJson, Handwritten, Debezium)}

# The rows a second of the one are to be so many times those of the other, at least.
TARGETS = [("ours", 1.3, "copy-text"), ("ours-key", 0.9, "copy-text-key"), ("ours-aggregate", 1.0, "copy-aggregate"),
           ("ours", 12, "debezium"), ("ours", 6, "handwritten"), ("ours-poisoned", 0.7, "ours")]
BASE = CopyText.name


def topics(chosen):
    return {contestant.topic for contestant in rounds.choose(CONTESTANTS, chosen).values()} | {"rows"}


class Drain:
    def __init__(self, bench, chosen):
        self._bench, self._db = bench, bench.db
        self._contestants = {name: contestant(bench) for name, contestant in rounds.choose(CONTESTANTS, chosen).items()}
        bench.input.check_log(bench.broker)
        self._db.execute(f"CREATE TABLE reference ({COLUMNS}); COPY reference FROM '{bench.input.tsv}'")
        self._db.execute(f"CREATE FOREIGN TABLE messages ({COLUMNS}) SERVER pipeline_kafka OPTIONS (topic 'rows')")
        self._expected = functools.cache(lambda query: self._db.execute(query)[0])

    def measure(self, count):
        """{name: [{"seconds": …, "cpu": …}, …]}"""
        try:
            return rounds.measure({name: functools.partial(self._measure, contestant)
                                   for name, contestant in self._contestants.items()}, count)
        finally:
            for contestant in self._contestants.values():
                contestant.close()

    def _measure(self, contestant):
        self._db.execute(contestant.definition)
        self._db.execute("CHECKPOINT")
        before = cpu.seconds(self._bench.server.pid, contestant.processes())
        seconds = contestant.drain()
        used = cpu.seconds(self._bench.server.pid, contestant.processes()) - before
        self._check(contestant)
        contestant.end()
        self._db.execute("DROP TABLE filled")
        return {"seconds": seconds, "cpu": used}

    def _check(self, contestant):
        """Every row once, by their count and a checksum that does not depend on their order; and the offsets."""
        found, expected = self._db.execute(contestant.found)[0], self._expected(contestant.expected)
        if found != expected:
            raise SystemExit(f"{contestant.name} made {found} of {expected}")
        offsets, ends = contestant.offsets(), self._bench.input.ends(contestant.topic)
        if offsets not in (None, ends):
            raise SystemExit(f"{contestant.name} stored {offsets} of {ends}")

    def report(self, figures):
        seconds, cpu_seconds = report.medians(figures, "seconds"), report.medians(figures, "cpu")
        count = self._bench.input.count
        lines = []
        for name, found in figures.items():
            times = [figure["seconds"] for figure in found]
            ratio = f"{seconds[BASE] / seconds[name]:.2f}" if BASE in seconds else ""
            lines.append([f"{name}: {CONTESTANTS[name].label}", f"{seconds[name]:.2f}", f"{min(times):.2f}", f"{max(times):.2f}",
                          f"{count / seconds[name]:,.0f}", ratio, f"{cpu_seconds[name] / count * 1e6:.2f}"])
        headings = ["drain", "median s", "min", "max", "rows/s", f"× {BASE}", "CPU s/M rows"]
        verdicts = [report.verdict(f"{one} / {other}, rows/s", seconds[other] / seconds[one], "≥", target)
                    for one, target, other in TARGETS if one in seconds and other in seconds]
        if {"ours", BASE} <= set(seconds):
            verdicts.append(report.verdict(f"ours / {BASE}, CPU", cpu_seconds["ours"] / cpu_seconds[BASE], "≤", 1.0))
        return "\n".join([report.table(headings, lines), "", *verdicts])
