"""The peak of this process's own memory, as Linux keeps it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

FORGET = "5"
"""What has Linux forget a process's peak, written to its clear_refs (proc(5))."""


def forget_peak() -> int:
    """Begin a new peak, and give what the process has now, in bytes."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(FORGET)
    return _status("VmRSS")


def peak() -> int:
    """Give the most that it had since then, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1_024
