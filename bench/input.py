"""The rows of the benchmarks: JSON messages in topics, and the same rows in files for COPY and file_fdw."""

import datetime
import hashlib
import random

from confluent_kafka import Producer

COLUMNS = """id bigint, at timestamptz, customer text, city text, amount numeric, quantity int, score float8,
             paid boolean"""
PARTITIONS = 4
CITIES = ("Berlin", "Lisbon", "Nairobi", "Osaka", "Quito", "Tromsø")
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
STEP_MS = 10  # between the times of two messages
JSON = ('{"id": %s, "at": "%s", "customer": "%s", "city": "%s", "amount": %s, "quantity": %s, "score": %s, '
        '"paid": %s}')


def rows(count):
    """The same rows in every run: tuples of text, in the order of COLUMNS; about 190 bytes as JSON."""
    source = random.Random(1)
    for number in range(count):
        at = START + datetime.timedelta(milliseconds=number * STEP_MS)
        customer = f"customer-{source.randrange(100000):08d}-{source.getrandbits(48):012x}"
        yield (str(number), at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), customer, source.choice(CITIES),
               f"{source.randrange(10_000_000) / 100:.2f}", str(source.randrange(100)), f"{source.random():.12f}",
               source.choice(("true", "false")))


class Input:
    """Fills the topics rows (PARTITIONS partitions) and one (a single partition), rows.tsv and rows.csv."""

    def __init__(self, broker, folder, count):
        self.count, self.tsv, self.csv = count, folder / "rows.tsv", folder / "rows.csv"
        self._digest, self.bytes = hashlib.sha256(), 0
        broker.create_topic("rows", PARTITIONS)
        broker.create_topic("one", 1)
        producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50,
                             "queue.buffering.max.messages": 1_000_000})
        with self.tsv.open("w") as tsv, self.csv.open("w") as csv:
            for number, row in enumerate(rows(count)):
                self._produce(producer, number, (JSON % row).encode())
                tsv.write("\t".join(row) + "\n")
                csv.write(",".join(row) + "\n")
        if producer.flush(300) > 0:
            raise SystemExit("the broker did not take all messages")
        for path in (folder, self.tsv, self.csv):
            path.chmod(0o755)

    def _produce(self, producer, number, message):
        self._digest.update(message)
        self.bytes += len(message)
        time = int(START.timestamp() * 1000) + number * STEP_MS
        for topic, partition in (("rows", number % PARTITIONS), ("one", 0)):
            while True:
                try:
                    producer.produce(topic, message, partition=partition, timestamp=time)
                    break
                except BufferError:
                    producer.poll(0.1)
        if number % 10000 == 0:
            producer.poll(0)

    @property
    def digest(self):
        return self._digest.hexdigest()
