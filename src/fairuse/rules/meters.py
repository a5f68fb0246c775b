"""Meters: what is counted, in which unit, and where the number of units comes from."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, model_validator

from fairuse.rules.amounts import parse_amount
from fairuse.rules.durations import parse_months
from fairuse.rules.expression import Expression
from fairuse.rules.model import HeaderName, Model, Name, Seconds, written
from fairuse.rules.routes import Route

Measure = Literal[
    "requests",
    "bytes",
    "bytes in",
    "bytes out",
    "seconds open",
    "in flight",
    "gauge",
    "users",
    "locations",
    "addresses",
    "open items",
]
Kind = Literal["flow", "level", "members", "items"]

KINDS: dict[Measure, Kind] = {
    "requests": "flow",
    "bytes": "flow",
    "bytes in": "flow",
    "bytes out": "flow",
    "seconds open": "flow",
    "in flight": "level",
    "gauge": "level",
    "users": "members",
    "locations": "members",
    "addresses": "members",
    "open items": "items",
}
"""A flow is added up over a window, a level goes up and down, members are told apart."""

WHATEVER_THE_ANSWER: frozenset[Measure] = frozenset(
    {"bytes", "bytes in", "bytes out", "seconds open", "in flight"}
)
"""What was really used, also by a request that the API refused."""

GROWING = WHATEVER_THE_ANSWER - {"in flight"}
"""What a request takes more of for as long as it is open; the gateway sees it by itself."""

EVENT = "event "


class Source(NamedTuple):
    """What moves a meter: requests on a route, or usage events of a type."""

    route: Route | None
    event: str


def parse_source(text: str) -> Source:
    """Read "POST /documents" or "event call.ended". Raises ValueError."""
    if not text.startswith(EVENT):
        return Source(Route(text), "")
    name = text.removeprefix(EVENT)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name):
        raise ValueError(f'"{name}" is no type of event; write it like "event call.ended"')
    return Source(None, name)


def _sources(texts: list[str]) -> list[str]:
    for text in texts:
        parse_source(text)
    return texts


def _field(path: str) -> str:
    if not re.fullmatch(r"[^.\s]+(\.[^.\s]+)*", path):
        raise ValueError(f'"{path}" is no field; write it like "usage.total_tokens"')
    return path


def _amount(value: object) -> Expression:
    expression = parse_amount(value)
    if expression.fixed is None:
        raise ValueError(f'"{expression}" must be a number')
    return expression


Sources = Annotated[
    list[Annotated[str, Field(examples=["POST /documents"])]], AfterValidator(_sources)
]
FieldPath = Annotated[str, AfterValidator(_field)]
Months = Annotated[int, BeforeValidator(parse_months), written("12 months")]
FixedAmount = Annotated[
    InstanceOf[Expression], BeforeValidator(_amount), written("500 MB", or_number=True)
]


class Cost(Model):
    """Where the number of units stands, for requests and for usage events.

    What only the answer tells is reserved first (`reserve` units) and settled after.
    """

    response_header: HeaderName | None = None
    response_field: FieldPath | None = None
    request_header: HeaderName | None = None
    request_field: FieldPath | None = None
    event_field: FieldPath | None = None
    reserve: int = Field(default=1, ge=0, le=10**9)

    @property
    def asks_requests(self) -> bool:
        """Say whether a request or its answer tells the cost."""
        return self._places > 0

    @property
    def _places(self) -> int:
        places = (
            self.response_header,
            self.response_field,
            self.request_header,
            self.request_field,
        )
        return sum(place is not None for place in places)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self._places > 1:
            raise ValueError("a request's cost stands in one place; name one header or field")
        if self.reserve != 1 and not (self.response_header or self.response_field):
            raise ValueError("reserve is for costs that only the answer tells")
        if not self._places and self.event_field is None:
            raise ValueError("a cost stands somewhere; name a header or a field")
        return self


class CohortAverage(Model):
    """How `average` is worked out: over which accounts, how, and how often (B22, B23, C05, C07)."""

    cohort: Literal["package", "policy"] = "package"
    method: Literal["mean", "mean excluding self", "trimmed mean", "median"] = "mean"
    per: Name | None = None
    over: Months = 12
    refresh: Literal["yearly", "monthly", "manual"] = "yearly"
    at_least: int = Field(default=10, ge=2)
    otherwise: FixedAmount | None = None


class Ageing(Model):
    """What becomes of items that stay open: they count as finished on another meter (E29)."""

    after: Months
    into: Name
    by: Literal["item", "contract year"] = "item"
    warn: Months = 1


class Meter(Model):
    """Something that is counted."""

    unit: str = Field(min_length=1, max_length=64)
    units: str = Field(default="", max_length=64)
    decimals: int = Field(default=0, ge=0, le=6)
    measure: Measure = "requests"
    count: Annotated[Sources, Field(min_length=1)]
    release: Sources = Field(default_factory=list)
    when: Literal["2xx", "any"] | None = None
    cost: Cost | None = None
    shorter_than: Seconds | None = None
    longer_than: Seconds | None = None
    average: CohortAverage | None = None
    ageing: Ageing | None = None

    @property
    def kind(self) -> Kind:
        """Say how it is counted."""
        return KINDS[self.measure]

    @property
    def one(self) -> int:
        """Give how many counts make one unit: 100 with two decimals."""
        return int(10**self.decimals)

    @property
    def plural(self) -> str:
        """Give the word for several units."""
        return self.units or f"{self.unit}s"

    @property
    def whatever_the_answer(self) -> bool:
        """Say whether it counts also what the API refused."""
        return self.when == "any" or (self.when is None and self.measure in WHATEVER_THE_ANSWER)

    @model_validator(mode="after")
    def _keys_fit_the_measure(self) -> Self:
        for key, fits in _FITS.items():
            if getattr(self, key) and self.measure not in fits:
                wanted = " or ".join(f'"{measure}"' for measure in fits)
                raise ValueError(f"{key} needs measure = {wanted}")
        if self.cost and self.measure in GROWING and self.cost.asks_requests:
            raise ValueError(
                f'measure = "{self.measure}" is measured here; only events tell a cost'
            )
        if self.shorter_than and self.longer_than and self.shorter_than <= self.longer_than:
            raise ValueError("nothing is longer than longer_than and shorter than shorter_than")
        if self.measure == "gauge" and self.cost is None:
            raise ValueError('measure = "gauge" needs a cost that says where the level stands')
        if self.measure == "open items" and not self.release:
            raise ValueError('measure = "open items" needs release: what closes an item')
        return self

    @model_validator(mode="after")
    def _sources_fit_the_measure(self) -> Self:
        told = any(source.startswith(EVENT) for source in (*self.count, *self.release))
        for key in ("count", "release"):
            if len(getattr(self, key)) != len(set(getattr(self, key))):
                raise ValueError(f"{key} names the same twice")
        if told and self.measure == "in flight":
            raise ValueError("what is in flight is requests; no event tells it")
        if told and self.measure == "gauge" and not (self.cost and self.cost.event_field):
            raise ValueError("a gauge that events tell needs cost.event_field")
        return self


_FITS: dict[str, tuple[Measure, ...]] = {
    "cost": ("requests", "gauge", "open items", *sorted(GROWING)),
    "decimals": ("requests", "seconds open", "gauge", "open items"),
    "release": ("gauge", "open items"),
    "shorter_than": ("requests",),
    "longer_than": ("requests",),
    "average": ("requests", "bytes", "bytes in", "bytes out", "seconds open"),
    "ageing": ("open items",),
}
"""The measures for which each key of a meter means something."""
