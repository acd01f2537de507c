"""The commands that start servers: test/broker/kafka-broker and test/postgres/pg-cluster."""

import pathlib
import subprocess

TEST_FOLDER = pathlib.Path(__file__).resolve().parents[2]


def run(command, *arguments):
    """Runs a command of the test folder and returns the name=value lines that it prints."""
    return dict(line.split("=", 1) for line in output(command, *arguments).splitlines())


def output(command, *arguments):
    """Runs a command of the test folder and returns what it prints."""
    result = subprocess.run([TEST_FOLDER / command, *map(str, arguments)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{command} {arguments[0]} failed:\n{result.stderr}")
    return result.stdout.strip()


def set_arguments(settings):
    return [argument for name, value in (settings or {}).items() for argument in ("--set", f"{name}={value}")]


class LogFile:
    """A server's log, of which a test sees the part written while it ran."""

    def __init__(self, path):
        self._path, self._start = pathlib.Path(path), 0

    def mark(self):
        """Makes read() start here."""
        self._start = self._path.stat().st_size if self._path.exists() else 0

    def read(self):
        if not self._path.exists():
            return ""
        with open(self._path, "rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")

    def tail(self, lines=60):
        return "\n".join(self.read().splitlines()[-lines:])
