"""Reads one TOML file into a model, and says exactly what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from fairuse.base.errors import Finding
from fairuse.rules.nearest import suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

MAX_FILE_BYTES = 1_000_000

M = TypeVar("M", bound=BaseModel)

_PLAIN = {"missing": "is missing", "too_short": "must hold at least one entry"}
_WANTED = {
    "list_type": 'must be a list, like ["..."]',
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "date_type": "must be a date without quotes, like 2026-11-10",
    "datetime_type": "must be a moment without quotes, like 2026-11-10T14:00:00+01:00",
}
_QUOTED = re.compile(r"'([^']*)'")


def read_model(path: Path, name: str, model: type[M]) -> M | list[Finding]:
    """Give the model, or everything that is wrong; `name` is how findings name the file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            return [Finding(name, "", f"is larger than {MAX_FILE_BYTES} bytes")]
        table = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        return [Finding(name, "", f"can't be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return [Finding(name, "", f"is not UTF-8 (byte {error.start})")]
    except (ValueError, RecursionError) as error:  # tomllib raises more than its own error
        return [Finding(name, "", f"is no TOML: {error}")]
    try:
        return model.model_validate(table)
    except ValidationError as error:
        return [_finding(name, model, details) for details in error.errors()]


def _finding(name: str, model: type[BaseModel], details: ErrorDetails) -> Finding:
    location = [str(part) for part in details["loc"]]
    if location[-1:] == ["[key]"]:
        # What stands there is no key: perhaps an API key somebody forgot to hash.
        location = location[:-2]
    return Finding(name, ".".join(location), _message(model, location, details))


def _message(model: type[BaseModel], location: list[str], details: ErrorDetails) -> str:
    match details["type"]:
        case "extra_forbidden":
            return "unknown key" + suggestion(location[-1], _keys(model, location[:-1]))
        case "value_error":
            return str(details["ctx"]["error"])
        case "literal_error":
            expected: str = details["ctx"]["expected"]
            near = suggestion(str(details["input"]), _QUOTED.findall(expected))
            return f"{details['input']!r} must be {expected}{near}"
    if plain := _PLAIN.get(details["type"]):
        return plain
    wanted = _WANTED.get(details["type"], f"{details['msg'][0].lower()}{details['msg'][1:]}")
    found = details["input"]
    return f"{wanted} (found {str(found) if isinstance(found, date) else repr(found):.60})"


def _keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """Give the keys that a table of the file may have."""
    table: Any = model
    for key in location:
        if get_origin(table) is Annotated:
            table = get_args(table)[0]
        entries = get_origin(table) in (dict, list)
        table = get_args(table)[-1] if entries else _fields(table).get(key)
    return list(_fields(table))


def _fields(table: Any) -> dict[str, Any]:
    """Give the keys of a model, or of the model in `Model | None`, with what may stand there."""
    for candidate in (table, *get_args(table)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            fields = candidate.model_fields.items()
            return {field.alias or name: field.annotation for name, field in fields}
    return {}
