"""Consumers under load for a while, with everything happening to them that may; then every message is looked for.

Two databases share a topic by shards. Prints the seed, which --seed takes to deal the same actions and messages again (not
at the same moments), every action, and in the end what is wrong, of which there must be nothing.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from confluent_kafka.admin import NewPartitions  # noqa: E402
from load import TOPIC, Load  # noqa: E402
from operators import Operator  # noqa: E402
from streams import Streams, log_row  # noqa: E402
from support import Broker, Postgres, consumers, wait_for  # noqa: E402
from support.faults import Faults  # noqa: E402

DATABASES, PARTITIONS, MOST_PARTITIONS = 2, 6, 9
STANDSTILL_SECONDS = 20
FAULTS = ("kill_worker", "kill_worker", "terminate_workers", "terminate_workers", "pause_workers", "pause_workers", "restart_postgres",
          "crash_postgres", "restart_broker", "kill_broker", "pause_broker", "stop_broker_for_a_while", "add_a_partition")
LONGEST_PAUSE = 3  # seconds
POSTGRES = {"shared_preload_libraries": "kafka_fdw", "max_worker_processes": 40, "max_connections": 60}


class LongFaults(Faults):
    """Those of the tests, and some that last a while."""

    def stop_broker_for_a_while(self):
        self._broker.stop()
        self._wait()
        self._broker.restart()

    def pause_broker(self):
        self._pause([self._broker.pid])

    def pause_workers(self):
        """Some of them go on when others may have done their work."""
        pids = consumers.workers(self._database)
        self._pause(self._chance.sample(pids, self._chance.randint(1, len(pids))) if pids else [])

    def _pause(self, pids):
        with contextlib.suppress(ProcessLookupError), contextlib.ExitStack() as paused:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
                paused.callback(os.kill, pid, signal.SIGCONT)
            self._wait()

    def _wait(self):
        time.sleep(self._chance.uniform(0, LONGEST_PAUSE))


class Soak:
    def __init__(self, broker, server, seed):
        self._broker, self._server, self._seed = broker, server, seed
        self._chance = random.Random(f"{seed} faults")
        self._names = [server.create_database().name for _ in range(DATABASES)]
        self._started, self._counts, self._printing = time.monotonic(), collections.Counter(), threading.Lock()

    def note(self, action, details=""):
        with self._printing:
            self._counts[action.split(": ")[-1]] += 1
            print(f"{time.monotonic() - self._started:7.1f} s  {action}  {details}", flush=True)

    def run(self, seconds):
        self._broker.create_topic(TOPIC, PARTITIONS)
        streams = [Streams(self._server.database(name), number, DATABASES) for number, name in enumerate(self._names)]
        for each in streams:
            each.create(self._broker)
        self._started = time.monotonic()
        with Load(self._broker, self._seed, PARTITIONS) as load, contextlib.ExitStack() as operators:
            watched = [load]
            for number, (name, each) in enumerate(zip(self._names, streams)):
                operator = Operator(self._server.database(name), each.arguments(), f"database {number}", self._seed, self.note)
                watched.append(operators.enter_context(operator))
            self._inflict_faults(seconds, load, streams, watched)
        self._verdict(streams)

    def _inflict_faults(self, seconds, load, streams, watched):
        faults = LongFaults(self._server.database(self._names[0]), self._broker, self._chance)
        while True:
            for name in self._chance.sample(FAULTS, len(FAULTS)):
                time.sleep(self._chance.uniform(0, 3))
                if time.monotonic() - self._started > seconds:
                    return
                self.note(name)
                if name == "add_a_partition":
                    self._add_a_partition(load)
                else:
                    faults.inflict(name)
                for each in watched:
                    each.check()
                self._check_states(streams)

    def _add_a_partition(self, load):
        if load.partitions < MOST_PARTITIONS:
            self._broker.admin.create_partitions([NewPartitions(TOPIC, load.partitions + 1)])[TOPIC].result()
            wait_for(lambda: len(self._broker.partitions(TOPIC)) == load.partitions + 1, what="the partition")
            load.partitions += 1

    def _check_states(self, streams):
        """Nothing that happens here may stop a consumer; one that the catalog stopped is tried again when it changes."""
        for each in streams:
            stopped = each.stopped()
            if stopped:
                self.note("stopped", str(stopped))
                wait_for(lambda each=each: not each.stopped(), STANDSTILL_SECONDS, f"consumers to go on: {stopped}")

    # --- the end ---

    def _verdict(self, streams):
        self.note("the end of the load: all run to the end of the log")
        for each in streams:
            each.settle()
        self.note("comparing")
        messages, wrong = self._copy_log(streams), []
        for number, each in enumerate(streams):
            wrong += [(number, *finding) for finding in each.wrong()]
            print(f"database {number}: {each.counts()}")
        print(f"{messages} messages; " + ", ".join(f"{name} {count}" for name, count in sorted(self._counts.items())))
        for finding in wrong:
            print("WRONG: database {}, {}: {}".format(*finding))
        crashes = self._crashes()
        if wrong or crashes:
            raise SystemExit(f"{len(wrong)} findings {crashes}")

    def _copy_log(self, streams):
        count = 0
        with contextlib.ExitStack() as open_copies:
            copies = [open_copies.enter_context(each.copy_log()) for each in streams]
            for count, message in enumerate(self._broker.read(TOPIC), 1):
                for copy in copies:
                    copy.write_row(log_row(message))
        return count

    def _crashes(self):
        """Ends of processes that nobody here caused."""
        log = self._server.log.read()
        return [line for line in log.splitlines()
                if re.search(r"PANIC|TRAP|terminated by signal (?!9:)|could not be aborted|cache lookup failed", line)]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # So that a run ended from outside ends its servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {arguments.seed}, {arguments.seconds:.0f} s", flush=True)
    with contextlib.closing(Broker()) as broker, contextlib.closing(Postgres(POSTGRES)) as server:
        try:
            Soak(broker, server, arguments.seed).run(arguments.seconds)
        except BaseException:
            print(f"the end of PostgreSQL's log:\n{server.log.tail(100)}\nseed {arguments.seed}")
            raise
    print(f"seed {arguments.seed}: every message took effect once")


if __name__ == "__main__":
    main()
