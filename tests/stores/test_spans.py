"""What everybody used in some spans: added up by the database, in either one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import NOON

from fairuse.rules.windows import Span
from fairuse.stores.rows import Batch, UsageKey
from fairuse.stores.spans import AT_ONCE, used_in_spans

if TYPE_CHECKING:
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

HOUR = 3_600
START = int(NOON)
FIRST, SECOND, LATE = (
    Span(START + a * HOUR, START + b * HOUR) for a, b in ((0, 2), (2, 4), (1, 4))
)


async def _sums(
    ledger: Ledger, *spans: Span, by_location: bool = False
) -> dict[tuple[str, str], list[int]]:
    found = used_in_spans(ledger, "calls", spans, by_location=by_location)
    return {
        (used.account, used.location): [used.within(span) for span in spans] async for used in found
    }


def _use(
    account: str, location: str, hour: int, units: int, meter: str = "calls"
) -> tuple[UsageKey, int]:
    return UsageKey(account, location, meter, START + hour * HOUR), units


async def test_use_is_added_up_by_span(ledger: Ledger) -> None:
    """A02: each span has what was used in it, its end not included; spans may overlap."""
    rows = [
        _use("anna", "west", 0, 1),
        _use("anna", "west", 1, 10),
        _use("anna", "east", 1, 100),
        _use("anna", "", 3, 1_000),
        _use("bert", "west", 2, 7),
        _use("anna", "west", 4, 9_999),  # the hour after the last span
        _use("anna", "west", -1, 9_999),
        _use("anna", "west", 1, 9_999, "minutes"),
    ]
    await ledger.write(Batch(usage=rows))
    assert await _sums(ledger, FIRST, SECOND, LATE) == {
        ("anna", ""): [111, 1_000, 1_110],
        ("bert", ""): [0, 7, 7],
    }
    assert await _sums(ledger, FIRST, by_location=True) == {
        ("anna", "west"): [11],
        ("anna", "east"): [100],
    }


async def test_as_many_accounts_as_there_are_come_in_parts(ledger: Ledger) -> None:
    """A02: more accounts than are fetched at once all come, each once."""
    count = 2 * AT_ONCE + 1
    rows = [_use(f"a{number}", "", 0, number + 1) for number in range(count)]
    await ledger.write(Batch(usage=rows))
    found = await _sums(ledger, FIRST)
    assert len(found) == count
    assert found["a2000", ""] == [2_001]


async def test_an_empty_ledger_has_nobody(ledger: Ledger) -> None:
    """A02: who used nothing is left out."""
    assert await _sums(ledger, FIRST) == {}
