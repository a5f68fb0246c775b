"""Ladders to climb: those of the policies that are shipped, and any other that `check` lets in."""

from __future__ import annotations

import tomllib
from typing import Any, get_args

from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support import REPOSITORY

from fairuse.rules.process import Action, Ladder, Step, Trigger

RULE = "pages"
OTHER = "another"
HARD = "burst"
TARIFF = "page"
AT_ALL = ("suspend", "degrade")
WITH_AN_AMOUNT = ("reduce", "throttle")


def shipped() -> dict[str, dict[str, Any]]:
    """Give the ladders of the shipped policies by name, as of a policy with the one limit RULE."""
    tables = {
        path.stem: tomllib.loads(path.read_text("utf-8")).get("ladder", {})
        for path in sorted((REPOSITORY / "config/policies").glob("*.toml"))
    }
    return {name: {**table, "steps": _steps(table)} for name, table in tables.items()}


def _steps(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Have every step be about RULE: only the first of several at one point would be taken."""
    return [_of_rule(step) for step in table.get("steps", ())]


def _of_rule(step: dict[str, Any]) -> dict[str, Any]:
    about = {"limits": [RULE], "limit": HARD, "amount": "30", "tariff": TARIFF}
    priced = {"tariff": TARIFF} if step["do"] == "charge" else {}
    return {name: about.get(name, value) for name, value in step.items()} | priced


def _is_step(table: dict[str, Any]) -> bool:
    try:
        Step.model_validate(table)
    except ValidationError:
        return False
    return True


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, Any]:
    """Give a step of any kind, also one that `check` refuses."""
    step: dict[str, Any] = {
        "on": draw(st.sampled_from(get_args(Trigger))),
        "do": draw(st.sampled_from(get_args(Action))),
        "approval": draw(st.sampled_from(("operator", "none"))),
    }
    if step["do"] == "charge":
        step |= {"tariff": TARIFF, "from": draw(st.sampled_from(("notice", "limit")))}
    if step["do"] == "switch tariff":
        step["tariff"] = TARIFF
    if step["do"] in AT_ALL:
        step["routes"] = ["GET /exports"]
    if step["do"] in WITH_AN_AMOUNT:
        step |= {"limit": HARD, "amount": "30"}
    for key, values in (
        ("until", ("under the limit", "window end", "7 days")),
        ("review", ("30 days",)),
        ("limits", ([RULE], [OTHER])),
    ):
        value = draw(st.none() | st.sampled_from(values))
        step |= {} if value is None else {key: value}
    return step


@st.composite
def _any(draw: st.DrawFn) -> dict[str, Any]:
    """Give a ladder with up to four steps, and an offer that goes with them."""
    steps = draw(st.lists(_tables().filter(_is_step), max_size=4))
    if draw(st.booleans()):
        steps.append({"on": "accepted", "do": "charge", "tariff": TARIFF, "approval": "none"})
    points = {step["on"] for step in steps}
    offer = draw(st.lists(st.sampled_from(("reduce", "extra capacity")), unique=True))
    if "accepted" in points:
        offer = ["accept charges", *offer]
    elif points & {"no answer", "declined"}:
        offer = offer or ["reduce"]
    return {
        "grace": draw(st.sampled_from(("1 hour", "14 days"))),
        "persists": draw(st.integers(1, 2)),
        "offer": offer,
        "steps": steps,
    }


TABLES = st.sampled_from([*shipped().values()]) | _any()
"""Any ladder that a policy may have, as its file says it."""
LADDERS = TABLES.map(Ladder.model_validate)
