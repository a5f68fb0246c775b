"""The reference knows every key and every metric, and the promises name tests that exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from tests.support import REPOSITORY

from fairuse.base import metrics
from fairuse.rules.policy import Policy
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Every test that the promises point to is there."""
    named = re.findall(r"`(tests/[^`]*)`", (REPOSITORY / "docs/promises.md").read_text())
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []
