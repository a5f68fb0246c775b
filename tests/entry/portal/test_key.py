"""The key of the links: needed at the start, looked at by `check`, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.portal.support import PORTAL, SECRET, portal_config
from tests.rules.support import SETTINGS, wrong
from tests.support import NOON, Recorder, mounted
from typer.testing import CliRunner

from fairuse.base.clock import ManualClock
from fairuse.base.errors import ConfigurationError
from fairuse.entry.cli import app
from fairuse.entry.portal.key import portal_of
from fairuse.rules.choices import Portal
from fairuse.rules.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

MISSING = (
    "gateway.toml: portal.secret_env: the environment variable FAIRUSE_SECRET is not set;"
    " it holds the key that signs the links"
)


def _settings(**portal: str) -> Settings:
    return Settings.model_validate({**SETTINGS, "portal": portal})


def test_the_key_is_read_from_the_environment() -> None:
    """A23: with an address and a key there is a portal; without an address none is needed."""
    assert portal_of(_settings(), {}) is None
    found = portal_of(_settings(url="https://a.example", secret_env="KEY"), {"KEY": SECRET})
    assert found == Portal("https://a.example", SECRET)
    assert SECRET not in repr(found)


SHORT = "x" * 31


@pytest.mark.parametrize(
    ("environment", "says"),
    [({}, "is not set"), ({"FAIRUSE_SECRET": SHORT}, "has fewer than 32 characters")],
    ids=["not set", "short"],
)
def test_a_missing_key_is_named(environment: dict[str, str], says: str) -> None:
    """F-22: what is wrong with the key is said without the key."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        portal_of(_settings(url="https://a.example"), environment)
    assert SHORT not in str(caught.value)


@pytest.mark.anyio
async def test_no_start_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A23: a gateway that could sign no links does not start, and says what is missing."""
    monkeypatch.delenv("FAIRUSE_SECRET")
    with pytest.raises(ConfigurationError) as caught:
        async with mounted(portal_config(tmp_path), Recorder(), ManualClock(NOON)):
            pass
    assert str(caught.value) == MISSING


def test_a_check_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A23: `check` runs where the key is not known, and warns that a start needs it."""
    config = str(portal_config(tmp_path))
    with_key = CliRunner().invoke(app, ["check", "--config", config])
    assert (with_key.exit_code, "FAIRUSE_SECRET" in with_key.stderr) == (0, False)
    monkeypatch.delenv("FAIRUSE_SECRET")
    without = CliRunner().invoke(app, ["check", "--config", config])
    assert without.exit_code == 0
    assert f"warning: {MISSING}" in without.stderr


URLS = [
    "usage.example",
    "ftp://usage.example",
    "https://",
    "https://a@b.example",
    "https://a?b",
    "x y",
]


@pytest.mark.parametrize("url", URLS)
def test_an_address_that_is_none(url: str) -> None:
    """F-27: customers could not reach what is no address of a gateway."""
    assert wrong(Settings, {**SETTINGS, "portal": {"url": url}})


def test_a_key_in_the_file_is_not_repeated() -> None:
    """F-22: who writes the key where its variable's name belongs does not see it in the log."""
    [said] = wrong(Settings, {**SETTINGS, "portal": {"secret_env": "s3cr3t-key!"}})
    assert said == (
        'portal.secret_env: is no name of an environment variable; write it like "FAIRUSE_SECRET"'
    )


def test_the_address_may_have_a_path() -> None:
    """A23: customers may reach the gateway below a path of another site."""
    assert PORTAL.count("https://usage.example/api") == 1
    assert _settings(url="https://usage.example/api/").portal.url == "https://usage.example/api"
