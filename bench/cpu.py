"""Cores and CPU time (Linux only): who runs where, and what a server's processes have used."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cores(NamedTuple):
    """The core of the measured server, and the one of everything else."""

    server: int
    load: int


class Usage(NamedTuple):
    """One process: its parent, and the CPU seconds it has used."""

    parent: int
    seconds: float


def cores() -> Cores:
    """Give the two cores to use. Raises CannotRun where there are none."""
    if sys.platform != "linux":
        raise CannotRun("the benchmarks need Linux: they pin processes and read /proc")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise CannotRun("the benchmarks need two cores: one for the server, one for the load")
    return Cores(*usable[:2])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Have the processes that are started in this block run on one core, from their first line."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Give the CPU seconds, user and system, of a process and all that descend from it."""
    usages = _usages()
    children = defaultdict(list)
    for child, usage in usages.items():
        children[usage.parent].append(child)
    seconds, family = 0.0, [pid]
    while family:
        member = family.pop()
        seconds += usages[member].seconds
        family += children[member]
    return seconds


def parse_stat(line: str) -> Usage:
    """Read a line of /proc/PID/stat (see proc(5))."""
    # The second field is the program's name in brackets, and may hold spaces and brackets itself.
    fields = line.rpartition(")")[2].split()
    parent, user, system = (int(fields[number - 3]) for number in (4, 14, 15))
    return Usage(parent, (user + system) / os.sysconf("SC_CLK_TCK"))


def _usages() -> dict[int, Usage]:
    usages = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
            usages[int(folder.name)] = parse_stat((folder / "stat").read_text())
    return usages
