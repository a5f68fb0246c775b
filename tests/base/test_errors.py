"""The errors say what is wrong, and where."""

from __future__ import annotations

import pytest

from fairuse.base import errors
from fairuse.base.errors import ConfigurationError, Finding

STATUSES = {
    "UpstreamUnreachable": (502, "upstream-unreachable"),
    "UpstreamBroken": (502, "upstream-broken"),
    "UpstreamBusy": (503, "upstream-busy"),
    "UpstreamTimeout": (504, "upstream-timeout"),
}


def test_a_finding_names_file_key_and_reason() -> None:
    """A finding is one line, and has no empty part where the whole file is wrong."""
    assert str(Finding("a.toml", "listen.port", "too high")) == "a.toml: listen.port: too high"
    assert str(Finding("a.toml", "", "not there")) == "a.toml: not there"


def test_a_configuration_error_says_everything() -> None:
    """A configuration error has one line for each finding."""
    error = ConfigurationError([Finding("a", "b", "c"), Finding("d", "", "e")])
    assert str(error).splitlines() == ["a: b: c", "d: e"]


@pytest.mark.parametrize(("name", "expected"), STATUSES.items(), ids=STATUSES)
def test_an_upstream_error_has_its_status(name: str, expected: tuple[int, str]) -> None:
    """HTTP-48 (the mapping): each of the upstream's faults has a status and a kind of its own."""
    error = getattr(errors, name)
    assert (error.status, error.kind) == expected
