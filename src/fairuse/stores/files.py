"""Reads one TOML file into a model, and says exactly what is wrong with it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from fairuse.base.errors import Finding
from fairuse.rules.nearest import suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

MAX_FILE_BYTES = 1_000_000

M = TypeVar("M", bound=BaseModel)


def read_model(path: Path, name: str, model: type[M]) -> M | list[Finding]:
    """Give the model, or everything that is wrong; `name` is how findings name the file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            return [Finding(name, "", f"is larger than {MAX_FILE_BYTES} bytes")]
        table = tomllib.loads(data.decode())
    except OSError as error:
        return [Finding(name, "", f"can't be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return [Finding(name, "", f"is not UTF-8 (byte {error.start})")]
    except tomllib.TOMLDecodeError as error:
        return [Finding(name, "", f"is no TOML: {error}")]
    try:
        return model.model_validate(table)
    except ValidationError as error:
        return [_finding(name, model, details) for details in error.errors()]


def _finding(name: str, model: type[BaseModel], details: ErrorDetails) -> Finding:
    location = [str(part) for part in details["loc"] if part != "[key]"]
    return Finding(name, ".".join(location), _message(model, location, details))


def _message(model: type[BaseModel], location: list[str], details: ErrorDetails) -> str:
    match details["type"]:
        case "extra_forbidden":
            return "unknown key" + suggestion(location[-1], _keys(model, location[:-1]))
        case "missing":
            return "is missing"
        case "value_error":
            return str(details["ctx"]["error"])
        case "literal_error":
            near = suggestion(str(details["input"]), _words(details))
            return f"{details['input']!r} must be {details['ctx']['expected']}{near}"
    return f"{details['msg'][0].lower()}{details['msg'][1:]} (found {details['input']!r:.60})"


def _words(details: ErrorDetails) -> list[str]:
    expected: str = details["ctx"]["expected"]
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """Give the keys that a table of the file may have."""
    known: Any = model
    for part in location:
        if isinstance(known, type) and issubclass(known, BaseModel):
            known = _field_types(known).get(part)
        else:
            known = _inner_model(known)
    found = known if isinstance(known, type) else _inner_model(known)
    return list(_field_types(found)) if found is not None else []


def _field_types(model: type[BaseModel]) -> dict[str, Any]:
    return {
        field.alias or name: _inner_model(field.annotation) or field.annotation
        if not _is_table_of_tables(field.annotation)
        else field.annotation
        for name, field in model.model_fields.items()
    }


def _is_table_of_tables(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Give the model inside `Model`, `Model | None` or `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if found := _inner_model(inner):
            return found
    return None
