import contextlib
import pathlib
import subprocess
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from . import command
from .waiting import wait_for

DELIVERY_SECONDS = 60
# A client that outlives its broker would print a line for every reconnect.
QUIET = {"log_level": 2}


class ExistingBroker:
    """A Kafka broker that somebody else started and ends: topics, messages and reading."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self._admin = None

    # --- topics ---

    @property
    def admin(self):
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        return self._admin

    def create_topic(self, name, partitions=1, config=None, placement=None):
        """Makes the topic and waits until every partition has a leader. placement: for each its list of broker ids."""
        where = {"replica_assignment": placement} if placement else {"replication_factor": 1}
        topic = NewTopic(name, num_partitions=partitions, config=config or {}, **where)
        self.admin.create_topics([topic])[name].result()
        wait_for(lambda: self._has_leaders(name, partitions), what=f"topic {name}")
        return name

    def _has_leaders(self, name, partitions):
        found = self.admin.list_topics(name, timeout=10).topics[name]
        return len(found.partitions) == partitions and all(part.leader >= 0 for part in found.partitions.values())

    def delete_topic(self, name):
        self.admin.delete_topics([name])[name].result()
        wait_for(lambda: name not in self.admin.list_topics(timeout=10).topics, what=f"the end of topic {name}")

    def set_topic_config(self, name, config):
        """Changes these settings of the topic, and no other."""
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result()

    def delete_records(self, topic, partition, before):
        """Makes this offset the first of the partition."""
        place = TopicPartition(topic, partition, before)
        self.admin.delete_records([place])[place].result()

    def partitions(self, topic):
        return sorted(self.admin.list_topics(topic, timeout=10).topics[topic].partitions)

    # --- writing ---

    def produce(self, topic, *messages, partition=None, settings=None):
        """Sends messages and returns their (partition, offset), in the order sent, once all are acknowledged.

        A message is its value (str, bytes, or None for a tombstone), or a dict of value, key, partition, headers (a list
        of pairs) and timestamp (ms). partition holds for the messages that name none.
        """
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, **QUIET, **(settings or {})})
        return _send(producer, topic, messages, partition)

    def produce_by_java(self, topic, pairs):
        """Sends (key, value) pairs, of texts without tabs, by Kafka's own console producer, which is a Java client."""
        folder = command.output("broker/kafka-broker", "fetch")
        lines = "".join(f"{key}\t{value}\n" for key, value in pairs)
        subprocess.run(["java", "-XX:-UsePerfData", "-Dfile.encoding=UTF-8", "-cp", f"{folder}/*",
                        "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", self.bootstrap, "--topic", topic,
                        "--reader-property", "parse.key=true", "--sync"],
                       input=lines, text=True, encoding="utf-8", check=True, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def transaction(self, abort=False):
        """Gives a produce(topic, *messages, partition=None) whose messages are committed, or aborted, at the end."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": uuid.uuid4().hex, **QUIET})
        producer.init_transactions(DELIVERY_SECONDS)
        producer.begin_transaction()
        written = set()

        def produce(topic, *messages, partition=None):
            placed = _send(producer, topic, messages, partition)
            written.update((topic, place) for place, _ in placed)
            return placed

        try:
            yield produce
        except BaseException:
            producer.abort_transaction(DELIVERY_SECONDS)
            raise
        ends = {place: self._end(*place) for place in written}
        if abort:
            producer.abort_transaction(DELIVERY_SECONDS)
        else:
            producer.commit_transaction(DELIVERY_SECONDS)
        # The coordinator answers before it has written the markers, and until then the transaction is open to readers.
        wait_for(lambda: all(self._end(*place) > end for place, end in ends.items()), what="the transaction's markers")

    def _end(self, topic, partition):
        return self.watermarks(topic, partition, "read_uncommitted")[1]

    # --- reading ---

    def watermarks(self, topic, partition=0, isolation_level="read_committed"):
        """Returns (low, end); the end is the last stable offset under read_committed."""
        with self._consumer(isolation_level) as consumer:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)

    def consume(self, topic, isolation_level="read_committed"):
        """All messages that read() gives, by partition and offset."""
        return sorted(self.read(topic, isolation_level), key=lambda message: (message.partition(), message.offset()))

    def read(self, topic, isolation_level="read_committed"):
        """Reads the whole topic to its end as it is now: confluent_kafka messages, as they come."""
        with self._consumer(isolation_level) as consumer:
            open_ends = set(self.partitions(topic))
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in open_ends])
            while open_ends:
                message = consumer.poll(DELIVERY_SECONDS)
                if message is None:
                    raise TimeoutError(f"no end of {topic} {open_ends} within {DELIVERY_SECONDS} s")
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    open_ends.discard(message.partition())
                else:
                    raise KafkaException(message.error())

    @contextlib.contextmanager
    def _consumer(self, isolation_level):
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.auto.commit": False,
                             "enable.partition.eof": True, "isolation.level": isolation_level, "fetch.wait.max.ms": 10,
                             **QUIET})
        try:
            yield consumer
        finally:
            consumer.close()


class Broker(ExistingBroker):
    """A Kafka broker of its own, started by test/broker/kafka-broker."""

    def __init__(self, settings=None, java_options=None, port=None, join=None):
        """java_options instead of those that make it start fast: for measurements. join: the cluster's first broker."""
        options = [] if java_options is None else [f"--java-opts={java_options}"]
        options += [] if port is None else [f"--port={port}"]
        options += [] if join is None else ["--join", join._dir]
        found = command.run("broker/kafka-broker", "start", *command.set_arguments(settings), *options)
        super().__init__(found["bootstrap"])
        self._dir, self.pid = found["dir"], int(found["pid"])
        self.log = command.LogFile(pathlib.Path(self._dir) / "kafka.log")

    def close(self):
        """Ends the broker, running or not, and removes its data."""
        self._command("stop")

    def stop(self):
        self._command("stop", "--keep")

    def kill(self):
        """Ends it by SIGKILL."""
        self._command("kill")

    def restart(self):
        """Starts it with the same address and data; stops it first if it runs."""
        self.pid = int(self._command("restart")["pid"])

    def _command(self, name, *arguments):
        return command.run("broker/kafka-broker", name, "--dir", self._dir, *arguments)


def _send(producer, topic, messages, default_partition):
    placed, failed = [None] * len(messages), []

    def delivered(number, error, message):
        if error is None:
            placed[number] = (message.partition(), message.offset())
        else:
            failed.append(error)

    for number, message in enumerate(messages):
        fields = dict(message) if isinstance(message, dict) else {"value": message}
        fields.setdefault("partition", default_partition)
        fields = {name: value for name, value in fields.items() if value is not None}
        _enqueue(producer, topic, fields, lambda error, sent, number=number: delivered(number, error, sent))
    if producer.flush(DELIVERY_SECONDS) > 0:
        raise TimeoutError(f"{topic}: no acknowledgement within {DELIVERY_SECONDS} s")
    if failed:
        raise KafkaException(failed[0])
    return placed


def _enqueue(producer, topic, fields, on_delivery):
    while True:
        try:
            producer.produce(topic, on_delivery=on_delivery, **fields)
            return
        except BufferError:  # the local queue is full: deliveries make room
            producer.poll(0.1)
