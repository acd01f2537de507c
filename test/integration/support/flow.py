"""Messages that keep coming while a test does something else."""

import threading

from confluent_kafka import Producer

from .broker import DELIVERY_SECONDS, QUIET
from .waiting import wait_for


class Flow:
    """While its block runs, sends numbers 0, 1, … to the partitions in turn, in bursts, a few thousand a second."""

    BURST, PAUSE_SECONDS = 50, 0.01

    def __init__(self, broker, topic, partitions):
        self._topic, self._partitions = topic, partitions
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1, **QUIET})
        self._end, self._thread = threading.Event(), threading.Thread(target=self._run)
        self.sent = 0
        self._failed = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        left = self._producer.flush(DELIVERY_SECONDS)
        assert left == 0 and not self._failed, f"{left} not sent, {self._failed[:1]}"

    def wait_for_more(self, count=500):
        """Waits until that many more were sent and acknowledged."""
        goal = self.sent + count
        wait_for(lambda: self.sent >= goal, what=f"{count} more messages of {self._topic}")

    def _run(self):
        number = 0
        while not self._end.wait(self.PAUSE_SECONDS):
            for _ in range(self.BURST):
                self._producer.produce(self._topic, str(number), partition=number % self._partitions,
                                       on_delivery=self._delivered)
                number += 1
            self._producer.poll(0)

    def _delivered(self, error, _):
        if error is None:
            self.sent += 1
        else:
            self._failed.append(error)
