"""Fixtures: the loop of the standard library, and the one that servers use."""

from __future__ import annotations

import pytest


@pytest.fixture(
    params=[("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run each test on both loops: they call a protocol in different orders."""
    return request.param
