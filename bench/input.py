"""The rows of the benchmarks: messages in topics, and the same rows in files for COPY and file_fdw."""

import datetime
import hashlib
import random
import zlib

from confluent_kafka import Consumer, Producer, TopicPartition

COLUMNS = """id bigint, at timestamptz, customer text, city text, amount numeric, quantity int, score float8,
             paid boolean"""
PARTITIONS = 4
CITIES = ("Berlin", "Lisbon", "Nairobi", "Osaka", "Quito", "Tromsø")
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
STEP_MS = 10  # between the times of two messages
JSON = ('{"id": %s, "at": "%s", "customer": "%s", "city": "%s", "amount": %s, "quantity": %s, "score": %s, '
        '"paid": %s}')
POISON_EVERY = 10_000  # of the messages of topic poisoned one is bad


def rows(count):
    """The same rows in every run: tuples of text, in the order of COLUMNS; about 190 bytes as JSON."""
    source = random.Random(1)
    for number in range(count):
        at = START + datetime.timedelta(milliseconds=number * STEP_MS)
        customer = f"customer-{source.randrange(100000):08d}-{source.getrandbits(48):012x}"
        yield (str(number), at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), customer, source.choice(CITIES),
               f"{source.randrange(10_000_000) / 100:.2f}", str(source.randrange(100)), f"{source.random():.12f}",
               source.choice(("true", "false")))


def _poisoned(row):
    return row if int(row[0]) % POISON_EVERY else ('"no number"', *row[1:])


#: Of each topic its partitions, and the message of a row.
TOPICS = {
    "rows": (PARTITIONS, lambda row: JSON % row),
    "one": (1, lambda row: JSON % row),
    "lines": (PARTITIONS, "\t".join),
    "poisoned": (PARTITIONS, lambda row: JSON % _poisoned(row)),
}


class Input:
    """Fills rows.tsv, rows.csv and these of the TOPICS, row n in partition n mod partitions."""

    def __init__(self, broker, folder, count, topics):
        self.count, self.tsv, self.csv = count, folder / "rows.tsv", folder / "rows.csv"
        self.bytes, self._checksum, digest = 0, 0, hashlib.sha256()
        for topic in topics:
            broker.create_topic(topic, TOPICS[topic][0])
        producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50,
                             "queue.buffering.max.messages": 1_000_000})
        with self.tsv.open("w") as tsv, self.csv.open("w") as csv:
            for row in rows(count):
                message = (JSON % row).encode()
                digest.update(message)
                self.bytes += len(message)
                self._checksum += zlib.crc32(message)
                for topic in topics:
                    _produce(producer, topic, row)
                tsv.write("\t".join(row) + "\n")
                csv.write(",".join(row) + "\n")
        if producer.flush(300) > 0:
            raise SystemExit("the broker did not take all messages")
        for path in (folder, self.tsv, self.csv):
            path.chmod(0o755)
        self.digest = digest.hexdigest()

    def ends(self, topic):
        """{partition: the offset behind its last message}"""
        partitions = TOPICS[topic][0]
        return {partition: (self.count - partition + partitions - 1) // partitions for partition in range(partitions)}

    def check_log(self, broker, topic="rows"):
        """Whether the log holds what was sent, each message once, as another client reads it."""
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(TOPICS[topic][0])])
        count = checksum = 0
        while count < self.count:
            messages = consumer.consume(10_000, timeout=30)
            if not messages:
                break
            count += len(messages)
            checksum += sum(zlib.crc32(message.value()) for message in messages)
        consumer.close()
        if (count, checksum) != (self.count, self._checksum):
            raise SystemExit(f"topic {topic} does not hold what was sent")


def _produce(producer, topic, row):
    number, (partitions, message) = int(row[0]), TOPICS[topic]
    time = int(START.timestamp() * 1000) + number * STEP_MS
    while True:
        try:
            producer.produce(topic, message(row), partition=number % partitions, timestamp=time)
            break
        except BufferError:
            producer.poll(0.1)
    if number % 10000 == 0:
        producer.poll(0)
