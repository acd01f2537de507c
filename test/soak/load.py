"""Messages that keep coming, good and bad ones, plain and in transactions, whatever happens to the broker."""

import json
import random
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer
from support.broker import QUIET

TOPIC, KEYS = "events", 200
REFUSED = 1_000_000  # a value that the streams' CHECK does not let in

# Idempotent: what a producer sends again after an outage is not in the log twice.
COMMON = {"linger.ms": 5, "reconnect.backoff.max.ms": 500, "topic.metadata.refresh.interval.ms": 1000, **QUIET}
PLAIN = {"enable.idempotence": True, "message.timeout.ms": 0}
TRANSACTIONS = {"transactional.id": "soak", "transaction.timeout.ms": 10_000}
SECONDS = 30  # for an answer of the broker
FLUSH_SECONDS = 60
TRANSACTION_EVERY = 5  # of the bursts
ABORTED = 0.3

GOOD, BAD, REJECTED, TOMBSTONE = "good", "bad", "rejected", "tombstone"
# How often, in a thousand.
KINDS, WEIGHTS = (GOOD, BAD, REJECTED, TOMBSTONE), (990, 4, 2, 4)


def message(chance):
    """Its kind is its key, for those who have to know it."""
    (kind,) = chance.choices(KINDS, WEIGHTS)
    fields = {"key": f"key {chance.randrange(KEYS)}", "v": chance.randrange(-1000, 1000)}
    if kind == REJECTED:
        fields["v"] = REFUSED
    value = json.dumps(fields)
    if kind == BAD:
        value = chance.choice((value[:-1], '{"key": "a", "v": "x"}', '{"key": "\\u0000", "v": 1}', "", b"\xff"))
    return {"key": kind, "value": None if kind == TOMBSTONE else value}


class Stuck(Exception):
    """A producer that takes no more messages, though the broker is there: librdkafka's may stay so after an outage."""


class Load:
    """While its block runs, sends bursts to partitions chosen by chance; `partitions` may be raised meanwhile."""

    def __init__(self, broker, seed, partitions):
        self._broker, self.partitions = broker, partitions
        self._chance = random.Random(f"{seed} load")
        self._end, self._thread = threading.Event(), threading.Thread(target=self._run)
        self._plain, self._transactions = self._producer(PLAIN), None
        self._failed = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        if self._plain.flush(FLUSH_SECONDS):
            self._plain.purge()
        self.check()

    def check(self):
        if self._failed:
            raise SystemExit(f"the load ended: {self._failed!r}")

    def _run(self):
        try:
            while not self._end.wait(self._chance.uniform(0, 0.1)):
                burst = [message(self._chance) for _ in range(self._chance.choice((1, 10, 10, 100, 100, 300, 300, 2000)))]
                if self._chance.randrange(TRANSACTION_EVERY) == 0:
                    self._send_in_transaction(burst)
                else:
                    self._send_plain(burst)
        except Exception as error:
            self._failed = error

    def _producer(self, settings):
        return Producer({"bootstrap.servers": self._broker.bootstrap, **COMMON, **settings})

    def _send(self, producer, burst):
        end = time.monotonic() + FLUSH_SECONDS
        for fields in burst:
            while True:
                if time.monotonic() > end:
                    raise Stuck
                try:
                    producer.produce(TOPIC, partition=self._chance.randrange(self.partitions), **fields)
                    break
                except BufferError:
                    producer.poll(0.1)
                except KafkaException as error:
                    # A new one, of which the producer has not heard.
                    if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                        raise
                    producer.poll(0.1)
        producer.poll(0)

    def _send_plain(self, burst):
        """What a stuck producer has not sent is lost: the log says what there is."""
        try:
            self._send(self._plain, burst)
        except Stuck:
            self._plain.purge()
            self._plain = self._producer(PLAIN)

    def _send_in_transaction(self, burst):
        """A transaction that the broker did not take to its end is left to the next producer of that name, which ends it."""
        try:
            if self._transactions is None:
                self._transactions = self._producer(TRANSACTIONS)
                self._transactions.init_transactions(SECONDS)
            self._transactions.begin_transaction()
            self._send(self._transactions, burst)
            if self._chance.random() < ABORTED:
                self._transactions.abort_transaction(SECONDS)
            else:
                self._transactions.commit_transaction(SECONDS)
        except (KafkaException, Stuck) as error:
            if isinstance(error, Stuck):
                self._transactions.purge()
            self._transactions = None
