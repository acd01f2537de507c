"""Debezium's JDBC sink in a worker of Kafka Connect, which runs from the first measurement to the last one, so that its
code is compiled; a measurement begins where the connector is made."""

import itertools
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

from confluent_kafka import ConsumerGroupTopicPartitions
from kept import kept, run
from support import wait_for
from support.secured import free_ports

from .contestant import Contestant

HERE = pathlib.Path(__file__).resolve().parent
POM = HERE / "connect/pom.xml"
LOGGING = HERE.parent.parent / "test/broker/log4j2.properties"
JAVA_OPTIONS = ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-XX:-UsePerfData"]
START_SECONDS, DRAIN_SECONDS, POLL_SECONDS = 60, 1800, 0.05

# The messages have no schema of their own.
SCHEMA = {"type": "struct", "fields": [
    {"field": "id", "type": "int64"},
    {"field": "at", "type": "string", "name": "io.debezium.time.ZonedTimestamp"},
    {"field": "customer", "type": "string"},
    {"field": "city", "type": "string"},
    {"field": "amount", "type": "double"},
    {"field": "quantity", "type": "int32"},
    {"field": "score", "type": "double"},
    {"field": "paid", "type": "boolean"},
]}

# The fastest of those tried: batches of 10,000 fill only with the two consumer.overrides that follow their size.
SINK = {
    "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
    "tasks.max": 1,
    "insert.mode": "insert",
    "primary.key.mode": "none",
    "schema.evolution": "none",
    "dialect.postgres.unnest.insert.enabled": "true",
    "batch.size": 10000,
    "consumer.override.max.poll.records": 10000,
    "consumer.override.max.partition.fetch.bytes": 16 * 1024 * 1024,
    "consumer.override.fetch.max.bytes": 64 * 1024 * 1024,
    "consumer.override.auto.offset.reset": "earliest",
    "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "true",
    "value.converter.schema.content": json.dumps(SCHEMA),
}


def fetch(folder):
    run(["mvn", "-q", "-B", "-f", str(POM), "package", f"-Dfolder={folder}"], "fetching Kafka Connect by Maven")


class Worker:
    """A standalone worker of Kafka Connect."""

    def __init__(self, bootstrap):
        jars, (port,) = kept("connect-4.3.1-debezium-3.6.0", fetch), free_ports(1)
        self._folder, self._url = pathlib.Path(tempfile.mkdtemp(prefix="kafka_fdw-connect-")), f"http://127.0.0.1:{port}"
        settings = {"bootstrap.servers": bootstrap, "listeners": self._url, "plugin.path": jars / "plugins",
                    "plugin.discovery": "service_load", "offset.storage.file.filename": self._folder / "offsets",
                    "key.converter": SINK["key.converter"], "value.converter": SINK["value.converter"]}
        properties = self._folder / "worker.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        with open(self._folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["java", *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{jars}/worker/*",
                 "org.apache.kafka.connect.cli.ConnectStandalone", str(properties)],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(lambda: self.request("GET", "/connectors") == [], START_SECONDS, "Kafka Connect", ignore=OSError)
        except AssertionError:
            raise SystemExit(self.log()) from None

    def request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def log(self):
        return (self._folder / "log").read_text(errors="replace")

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self._folder)


class Debezium(Contestant):
    name, label = "debezium", "Debezium's JDBC sink on Kafka Connect"
    steady = True
    _worker = _connector = None
    _numbers = itertools.count(1)

    def begin(self, topic):
        if self._worker is None:
            self._worker = Worker(self.broker.bootstrap)
        # Its offsets are those of a consumer group of its name, which nobody had before.
        self._connector = f"sink-{next(self._numbers)}"
        self._worker.request("PUT", f"/connectors/{self._connector}/config", SINK | {
            "topics": topic, "collection.name.format": self.table, "connection.username": self.bench.user,
            "connection.password": "", "connection.url": f"jdbc:postgresql://{self.bench.address}/{self.db.name}"})

    def drain(self):
        if self._worker is None:
            self._worker = Worker(self.broker.bootstrap)
        start = time.perf_counter()
        self.begin(self.topic)
        # Counting takes time: not before the table has nearly the size that it will have.
        size = self.db.value("SELECT pg_relation_size('reference') / 100 * 99")
        self._wait_for("pg_relation_size('filled')", size)
        self._wait_for("count(*) FROM filled", self.input.count)
        return time.perf_counter() - start

    def _wait_for(self, value, least):
        end = time.monotonic() + DRAIN_SECONDS
        while self.db.value(f"SELECT {value}") < least:
            if time.monotonic() > end:
                raise SystemExit(f"the sink took too long\n{self._worker.log()}")
            time.sleep(POLL_SECONDS)

    def offsets(self):
        """After it was stopped: until then it commits once a minute."""
        self._stop()
        group = ConsumerGroupTopicPartitions(f"connect-{self._connector}")
        found = self.broker.admin.list_consumer_group_offsets([group])[group.group_id].result()
        return {place.partition: place.offset for place in found.topic_partitions}

    def _stop(self):
        if self._connector in self._worker.request("GET", "/connectors"):
            self._worker.request("DELETE", f"/connectors/{self._connector}")

    def end(self):
        self._stop()

    def processes(self):
        return [self._worker.process.pid] if self._worker else []

    def close(self):
        if self._worker:
            self._worker.close()
