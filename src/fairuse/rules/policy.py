"""A fair-use policy, as its file says it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, Self

from limits import parse_many
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    field_validator,
    model_validator,
)

from fairuse.base.texts import LANGUAGES
from fairuse.rules.amounts import parse_amount
from fairuse.rules.durations import parse_duration
from fairuse.rules.emergency import Emergency, Overloads
from fairuse.rules.expression import Expression
from fairuse.rules.grammar import WORDS
from fairuse.rules.meters import FixedAmount, Meter
from fairuse.rules.model import Model, Name, Seconds, written
from fairuse.rules.nearest import suggestion
from fairuse.rules.process import Ladder
from fairuse.rules.reach import FEW, Share
from fairuse.rules.tariffs import PriceList
from fairuse.rules.versions import Version
from fairuse.rules.windows import Always, Calendar, Rolling, Window, parse_window

DAY = 86_400
SCOPE_PARTS = ("account", "location", "user", "address")

Scope = tuple[str, ...]
"""What a limit is counted by, besides the account it always belongs to."""

Over = Literal["refuse", "deny user", "case", "charge", "signal"]
"""What happens over a limit; exactly one thing (E31)."""

REFUSING: frozenset[Over] = frozenset({"refuse", "deny user"})

_RATE = re.compile(r"[0-9]+ */ *(?:[1-9][0-9]* *)?[A-Za-z]+")
_REPETITION = re.compile(r"([0-9]{1,6}) refusals? in (.+)")
_BREACHES = re.compile(r"([0-9]{1,3}) breach(?:es)? in ([0-9]{1,3}) months?")


class Repetition(NamedTuple):
    """So many refusals within so many seconds."""

    refusals: int
    seconds: int


class Breaches(NamedTuple):
    """So many breaches within so many calendar months, the current one included (B25, E32)."""

    breaches: int
    months: int


def _scope(value: object) -> Scope:
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    if not parts:
        raise ValueError(f'{value!r} is no scope; write it like "account, address"')
    for part in parts:
        if part not in SCOPE_PARTS:
            near = suggestion(part, SCOPE_PARTS)
            raise ValueError(f'"{part}" is no scope (one of {", ".join(SCOPE_PARTS)}){near}')
    return tuple(part for part in SCOPE_PARTS[1:] if part in parts)


def _window(value: object) -> Window:
    if isinstance(value, Rolling | Calendar | Always):
        return value
    return parse_window(str(value))


def _repetition(value: object) -> Repetition:
    found = _REPETITION.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError(f'{value!r} must be written like "3 refusals in 5 minutes"')
    return Repetition(int(found[1]), parse_duration(found[2]))


def _breaches(value: object) -> Breaches:
    found = _BREACHES.fullmatch(value) if isinstance(value, str) else None
    if not found or 0 in (int(found[1]), int(found[2])):
        raise ValueError(f'{value!r} must be written like "3 breaches in 6 months"')
    return Breaches(int(found[1]), int(found[2]))


def _free(text: str) -> str:
    if text in WORDS:
        raise ValueError(f'"{text}" is a word of the language of amounts; take another name')
    return text


FreeName = Annotated[Name, AfterValidator(_free)]
BreachCount = Annotated[Breaches, BeforeValidator(_breaches), written("3 breaches in 6 months")]


class Applies(Model):
    """Whose contracts the policy is for: by date (A01), by package (C03)."""

    contracts_from: date | None = None
    packages: list[Name] | None = None


class Package(Model):
    """Something a customer can buy, and the figures that belong to it (E08)."""

    title: str = Field(min_length=1)
    sold_by: Name | None = None
    figures: dict[FreeName, FixedAmount] = Field(default_factory=dict)


class Then(Model):
    """What follows when a hard limit keeps refusing: a block, for a time that grows (A29)."""

    after: Annotated[Repetition, BeforeValidator(_repetition), written("3 refusals in 5 minutes")]
    block: Literal["address", "account, address"]
    for_: Seconds = Field(alias="for")
    at_most: Seconds = DAY

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.at_most < self.for_:
            raise ValueError("at_most must not be shorter than for")
        return self


def _rates_have_a_window(schema: dict[str, Any]) -> None:
    schema["required"].remove("window")


StoreAway = Literal["open-local", "last-known", "closed"]
"""How a limit decides while the store of counters can't be asked; the one in memory always can."""


