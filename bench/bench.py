"""Measures scans and consumers beside the alternatives: interleaved rounds, medians and ratios.

Usage: bench/run [--part scans|ingest] [--messages N] [--rounds N]. Raw figures go to bench/results/, one file a run.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/integration"))

import ingest  # noqa: E402
import scans  # noqa: E402
from input import PARTITIONS, Input  # noqa: E402
from support import Broker, Postgres  # noqa: E402

PARTS = {"scans": scans.Scans, "ingest": ingest.Ingest}
TARGETS = {"scans": scans.TARGETS, "ingest": ingest.TARGETS}
BROKER_OPTIONS = "-Xmx1g -XX:+UseSerialGC"
POSTGRES_SETTINGS = {"shared_preload_libraries": "kafka_fdw", "fsync": "on", "synchronous_commit": "on",
                     "shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "off", "jit": "off"}


class Bench:
    """What the contestants share: a database with the extension, the broker, the input."""

    def __init__(self, broker, postgres, folder, count):
        self.broker = broker
        self.build = scans.build_folder(os.environ["PG_CONFIG"])
        self.input = Input(broker, folder, count)
        self.db = postgres.create_database()
        self.db.use_broker(broker)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{model}, {cores} cores"


def report(figures, parts, bench, versions):
    medians = {name: statistics.median(times) for name, times in figures.items()}
    print(f"\n{bench.input.count:,} messages of {bench.input.bytes // bench.input.count} bytes over {PARTITIONS} "
          f"partitions; {versions}\n")
    print(f"{'':28} {'median s':>9} {'min':>8} {'max':>8} {'rows/s':>12}")
    for name, times in figures.items():
        print(f"{name:28} {medians[name]:9.4f} {min(times):8.4f} {max(times):8.4f} "
              f"{bench.input.count / medians[name]:12,.0f}")
    print()
    for part in parts:
        for one, other, relation, target in TARGETS[part]:
            print(f"{one} / {other}: {medians[one] / medians[other]:.3f} (target {relation} {target})")


def measure(contestants, rounds):
    figures = {name: [] for name in contestants}
    for number in range(-1, rounds):  # the first is a warm-up
        for name, contestant in contestants.items():
            seconds = contestant()
            if number >= 0:
                figures[name].append(seconds)
        print(f"round {number + 1} of {rounds}" + (" (warm-up)" if number < 0 else ""), flush=True)
    return figures


def run(arguments, parts):
    with tempfile.TemporaryDirectory(prefix="kafka_fdw-bench-") as name:
        broker, postgres = Broker(java_options=BROKER_OPTIONS), Postgres(POSTGRES_SETTINGS)
        try:
            bench = Bench(broker, postgres, pathlib.Path(name), arguments.messages)
            figures = {}
            for part in parts:
                figures |= measure(PARTS[part](bench).contestants(), arguments.rounds)
            versions = f"PostgreSQL {bench.db.value('SHOW server_version')}, {machine()}"
            report(figures, parts, bench, versions)
            bench.db.drop()
        finally:
            postgres.close()
            broker.close()
        return {"messages": arguments.messages, "input_sha256": bench.input.digest, "versions": versions,
                "settings": POSTGRES_SETTINGS, "broker": BROKER_OPTIONS, "seconds": figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--messages", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = run(arguments, [arguments.part] if arguments.part else list(PARTS))
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
    results = ROOT / "bench/results"
    results.mkdir(exist_ok=True)
    (results / f"{when}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
