"""F-44: names that are made up leave the memory flat, and nobody's own count is forgotten."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.stores.cardinality import KEPT
from tests.support import REPOSITORY

MEBIBYTE = 2**20


def test_made_up_names_leave_memory_flat() -> None:
    """F-44: ten times as many names take no more; whoever is at a limit stays refused."""
    command = [sys.executable, "-m", "tests.stores.cardinality", "200000"]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout)
    assert report["refused_still"] == KEPT
    # Remembered, 180,000 names would take some 150 MiB.
    assert report["after"] - report["before"] < 32 * MEBIBYTE
