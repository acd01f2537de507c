"""What is fetched or made once, and kept in ${KAFKA_FDW_CACHE:-~/.cache/kafka_fdw}."""

import fcntl
import os
import pathlib
import subprocess
import tempfile


class Failure(Exception):
    """Something to tell the caller in one line."""


def run(command, what):
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is needed for {what}, and is not installed") from None
    if result.returncode != 0:
        raise Failure(f"{what} failed:\n{result.stdout.decode(errors='replace')}")


def kept(name, make):
    """The folder of that name, made by make(path) if it is not there: callers at one moment wait for the first of them."""
    cache = pathlib.Path(os.environ.get("KAFKA_FDW_CACHE") or pathlib.Path.home() / ".cache" / "kafka_fdw")
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix="make-") as temporary:
                made = pathlib.Path(temporary) / name
                make(made)
                made.rename(folder)
    return folder
