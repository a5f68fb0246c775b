"""`fairuse check --schema`: what editors are told about the files is what the gateway accepts."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter
from tests.support import REPOSITORY
from typer.testing import CliRunner

from fairuse.entry.cli import app
from fairuse.entry.options import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydantic.fields import FieldInfo

Json = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
CONFIG = REPOSITORY / "config"
FILES = {
    "policy": sorted((CONFIG / "policies").glob("*.toml")),
    "tenant": sorted((CONFIG / "tenants").glob("*.toml")),
    "gateway": [CONFIG / "gateway.toml"],
}
SHIPPED = [(kind, path) for kind, paths in FILES.items() for path in paths]
MODELS = [(kind.value, model) for kind, model in SCHEMAS.items()]
ABOUT = {"$schema", "$defs", "title", "description", "default", "examples", "format"}
"""The words of a schema that say what is meant and refuse nothing."""
TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str | date),  # TOML's dates are text to a schema
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, known: value in known,
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "minProperties": lambda value, bound: len(value) >= bound,
    "required": lambda value, names: set(names) <= value.keys(),
}


def described(kind: str) -> Json:
    """Run the command, and read what it says."""
    result = CliRunner().invoke(app, ["check", "--schema", kind, "--config", str(CONFIG)])
    assert (result.exit_code, result.stderr) == (0, "")
    schema: Json = json.loads(result.stdout)
    return schema


def problems(schema: Json, value: Any, root: Json) -> Iterator[str]:
    """Say what a schema has against a value; a word of a schema that means nothing here fails."""
    rest = {word: said for word, said in schema.items() if word not in ABOUT}
    if reference := rest.pop("$ref", None):
        yield from problems(root["$defs"][reference.removeprefix("#/$defs/")], value, root)
    if choices := rest.pop("anyOf", None):
        found = [list(problems(choice, value, root)) for choice in choices]
        yield from [] if [] in found else found[0]
    types = rest.pop("type", [*TYPES])
    if not any(TYPES[name](value) for name in ([types] if isinstance(types, str) else types)):
        yield f"{value!r} is no {types}"
        return
    inner, others = rest.pop("properties", {}), rest.pop("additionalProperties", True)
    items = rest.pop("items", True)
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _part_problems(key, part, inner.get(key, others), root)
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from _part_problems(str(number), part, items, root)
    for word, bound in rest.items():
        if not BOUNDS[word](value, bound):
            yield f"{value!r} breaks {word} {bound}"


def _part_problems(key: str, part: Any, schema: Json | bool, root: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (f"{key}: {problem}" for problem in problems(schema, part, root))
    elif not schema:
        yield f"{key}: is no key"


def _nodes(schema: Any) -> Iterator[Json]:
    """Give each schema inside a schema, itself included."""
    yield schema
    for word, inner in schema.items():
        if word in {"properties", "$defs"}:
            for part in inner.values():
                yield from _nodes(part)
        elif word == "anyOf":
            for part in inner:
                yield from _nodes(part)
        elif word in {"items", "additionalProperties"} and isinstance(inner, dict):
            yield from _nodes(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for inner in get_args(annotation):
        yield from _models(inner)


def _table(root: Json, model: type[BaseModel]) -> Json:
    """Give what a schema says of a model: at the top, or among its definitions."""
    found: Json = root if root["title"] == model.__name__ else root["$defs"][model.__name__]
    return found


def _fields(kind: str, model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Json]]:
    """Give the keys of a kind of file: where they stand, what the model and the schema say."""
    root = described(kind)
    for each in dict.fromkeys(_models(model)):
        properties = _table(root, each)["properties"]
        for name, field in each.model_fields.items():
            key = field.alias or name
            yield f"{each.__name__}.{key}", field, properties[key]


def _accepts(field: FieldInfo, value: Any) -> bool:
    annotation: Any = field.annotation
    for check in field.metadata:
        annotation = Annotated[annotation, check]
    config = ConfigDict(arbitrary_types_allowed=True)
    TypeAdapter(list[annotation], config=config).validate_python([value])
    return True


@pytest.mark.parametrize(("kind", "model"), MODELS, ids=FILES)
def test_a_schema_knows_every_key(kind: str, model: type[BaseModel]) -> None:
    """Every table has all keys that the gateway reads, none besides them, and refuses others."""
    root = described(kind)
    models = dict.fromkeys(_models(model))
    assert {*root["$defs"], root["title"]} == {each.__name__ for each in models}
    for each in models:
        table = _table(root, each)
        keys = {field.alias or name for name, field in each.model_fields.items()}
        assert (table["type"], table["properties"].keys()) == ("object", keys)
        assert table["additionalProperties"] is False
        assert set(table.get("required", [])) <= keys


@pytest.mark.parametrize("kind", FILES)
def test_a_schema_is_of_the_draft_it_names(kind: str) -> None:
    """It is JSON Schema 2020-12: each of its words is one of the draft's, each reference ends."""
    root = described(kind)
    assert root["$schema"] == DRAFT
    known = {*ABOUT, *BOUNDS, "type", "properties", "additionalProperties", "items", "anyOf"}
    for node in _nodes(root):
        assert node.keys() <= {*known, "$ref"}
        assert set(node.get("required", [])) <= node.get("properties", {}).keys()
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in root["$defs"]
        if "type" in node:
            types = node["type"]
            assert {*([types] if isinstance(types, str) else types)} <= TYPES.keys()


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=[path.stem for _, path in SHIPPED])
def test_a_shipped_file_is_as_its_schema_says(kind: str, path: Path) -> None:
    """An editor underlines nothing in a file that the gateway takes."""
    root = described(kind)
    assert [*problems(root, tomllib.loads(path.read_text("utf-8")), root)] == []


