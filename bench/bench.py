"""Measures scans and consumers beside the alternatives: interleaved rounds, medians and ratios.

What was measured is printed, and kept in bench/results: the tables, and beside them the raw figures.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test/integration"), str(ROOT / "test/broker")]

import report  # noqa: E402
import rounds  # noqa: E402
import scans  # noqa: E402
from ingest import drain, steady  # noqa: E402
from input import Input  # noqa: E402
from support import Broker, Postgres  # noqa: E402
from support.secured import free_ports  # noqa: E402

PARTS = ("scans", "drain", "steady")
INGEST = "ingest"  # both of the last
BROKER_OPTIONS = "-Xmx1g -XX:+UseSerialGC"
POSTGRES_SETTINGS = {"shared_preload_libraries": "kafka_fdw", "fsync": "on", "synchronous_commit": "on",
                     "shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "off", "jit": "off"}


class Bench:
    """What the contestants share: a database with the extension, the broker, the input."""

    def __init__(self, broker, server, port, folder, count, topics):
        self.broker, self.server = broker, server
        self.build = build_folder(os.environ["PG_CONFIG"])
        self.input = Input(broker, folder, count, topics)
        self.db = server.create_database()
        self.db.use_broker(broker)
        #: How others connect: libpq, and JDBC, which knows no Unix sockets.
        host = self.db.connect().info.host
        self.conninfo = f"host={host} port={port} user={server.user} dbname={self.db.name}"
        self.address, self.user = f"127.0.0.1:{port}", server.user
        self.psql = [psql(os.environ["PG_CONFIG"]), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo]


def pg_config(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def build_folder(program):
    major = "".join(c for c in pg_config(program, "--version").split()[1].split(".")[0] if c.isdigit())
    return ROOT / f"build/release-pg{major}"


def psql(program):
    return pathlib.Path(pg_config(program, "--bindir")) / "psql"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory} GiB"


def names_known(parts):
    known = {"scans": scans.CONTESTANTS, "drain": drain.CONTESTANTS, "steady": steady.CONTESTANTS}
    return [name for part in parts for name in known[part]]


def topics_needed(parts, chosen):
    needed = set()
    if "scans" in parts:
        needed |= {"rows", "one"}
    if {"drain", "steady"} & set(parts):
        needed |= drain.topics(chosen)
    return sorted(needed)


def measure(bench, arguments):
    """{part: figures}, and what to print of them."""
    found, texts, chosen = {}, [], arguments.contestants

    def take(name, part):
        found[name] = part.measure(arguments.rounds)
        texts.append(part.report(found[name]))

    if "scans" in arguments.parts:
        take("scans", scans.Scans(bench, chosen))
    if "drain" in arguments.parts:
        take("drain", drain.Drain(bench, chosen))
    if "steady" in arguments.parts:
        rates = {}
        if steady.HALF in arguments.rates:
            drained = found.get("drain") or drain.Drain(bench, list(rounds.choose(steady.CONTESTANTS, chosen))).measure(1)
            rates = {name: bench.input.count / seconds for name, seconds in report.medians(drained, "seconds").items()}
        take("steady", steady.Steady(bench, chosen, arguments.rates, arguments.seconds, rates))
    return found, "\n\n".join(texts)


def run(arguments):
    with tempfile.TemporaryDirectory(prefix="kafka_fdw-bench-") as folder:
        (port,) = free_ports(1)
        settings = POSTGRES_SETTINGS | {"listen_addresses": "127.0.0.1", "port": port}
        broker, server = Broker(java_options=BROKER_OPTIONS), Postgres(settings)
        try:
            bench = Bench(broker, server, port, pathlib.Path(folder), arguments.messages,
                          topics_needed(arguments.parts, arguments.contestants))
            found, text = measure(bench, arguments)
            versions = f"PostgreSQL {bench.db.value('SHOW server_version')}, {machine()}"
            heading = (f"{arguments.messages:,} messages of {bench.input.bytes // arguments.messages} bytes, "
                       f"{arguments.rounds} rounds; {versions}")
            bench.db.drop()
        finally:
            server.close()
            broker.close()
    return {"command": shlex.join(["bench/run", *sys.argv[1:]]), "messages": arguments.messages,
            "input_sha256": bench.input.digest, "versions": versions, "settings": POSTGRES_SETTINGS, "broker": BROKER_OPTIONS,
            "figures": found}, f"{heading}\n\n{text}\n"


def words(text):
    return [word.strip() for word in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=words, default=["scans", INGEST], help=f"of {', '.join((*PARTS, INGEST))}")
    parser.add_argument("--contestants", type=words, help="only these")
    parser.add_argument("--messages", type=int, default=3_000_000, help="in a topic")
    parser.add_argument("--rounds", type=int, default=5, help="after a warm-up")
    parser.add_argument("--rates", type=words, default=["1000", "10000", steady.HALF], help="of steady loads, messages a second")
    parser.add_argument("--seconds", type=int, default=20, help="of each steady load")
    arguments = parser.parse_args()
    arguments.parts = [part for part in PARTS if part in arguments.parts or INGEST in arguments.parts and part != "scans"]
    known = names_known(arguments.parts)
    if unknown := set(arguments.contestants or known) - set(known):
        parser.error(f"no contestant {', '.join(unknown)}; there are {', '.join(dict.fromkeys(known))}")
    return arguments


def main():
    found, text = run(parse_arguments())
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
    results = ROOT / "bench/results"
    results.mkdir(exist_ok=True)
    (results / f"{when}.json").write_text(json.dumps(found, indent=1) + "\n")
    (results / f"{when}.txt").write_text(text)
    print(f"\n{text}\nkept in bench/results/{when}.txt and .json")


if __name__ == "__main__":
    main()
