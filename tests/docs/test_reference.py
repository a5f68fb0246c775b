"""The reference knows every key and every metric, and the promises name tests that exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from tests.support import REPOSITORY
from typer.main import get_command

from fairuse.base import metrics
from fairuse.entry.cli import app
from fairuse.rules.policy import Policy
from fairuse.rules.promises import PROMISES
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_PAGES = ("configuration", "operating")
REFERENCE = (REPOSITORY / "docs/configuration.md").read_text()


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Give every key of a model and of the models inside it."""
    for name, field in model.model_fields.items():
        inner = list(models(field.annotation))
        if not inner:
            yield field.alias or name
        for found in inner:
            yield from keys(found)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give the models inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


@pytest.mark.parametrize("model", [Settings, Policy, Tenant])
def test_every_key_is_in_the_reference(model: type[BaseModel]) -> None:
    """No key of the configuration is left undescribed."""
    first_cells = re.findall(r"^\| (.*?) \|", REFERENCE, re.MULTILINE)
    described = {key for cell in first_cells for key in re.findall(r"`(.*?)`", cell)}
    last_parts = {key.split(".")[-1] for key in described}
    assert {key for key in keys(model) if key not in last_parts} == set()


def test_every_metric_is_described() -> None:
    """No metric is left undescribed, and none is described that is not there."""
    measured = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    families = [family for each in measured for family in each.describe()]
    names = {each.name + "_total" * (each.type == "counter") for each in families}
    operating = (REPOSITORY / "docs/operating.md").read_text()
    assert names == set(re.findall(r"^\| `(fairuse_\w+)` \|", operating, re.MULTILINE))


def test_the_proofs_exist() -> None:
    """Every test and every module that the promises point to is there."""
    page = (REPOSITORY / "docs/promises.md").read_text()
    tests = re.findall(r"`(tests/[^`]*)`", page)
    modules = re.findall(r"`((?:rules|stages|stores)/[^`]*)`", page)
    assert tests
    assert modules
    named = [*tests, *(f"src/fairuse/{module}" for module in modules)]
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_promise_is_on_the_page() -> None:
    """Each promise has its row, with where it is held and what proves it."""
    page = (REPOSITORY / "docs/promises.md").read_text()
    rows = [row.split(" | ") for row in page.splitlines() if re.match(r"\| P[0-9]+ \|", row)]
    assert [row[0].removeprefix("| ") for row in rows] == [*PROMISES]
    assert all(len(row) == 4 and "`" in row[2] and "`tests/" in row[3] for row in rows)


def test_every_command_is_described() -> None:
    """The operator's commands and the others are in the docs, each by its name."""
    pages = "".join((REPOSITORY / f"docs/{name}.md").read_text() for name in COMMAND_PAGES)
    first_cells = re.findall(r"^\| `fairuse ([a-z]+)", pages, re.MULTILINE)
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group has them
    assert {*commands} == {*first_cells, "demo"}  # the README shows the demo
