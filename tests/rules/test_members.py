"""Members: how many different ones a window saw, each counted once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.base.clock import ManualClock
from fairuse.rules import members
from fairuse.rules.members import MembersTally
from fairuse.rules.tally import Slot, TallyKey
from fairuse.rules.windows import Span

if TYPE_CHECKING:
    import pytest

KEY = TallyKey("salon-anna", "active-users", "calendar day", ())
DAY = 86_400
LATE = 3 * DAY
NOON = 10.5 * DAY


def _span(moment: float) -> Span:
    first = int(moment // DAY) * DAY
    return Span(first, first + DAY)


def _let_in(tally: MembersTally, member: str, clock: ManualClock, *, endless: bool = False) -> Slot:
    now = clock.now()
    tally.expire(now)
    return tally.take(1, now, None if endless else _span(now.wall), member)


def _see(tally: MembersTally, names: str, clock: ManualClock, *, endless: bool = False) -> Slot:
    """Let members in, one letter each, all of whom are accepted."""
    for member in names:
        tally.settle(_let_in(tally, member, clock, endless=endless), 1, 1, member)
    return tally.slots[-1]


def _tell(tally: MembersTally, member: str, ago: float, clock: ManualClock) -> Slot:
    """Tell of a member as of so many seconds ago."""
    now = clock.now()
    tally.expire(now)
    slot = tally.slot_at(now.wall - ago, now, _span(now.wall - ago))
    assert slot is not None
    tally.settle(slot, 0, 1, member)
    return slot


def test_a_member_counts_once() -> None:
    """A25: ten locations are ten, however often each of them comes back."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    slot = _see(tally, "abcdefghij" * 3, clock)
    assert (tally.used, slot.settled, slot.open) == (10, 10, 0)
    assert not tally.crosses(slot, 10)
    _see(tally, "abc", clock)
    assert not tally.crosses(slot, 5), "S17: they were within it when they came"
    _see(tally, "k", clock)
    assert [tally.crosses(slot, amount) for amount in (10, 9)] == [True, False]


def test_the_eleventh_user_is_one_too_many() -> None:
    """E21: with ten seats the eleventh user would be one more; the ten that are known would not."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    _see(tally, "abcdefghij", clock)
    assert [tally.knows(member) for member in "aejk"] == [True, True, True, False]
    assert {tally.after(1, member) for member in "abcdefghij"} == {10}
    assert tally.after(1, "k") == 11


def test_a_member_counts_from_the_first_request_on() -> None:
    """E21, F-25: who is let in counts at once, so that two at a time can't share the last seat."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    slots = [_let_in(tally, member, clock) for member in "aab"]
    assert (tally.used, slots[0].settled, slots[0].open) == (2, 0, 2)
    assert (tally.after(1, "b"), tally.after(1, "c")) == (2, 3)


def test_a_refused_member_is_given_back() -> None:
    """F-26 (given back): who is let in and accepted by nobody takes no seat."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    first, second = _let_in(tally, "a", clock), _let_in(tally, "a", clock)
    tally.settle(first, 1, None, "a")
    assert (tally.used, tally.knows("a")) == (1, True)
    tally.settle(second, 1, 0, "a")
    assert (tally.used, tally.knows("a"), second.settled) == (0, False, 0)


def test_a_refusal_takes_nobody_away() -> None:
    """E21: a member that was seen stays one, also when a later request of theirs is refused."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    _see(tally, "ab", clock)
    slot = _let_in(tally, "a", clock)
    tally.settle(slot, 1, None, "a")
    assert (tally.used, tally.knows("a")) == (2, True)


