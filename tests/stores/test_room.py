"""F-44: so many tallies and no more, and no count is forgotten that somebody is held to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import Tally, TallyKey
from fairuse.stores.room import LOOKED_AT, Room

AMOUNT = 10


class Names:
    """Tallies in a room, by the order in which they came."""

    def __init__(self, most: int) -> None:
        self.room = Room(most, self._forget)
        self.known: list[Tally] = []
        self.forgotten: list[Tally] = []
        self._made = 0

    def come(self, *, used: int = 0, held: int = 0) -> Tally | None:
        """Let one more in, where there is room; it was used by coming."""
        self._made += 1
        tally = RollingTally(TallyKey(f"name-{self._made}", "l", "1 minute", ()), 60)
        tally.amount, tally.used, tally.held = AMOUNT, used, held
        if not self.room.make():
            return None
        tally.remembered = True
        self.room.take(tally)
        self.known.append(tally)
        return tally

    def go(self, tally: Tally) -> None:
        """Let one go whose window is over."""
        tally.remembered = False
        self.known.remove(tally)
        self.room.leave()

    def _forget(self, tally: Tally) -> None:
        self.forgotten.append(tally)
        self.go(tally)

    def idle(self) -> None:
        """Let a while go by in which nobody is used."""
        for tally in self.known:
            tally.touched = False


def came(names: Names, *, used: int = 0, held: int = 0) -> Tally:
    """Let in one for whom there surely is room."""
    tally = names.come(used=used, held=held)
    assert tally is not None
    return tally


def test_nothing_is_forgotten_while_there_is_room() -> None:
    """F-44 (no sooner): as many as there is room for stay, however long they are idle."""
    names = Names(100)
    for _ in range(100):
        came(names)
    names.idle()
    assert (len(names.known), names.forgotten, names.room.evicted) == (100, [], 0)


def test_the_one_that_was_not_used_goes() -> None:
    """F-44 (second chance): the oldest that was not used since is forgotten; who was used stays."""
    names = Names(3)
    first, second, third = (came(names) for _ in range(3))
    names.idle()
    first.touched = True
    fourth = came(names)
    assert names.forgotten == [second]
    assert names.known == [first, third, fourth]
    came(names)
    assert names.forgotten == [second, third]
    assert (names.room.taken, names.room.evicted, names.room.turned_away) == (3, 2, 0)


def test_who_was_used_is_passed_once() -> None:
    """F-44 (second chance): the hand lets each one go on that was used, and takes it next time."""
    names = Names(3)
    tallies = [came(names) for _ in range(3)]
    beyond = came(names)
    assert (names.forgotten, names.room.taken) == ([], 4)
    for expected in tallies:
        came(names)
        assert names.forgotten[-1] is expected
    assert beyond in names.known


KEPT = {
    "near its limit": {"used": AMOUNT // 2},
    "over its limit": {"used": AMOUNT + 1},
    "holding a request": {"held": 1},
    "holding several": {"held": 3, "used": 3},
}


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_what_one_is_held_to_stays(kept: dict[str, int]) -> None:
    """F-44: made-up names, however many, make nobody's count forgotten that matters."""
    names = Names(10)
    tallies = [came(names, **kept) for _ in range(5)]
    for _ in range(500):
        came(names)
        names.idle()
    assert {*tallies} <= {*names.known}
    assert len(names.known) <= 20


def test_an_unused_limit_is_forgotten_first() -> None:
    """F-44: just below half its amount a tally may go, with what is settled on it."""
    names = Names(1)
    below = came(names, used=AMOUNT // 2 - 1)
    names.idle()
    came(names)
    assert names.forgotten == [below]


def test_beyond_twice_the_room_one_is_turned_away() -> None:
    """F-44 (the bound): where all are near their limits twice as many are let in, and no more."""
    names = Names(10)
    for _ in range(20):
        came(names, used=AMOUNT)
    assert [names.come(used=AMOUNT) for _ in range(5)] == [None] * 5
    assert (names.room.taken, names.room.evicted, names.room.turned_away) == (20, 0, 5)
    names.known[7].used, names.known[7].touched = 0, False
    came(names)
    assert (names.room.taken, names.room.evicted, names.room.turned_away) == (20, 1, 5)
    names.go(names.known[0])
    came(names)
    assert (names.room.taken, names.room.evicted, names.room.turned_away) == (20, 1, 5)


def test_the_hand_looks_at_a_few_at_a_time() -> None:
    """F-44: among many that stay the hand gives up soon, and goes on from there the next time."""
    names = Names(3 * LOOKED_AT)
    for _ in range(3 * LOOKED_AT - 1):
        came(names, held=1)
    free = came(names)
    names.idle()
    for _ in range(2):
        came(names)
        assert names.forgotten == []
    came(names)
    assert names.forgotten == [free]


def test_the_ring_stays_small_when_tallies_come_and_go() -> None:
    """F-44 (bounded): what is forgotten by itself leaves nothing behind, without any eviction."""
    names = Names(1_000)
    stays = came(names)
    for _ in range(10_000):
        names.go(came(names))
    assert len(names.room._ring) <= 2 * 2 + LOOKED_AT
    assert (names.room.taken, names.room.evicted) == (1, 0)
    assert stays in names.room._ring


class Coming(RuleBasedStateMachine):
    """Tallies come, are used, held and let go, and leave, in any order."""

    most = 6

    def __init__(self) -> None:
        super().__init__()
        self.names = Names(self.most)

    @rule(used=st.integers(0, AMOUNT + 1), held=st.integers(0, 1), idle=st.booleans())
    def come(self, used: int, held: int, *, idle: bool) -> None:
        """Let one more in; what is held or near its limit is there afterwards."""
        if idle:
            self.names.idle()
        kept = [tally for tally in self.names.known if tally.held or tally.used * 2 >= AMOUNT]
        tally = self.names.come(used=used, held=held)
        assert {*kept} <= {*self.names.known}
        if tally is None:
            assert len(self.names.known) == 2 * self.most

    @precondition(lambda self: self.names.known)
    @rule(index=st.integers(0, 20))
    def go(self, index: int) -> None:
        """Let one go."""
        self.names.go(self.names.known[index % len(self.names.known)])

    @precondition(lambda self: self.names.known)
    @rule(index=st.integers(0, 20), used=st.integers(0, AMOUNT), held=st.integers(0, 1))
    def use(self, index: int, used: int, held: int) -> None:
        """Use one, more or less than before."""
        tally = self.names.known[index % len(self.names.known)]
        tally.used, tally.held, tally.touched = used, held, True

    @invariant()
    def the_room_is_bounded_and_knows_its_own(self) -> None:
        """Count again."""
        room, known = self.names.room, self.names.known
        assert room.taken == len(known) <= 2 * self.most
        assert [tally for tally in known if room._ring.count(tally) != 1] == []
        assert len(room._ring) <= 4 * self.most + LOOKED_AT


TestComing = Coming.TestCase


@given(st.integers(1, 50), st.integers(0, 200))
def test_there_are_never_more_than_twice_as_many(most: int, count: int) -> None:
    """F-44 (the bound): whoever makes up names takes no more room than there is, by twice."""
    names = Names(most)
    for _ in range(count):
        names.come()
    assert len(names.known) == names.room.taken <= 2 * most
    assert names.room.evicted + names.room.turned_away == count - len(names.known)
