"""Faults that a test inflicts on the servers of one database. Each returns once both servers answer again."""

import random

import psycopg

from . import consumers
from .waiting import wait_for


class Faults:
    def __init__(self, database, broker, chance: random.Random):
        self._database, self._broker, self._chance = database, broker, chance

    def inflict(self, name):
        """Calls the method of that name."""
        getattr(self, name)()
        # The first statement of a session tells it that its server was restarted.
        wait_for(lambda: self._database.value("SELECT true"), what="PostgreSQL", ignore=psycopg.OperationalError)

    def kill_worker(self):
        """SIGKILL of a worker: the postmaster ends all other processes and recovers."""
        witness = wait_for(self._database.connect, what="a session", ignore=psycopg.OperationalError)
        wait_for(self._kill_a_worker, what="a worker to kill", ignore=(FileNotFoundError, ProcessLookupError))
        # New sessions are accepted until the postmaster has noticed.
        wait_for(lambda: _is_lost(witness), what="the end of the sessions")
        self._database.pg.wait_until_up()

    def terminate_workers(self):
        """pg_terminate_backend of some of the workers, at least one."""
        wait_for(self._terminate_some_workers, what="a worker to terminate", ignore=psycopg.OperationalError)

    def restart_postgres(self):
        self._database.pg.restart("fast")

    def crash_postgres(self):
        self._database.pg.restart("immediate")

    def restart_broker(self):
        self._broker.restart()

    def kill_broker(self):
        self._broker.kill()
        self._broker.restart()

    def _kill_a_worker(self):
        pids = consumers.workers(self._database)
        if pids:
            self._database.pg.kill_backend(self._chance.choice(pids))
        return pids

    def _terminate_some_workers(self):
        pids = consumers.workers(self._database)
        victims = self._chance.sample(pids, self._chance.randint(1, len(pids))) if pids else []
        return self._database.value("SELECT bool_or(pg_terminate_backend(pid)) FROM unnest(%s::int[]) AS pid", [victims])


def _is_lost(session):
    try:
        session.execute("SELECT")
    except psycopg.OperationalError:
        return True
    return False