def test_members_are_counted_anew_in_each_window() -> None:
    """A25, E21: with the window all seats are free again, and who is seen again takes one."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    yesterday = _see(tally, "abc", clock)
    clock.advance(DAY)
    tally.expire(clock.now())
    assert (tally.used, tally.live, tally.knows("a"), tally.after(1, "a")) == (0, False, False, 1)
    today = _see(tally, "cd", clock)
    assert (tally.used, today.settled, yesterday.settled) == (2, 2, 3)
    assert (yesterday.over, tally.knows("a"), tally.knows("c")) == (True, False, True)


def test_who_is_seen_over_midnight_is_seen_twice() -> None:
    """A25, F-26 (late): a request counts in the window it began in, and holds a seat to its end."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    _see(tally, "ab", clock)
    yesterday = _let_in(tally, "c", clock)
    clock.advance(DAY)
    today = _see(tally, "a", clock)
    assert (tally.used, tally.knows("c"), tally.after(1, "c")) == (2, True, 2)
    assert yesterday not in tally.slots
    tally.settle(yesterday, 1, 1, "c")
    assert (tally.used, today.settled, yesterday.settled) == (1, 1, 3)
    assert tally.crosses(yesterday, 2)


def test_what_is_refused_over_midnight_is_forgotten() -> None:
    """F-26 (late): who is refused after the window is over counts in neither."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    yesterday = _let_in(tally, "c", clock)
    clock.advance(DAY)
    _see(tally, "a", clock)
    tally.settle(yesterday, 1, None, "c")
    assert (tally.used, tally.knows("c"), yesterday.settled) == (1, False, 0)


def test_members_told_of_late() -> None:
    """S16: a member of yesterday counts yesterday, once, and takes no seat today."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY, LATE)
    yesterday = _see(tally, "ab", clock)
    clock.advance(DAY)
    today = _see(tally, "a", clock)
    for member in "bcc":
        assert _tell(tally, member, DAY, clock) is yesterday
    before = _tell(tally, "z", 2 * DAY, clock)
    assert [slot.settled for slot in (before, yesterday, today)] == [1, 3, 1]
    assert (tally.used, tally.knows("c"), [*tally.slots]) == (1, False, [before, yesterday, today])
    assert _tell(tally, "c", 0, clock) is today
    assert tally.used == 2


def test_members_without_a_window() -> None:
    """E21 ("always"): without a window a member stays one, and no seat is promised to be free."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    slot = _see(tally, "abc", clock, endless=True)
    clock.advance(400 * DAY)
    assert _see(tally, "ad", clock, endless=True) is slot
    assert (tally.used, tally.after(1, "c"), len(tally.slots)) == (4, 4, 1)
    assert tally.slot_at(NOON, clock.now(), None) is slot
    assert tally.frees_in(1, clock.now()) is None
    assert math.isinf(tally.forgotten_in(clock.now()))


def test_seats_are_free_when_the_window_ends() -> None:
    """E18, E21 (Retry-After): a seat is free again when its calendar window ends."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    _see(tally, "abc", clock)
    assert (tally.frees_in(1, clock.now()), tally.resets_in(clock.now())) == (DAY / 2, DAY / 2)
    assert tally.frees_in(0, clock.now()) == 0


def test_members_come_back_after_a_restart() -> None:
    """S15, A25: members that were seen before a restart are still known, and counted once."""
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    slot = Slot(10 * DAY * 1_000, 10 * DAY, 11 * DAY, 3)
    tally.slots.append(slot)
    for member in "abca":
        tally.restore(slot, member)
    tally.expire(clock.now())
    assert (tally.used, slot.settled, tally.live) == (3, 3, True)
    assert _see(tally, "cd", clock) is slot
    assert tally.used == 4


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-44: who makes up names fills no memory; beyond the bound nobody new is told apart."""
    assert members.MAX_MEMBERS == 100_000
    monkeypatch.setattr(members, "MAX_MEMBERS", 3)
    clock = ManualClock(NOON)
    tally = MembersTally(KEY)
    slot = _see(tally, "abcdefg", clock)
    assert (tally.used, slot.settled, tally.knows("c"), tally.knows("d")) == (3, 3, True, False)
    _see(tally, "abc", clock)
    assert tally.used == 3
