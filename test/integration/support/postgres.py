import os
import pathlib
import signal
import uuid

import psycopg
from psycopg import sql

from . import command
from .waiting import wait_for

UP_SECONDS = 30


class Postgres:
    """A PostgreSQL server of its own, started by test/postgres/pg-cluster; reached by a Unix socket as a superuser."""

    def __init__(self, settings=None, standby_of=None, upgrade_of=None):
        origin = [word for option, other in (("--standby-of", standby_of), ("--upgrade-of", upgrade_of)) if other
                  for word in (option, other._dir)]
        found = command.run("postgres/pg-cluster", "start", *origin, *command.set_arguments(settings))
        self._dir, self._host, self._port = found["dir"], found["host"], found["port"]
        self.user, self.pid = found["user"], int(found["pid"])
        self.log = command.LogFile(pathlib.Path(self._dir) / "log")

    def close(self):
        """Ends the server, running or not, and removes its data."""
        command.run("postgres/pg-cluster", "stop", "--dir", self._dir, "--mode", "immediate")

    def stop(self, mode="fast"):
        """Ends the server; mode immediate is a crash of the whole server."""
        command.run("postgres/pg-cluster", "stop", "--dir", self._dir, "--mode", mode, "--keep")

    def restart(self, mode="fast", settings=None):
        """Starts it, after stopping it by mode if it runs. settings are added to those it has."""
        found = command.run("postgres/pg-cluster", "restart", "--dir", self._dir, "--mode", mode,
                            *command.set_arguments(settings))
        self.pid = int(found["pid"])

    def kill_backend(self, pid):
        """Ends one process of the server by SIGKILL: the postmaster then ends all others and recovers."""
        parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        assert parent == self.pid, f"process {pid} is not one of this server's"
        os.kill(pid, signal.SIGKILL)

    def wait_until_up(self):
        """Waits until sessions are accepted: after kill_backend, once the old sessions are gone."""
        def answers():
            with self.connect(connect_timeout=5) as session:
                return session.execute("SELECT true").fetchone()[0]
        wait_for(answers, UP_SECONDS, "PostgreSQL", ignore=psycopg.OperationalError)

    def connect(self, dbname="postgres", **parameters):
        """A psycopg connection, in autocommit unless parameters say otherwise. The caller closes it."""
        parameters = {"user": self.user, "autocommit": True} | parameters
        return psycopg.connect(host=self._host, port=self._port, dbname=dbname, **parameters)

    def create_database(self, encoding=None):
        """Of an encoding of its own, or of the server's."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        options = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0" if encoding else ""
        with self.connect() as session:
            session.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), sql.SQL(options)))
        return self.database(name)

    def database(self, name):
        """One that exists, or will when it is used."""
        return Database(self, name)


class Database:
    """A database of one test. Sessions opened through it are closed with it."""

    #: Settings of all databases that take a broker, as ALTER DATABASE sets them.
    settings = {}

    def __init__(self, postgres, name):
        self.pg, self.name = postgres, name
        self._sessions, self._default = [], None

    def connect(self, **parameters):
        session = self.pg.connect(self.name, **parameters)
        self._sessions.append(session)
        return session

    def execute(self, statement, parameters=None):
        """Runs a statement in the database's own session, opened anew after a restart; returns all its rows, if any."""
        if self._default is None or self._default.closed:
            self._default = self.connect()
        cursor = self._default.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement, parameters=None):
        """The one value of a statement that gives one row of one column."""
        ((value,),) = self.execute(statement, parameters)
        return value

    def use_broker(self, broker):
        """Makes the extension, with this broker behind the server pipeline_kafka."""
        self.execute("CREATE EXTENSION kafka_fdw")
        self.execute("SELECT kafka_add_broker(%s)", [broker.bootstrap])
        for name, value in self.settings.items():
            self.execute(f"ALTER DATABASE {self.name} SET {name} = {value}")

    def close_sessions(self):
        for session in self._sessions:
            session.close()

    def drop(self):
        self.close_sessions()
        with self.pg.connect() as session:
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
