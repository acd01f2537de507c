"""Consumers of this extension."""

import time

from input import POISON_EVERY
from support import wait_for

from .contestant import ROW_CHECKSUM, Aggregate, Contestant, WithKey


class Ours(Contestant):
    name, label = "ours", "kafka_fdw, 1 worker"
    steady = True
    settings = {"format": "json"}
    fast = True

    def _begin(self, topic):
        self._place = {"stream": self.table, "topic": topic}
        self.db.execute(f"ALTER DATABASE {self.db.name} SET kafka_fdw.fast_apply = {'on' if self.fast else 'off'}")
        arguments = self._place | self.settings
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        self.db.execute(f"SELECT kafka_consume_begin({named})", arguments)

    def drain(self):
        start = time.perf_counter()
        self._begin(self.topic)
        done = self.db.value("SELECT kafka_consume_wait(%(stream)s, %(topic)s, '30 min')", self._place)
        seconds = time.perf_counter() - start
        # Workers tell now and then how they do it.
        way = done and wait_for(lambda: self.db.value("SELECT apply FROM kafka_stat_consumers"), what=f"the way of {self.name}")
        if way != ("fast" if self.fast else "general"):
            raise SystemExit(f"{self.name}: {self.db.execute('SELECT * FROM kafka_stat_consumers')}")
        return seconds

    def begin(self, topic):
        self._begin(topic)

    def offsets(self):
        stored = self.db.value("SELECT kafka_consume_position(%(stream)s, %(topic)s)", self._place)
        return {int(partition): offset for partition, offset in stored.items()}

    def end(self):
        self.db.execute("SELECT kafka_consume_drop(%(stream)s, %(topic)s)", self._place)


class OursGeneral(Ours):
    name, label = "ours-general", "kafka_fdw, by the statement alone"
    fast = False


class OursWithKey(WithKey, Ours):
    name, label = "ours-key", "kafka_fdw, primary key"
    steady = False


class OursTwoWorkers(Ours):
    name, label = "ours-2-workers", "kafka_fdw, 2 workers"
    steady = False
    settings = Ours.settings | {"parallelism": 2}


class OursPoisoned(Ours):
    name, label = "ours-poisoned", f"kafka_fdw, 1 of {POISON_EVERY:,} messages bad"
    steady = False
    topic = "poisoned"
    settings = Ours.settings | {"on_error": "dead_letter"}
    expected = f"SELECT count(*), {ROW_CHECKSUM} FROM reference WHERE id % {POISON_EVERY} <> 0"

    def offsets(self):
        rejected, = self.db.execute("SELECT count(*), count(DISTINCT (partition, message_offset)) FROM pipeline_kafka_errors")
        bad = -(-self.input.count // POISON_EVERY)
        if rejected != (bad, bad):
            raise SystemExit(f"{self.name}: {rejected} dead letters instead of {bad}")
        return super().offsets()


class OursAggregate(Aggregate, Ours):
    name, label = "ours-aggregate", "kafka_fdw, GROUP BY … ON CONFLICT"
    steady = False
    fast = False

    def _begin(self, topic):
        self.settings = {"statement": self.upsert.format("messages")}
        super()._begin(topic)
