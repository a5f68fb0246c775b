"""What every benchmark gives: rows of figures, and how a table shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Options(NamedTuple):
    """What the command line asks of a benchmark."""

    seconds: int
    rounds: int
    only: str | None


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
