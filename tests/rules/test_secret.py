"""Secrets in a settings file."""

from __future__ import annotations

from typing import Any

import pytest

from fairuse.rules.secret import Secret, parse_secret


def test_a_secret_is_text_or_a_variable() -> None:
    """F-53 (secrets): a file may hold the secret, or say where it stands."""
    assert parse_secret("s3cret").read({}) == "s3cret"
    assert parse_secret({"env": "THERE"}).read({"THERE": "s3cret"}) == "s3cret"


@pytest.mark.parametrize("environment", [{}, {"THERE": ""}], ids=str)
def test_a_variable_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    """F-53 (secrets): what is missing is the variable, and it is said which one."""
    with pytest.raises(LookupError, match="the environment variable THERE is not set"):
        parse_secret({"env": "THERE"}).read(environment)


@pytest.mark.parametrize(
    "value",
    [None, "", 5, ["s3cret"], {}, {"env": ""}, {"env": "s3 cret"}, {"env": "A", "text": "s3cret"}],
    ids=repr,
)
def test_what_is_no_secret_is_not_repeated(value: Any) -> None:
    """F-53 (secrets): whatever stands there may be meant as one."""
    with pytest.raises(ValueError, match="must be text, or name") as wrong:
        parse_secret(value)
    assert "cret" not in str(wrong.value)


def test_a_secret_is_not_shown() -> None:
    """F-53 (secrets): who shows the settings shows no secret."""
    assert repr(Secret(text="s3cret")) == "Secret(env='')"
