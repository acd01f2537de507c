"""CPU time of the processes that fill a table."""

import os
import pathlib
import resource

TICK = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat from the state on, which is number 3 there."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _of_process(pid, with_children=False):
    fields = _stat(pid)
    return sum(map(int, fields[11:15 if with_children else 13])) * TICK if fields else 0


def _children(pid):
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry.name)) and int(fields[1]) == pid:
            yield int(entry.name)


def seconds(postmaster, others=()):
    """So far: of PostgreSQL's processes, living and dead, of the processes that we started and that have ended, and of
    these others."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = _of_process(postmaster, with_children=True) + sum(map(_of_process, _children(postmaster)))
    return server + ended.ru_utime + ended.ru_stime + sum(map(_of_process, others))