class Limit(Model):
    """At most `amount` units of a meter per window and scope, and what happens when over."""

    model_config = ConfigDict(json_schema_extra=_rates_have_a_window)

    meter: Name
    scope: Annotated[Scope, BeforeValidator(_scope), written("account, address")] = ()
    amount: Annotated[
        InstanceOf[Expression],
        BeforeValidator(parse_amount),
        written("1250 * users", or_number=True),
    ]
    window: Annotated[Window, BeforeValidator(_window), written("calendar month")]
    over: Over
    tariff: Name | None = None
    case_after: BreachCount | None = None
    then: Then | None = None
    store_away: StoreAway = "last-known"

    @property
    def hard(self) -> bool:
        """Say whether it refuses."""
        return self.over in REFUSING

    @model_validator(mode="before")
    @classmethod
    def _split_a_rate(cls, table: Any) -> Any:
        """Take "100/minute" for an amount and a window, in the notation of `limits`."""
        rate = table.get("amount") if isinstance(table, dict) else None
        if not isinstance(rate, str) or not _RATE.fullmatch(rate):
            return table
        if "window" in table:
            raise ValueError(f'"{rate}" has a window in it already; leave window out')
        return {**table, **_rate(rate)}

    @model_validator(mode="after")
    def _keys_fit_what_happens(self) -> Self:
        if self.then and not self.hard:
            raise ValueError('"then" follows refusals, so it needs over = "refuse"')
        if self.over == "charge" and self.tariff is None:
            raise ValueError('over = "charge" needs a tariff: the name of a price')
        if self.tariff is not None and self.over != "charge":
            raise ValueError('a tariff needs over = "charge"')
        if self.case_after and (self.over != "case" or not isinstance(self.window, Calendar)):
            raise ValueError('case_after needs over = "case" and a calendar window')
        return self


def _rate(text: str) -> dict[str, str]:
    try:
        [rate] = parse_many(text)
    except ValueError:
        raise ValueError(f'"{text}" is no rate; write it like "100/minute"') from None
    name = rate.GRANULARITY.name
    if name in {"month", "year"}:
        wanted = f'window = "calendar {name}"'
        raise ValueError(f'"{text}" leaves open when a {name} begins; write {wanted}')
    several = "s" if rate.multiples > 1 else ""
    return {"amount": str(rate.amount), "window": f"{rate.multiples} {name}{several}"}


class Policy(Model):
    """A fair-use policy: what is counted, how much of it is agreed, and what happens over it."""

    title: str = Field(min_length=1)
    version: Version | None = None
    expected_share: Share = FEW
    applies: Applies = Applies()
    counts: dict[FreeName, str] = Field(default_factory=dict)
    packages: dict[Name, Package] = Field(default_factory=dict)
    meters: dict[Name, Meter] = Field(min_length=1)
    limits: dict[FreeName, Limit] = Field(min_length=1)
    case_after: BreachCount | None = None
    tariffs: dict[Name, PriceList] = Field(default_factory=dict)
    ladder: Ladder = Ladder()
    emergency: Emergency = Emergency()
    overload: Overloads | None = None
    words: dict[str, dict[str, str]] = Field(default_factory=dict)

    @field_validator("words")
    @classmethod
    def _languages_are_known(cls, words: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for language in words:
            if language not in LANGUAGES[1:]:
                raise ValueError(f'"{language}" is no language to translate to; write nl or de')
        return words

    @field_validator("counts")
    @classmethod
    def _counts_are_described(cls, counts: dict[str, str]) -> dict[str, str]:
        for name, label in counts.items():
            if not label.strip():
                raise ValueError(f'"{name}" needs words that say what it counts')
        return counts

    def word(self, text: str, language: str) -> str:
        """Give a word of the policy in a language, or as the policy has it."""
        if language == "en":
            return text
        return self.words.get(language, {}).get(text, text)
