"""Secrets in a settings file: the text itself, or the environment variable that holds it.

Whatever is wrong with one is said without repeating it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as the file gives it: `text`, or `env`, the name of a variable."""

    text: str = field(default="", repr=False)
    env: str = ""

    def read(self, environment: Mapping[str, str]) -> str:
        """Give the text. Raises LookupError, which names the variable, where there is none."""
        text = environment.get(self.env, "") if self.env else self.text
        if not text:
            raise LookupError(f"the environment variable {self.env} is not set")
        return text


def parse_secret(value: object) -> Secret:
    """Read a secret. Raises ValueError, which does not repeat what was written."""
    match value:
        case str() if value:
            return Secret(text=value)
        case {"env": str(name), **others} if not others and _VARIABLE.fullmatch(name):
            return Secret(env=name)
    raise ValueError(
        'must be text, or name the environment variable that holds it: { env = "FAIRUSE_MAIL" }'
    )


SecretText = Annotated[
    InstanceOf[Secret],
    BeforeValidator(parse_secret),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"env": {"type": "string"}},
                    "required": ["env"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
