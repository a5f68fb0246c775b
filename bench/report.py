"""What every benchmark is asked and gives: rows of figures, and how a table shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Options(NamedTuple):
    """What the command line asks of a benchmark; without `keys` it takes its own number of them."""

    seconds: int
    rounds: int
    only: str | None = None
    keys: int | None = None


class Column(NamedTuple):
    """A column of the table: which field of a row, under which heading, written how."""

    field: str
    heading: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one benchmark; a row may hold more fields than the table shows."""

    title: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, object]]


def chosen(only: str | None, names: Iterable[str], bases: Iterable[str]) -> list[str]:
    """Give the names to measure: all, or one beside what it is compared with. Raises CannotRun."""
    known = [*names]
    if only is None:
        return known
    if only not in known:
        raise CannotRun(f'there is no "{only}" to measure; one of: {"; ".join(known)}')
    return [name for name in known if name == only or name in bases]
