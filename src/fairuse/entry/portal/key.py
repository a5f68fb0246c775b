"""The key that signs the links of notices: read from the environment, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.errors import ConfigurationError, Finding
from fairuse.rules.choices import Portal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.settings import Settings
    from fairuse.stores.configuration import Configuration

SHORTEST = 32
"""Characters of a key: fewer could be found out by trying."""


def portal_of(settings: Settings, environment: Mapping[str, str]) -> Portal | None:
    """Give the portal, or None where the settings name no address of it.

    Raises ConfigurationError, which does not repeat the key, where there is none or it is short.
    """
    if settings.portal.url is None:
        return None
    if wrong := portal_problem(settings, environment):
        raise ConfigurationError([wrong])
    return Portal(settings.portal.url, environment[settings.portal.secret_env])


def key_warnings(configuration: Configuration, environment: Mapping[str, str]) -> list[Finding]:
    """Give what `check` says of the key: where files are checked nobody has to know it."""
    try:
        wrong = portal_problem(configuration.current.settings, environment)
    except ConfigurationError:  # the findings say what is wrong with the settings
        return []
    return [] if wrong is None else [wrong]


def portal_problem(settings: Settings, environment: Mapping[str, str]) -> Finding | None:
    """Say what keeps a gateway with these settings from starting in this environment."""
    name = settings.portal.secret_env
    key = environment.get(name, "")
    if settings.portal.url is None or len(key) >= SHORTEST:
        return None
    fault = f"has fewer than {SHORTEST} characters" if key else "is not set"
    message = f"the environment variable {name} {fault}; it holds the key that signs the links"
    return Finding("gateway.toml", "portal.secret_env", message)
