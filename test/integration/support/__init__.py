"""What the tests run against: brokers, PostgreSQL servers, and waiting for them with a bound."""

from .broker import Broker
from .postgres import Database, Postgres
from .waiting import wait_for

__all__ = ["Broker", "Database", "Postgres", "wait_for"]
