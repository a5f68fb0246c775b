"""Fixtures: the key of the links, and a case that waits for a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.portal.support import SECRET, asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.entry.portal.support import Asked

    from fairuse.base.clock import ManualClock


@pytest.fixture(autouse=True)
def key_of_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the key that signs the links."""
    monkeypatch.setenv("FAIRUSE_SECRET", SECRET)


@pytest.fixture
def choosing(tmp_path: Path, clock: ManualClock) -> Iterator[Asked]:
    """Run a gateway whose customer is asked to choose."""
    with asked(tmp_path, clock) as found:
        yield found
