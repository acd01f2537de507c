"""The consumer written by hand, in its own process."""

import pathlib
import subprocess
import sys

from .contestant import Contestant

PROGRAM = pathlib.Path(__file__).with_name("handwritten_consumer.py")


class Handwritten(Contestant):
    name, label = "handwritten", "Python: confluent-kafka, psycopg COPY"
    steady = True
    _process = None

    def _start(self, topic, *options):
        self.db.execute("CREATE TABLE offsets (topic text, partition int, next_offset bigint NOT NULL, PRIMARY KEY (topic, partition))")
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM, self.broker.bootstrap, topic, self.bench.conninfo, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit(f"{PROGRAM.name} did not start")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def drain(self):
        self._start(self.topic, "--drain")
        seconds = float(self._process.stdout.readline())
        self._process.wait()
        return seconds

    def begin(self, topic):
        self._start(topic)

    def offsets(self):
        return dict(self.db.execute("SELECT partition, next_offset FROM offsets"))

    def end(self):
        self.close()
        self.db.execute("DROP TABLE offsets")

    def processes(self):
        return [self._process.pid] if self._process and self._process.poll() is None else []

    def close(self):
        if self._process:
            self._process.terminate()
            self._process.communicate()
            self._process = None