WRONG = {
    "unknown key": ('title = "Fair', 'titel = "Fair', "titel: is no key"),
    "unknown key of a limit": ('amount = "60"', 'ammount = "60"', "ammount: is no key"),
    "a route that is no list": (
        'count = ["POST /locations/{location}/appointments"]\nwhen',
        'count = "POST /locations/{location}/appointments"\nwhen',
        "is no array",
    ),
    "a window that is a number": ('window = "1 minute"', "window = 60", "60 is no string"),
    "an amount that is no number": ('amount = "60"', "amount = true", "True is no "),
    "an unknown outcome": ('over   = "signal"', 'over   = "ignore"', "'ignore' breaks enum"),
}


@pytest.mark.parametrize(("good", "bad", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_underlined(good: str, bad: str, problem: str) -> None:
    """An editor sees a wrong key and a wrong kind of value, before `check` does."""
    text = (CONFIG / "policies/booking.toml").read_text("utf-8")
    assert good in text
    root = described("policy")
    found = [*problems(root, tomllib.loads(text.replace(good, bad, 1)), root)]
    assert any(problem in each for each in found)


@pytest.mark.parametrize("amount", ["5000", 5000, "100/minute"], ids=["text", "number", "rate"])
def test_an_amount_may_be_written_in_three_ways(amount: str | int) -> None:
    """An amount is text or a whole number; one that is a rate has its window in itself."""
    limit = {"meter": "appointments", "amount": amount, "over": "refuse"}
    window = {} if isinstance(amount, str) and "/" in amount else {"window": "1 minute"}
    root = described("policy")
    assert [*problems(root["$defs"]["Limit"], limit | window, root)] == []


TEXTS = {
    "policy": {
        "Limit.amount",
        "Limit.window",
        "Limit.scope",
        "Limit.case_after",
        "Then.after",
        "Then.for",
        "Meter.count",
        "Meter.shorter_than",
        "CohortAverage.over",
        "CohortAverage.otherwise",
        "Ageing.warn",
        "Package.figures",
    },
    "tenant": {"Tenant.timezone", "Override.amount", "Tariff.price"},
    "gateway": {"Settings.drain", "UnknownCallers.rate", "Upstream.connect_timeout", "Events.late"},
}
"""Keys whose value is text that is read into something else."""


@pytest.mark.parametrize(("kind", "model"), MODELS, ids=FILES)
def test_every_example_is_accepted(kind: str, model: type[BaseModel]) -> None:
    """Values that are written as text, such as windows, have an example, and it can be taken."""
    examples = {}
    for key, field, schema in _fields(kind, model):
        for node in _nodes(schema):
            if "examples" in node:
                assert "string" in node["type"]
                [examples[key]] = node["examples"]
                wrapped = [examples[key]] if schema.get("type") == "array" else examples[key]
                wrapped = {"any": wrapped} if schema.get("type") == "object" else wrapped
                assert _accepts(field, wrapped)
    assert TEXTS[kind] <= examples.keys()


@pytest.mark.parametrize(("kind", "model"), MODELS, ids=FILES)
def test_every_default_could_be_written(kind: str, model: type[BaseModel]) -> None:
    """A default that an editor offers is one that the file may say: no bare seconds, no null."""
    offered = {
        key: schema["default"] for key, _, schema in _fields(kind, model) if "default" in schema
    }
    root = described(kind)
    for key, field, schema in _fields(kind, model):
        if key in offered:
            assert [*problems(schema, offered[key], root)] == []
            assert _accepts(field, field.default)
    assert offered
    assert None not in offered.values()
