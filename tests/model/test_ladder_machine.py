"""Whatever happens to a case, on whatever ladder: no promise is broken, no case is stuck (F-54)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.model.book import LIVE, Book
from tests.model.ladders import LADDERS
from tests.support import NOON

from fairuse.rules.choices import open_options
from fairuse.rules.ladder import LADDER, Facts, next_move

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.process import Ladder

HOUR = 3_600
DAY = 24 * HOUR
WINDOW = 30 * DAY
LATE = 3 * DAY
AMOUNT = 100
MOST_STEPS = 8
INDEX = st.integers(0, 11)
DECISIONS: dict[str, tuple[Happening, ...]] = {
    "proposed": ("approved", "rejected"),
    "renegotiating": ("agreed", "failed"),
    "failed": ("agreed",),
    "measured": ("withdrawn",),
    "left": ("withdrawn",),
    "accepted": ("withdrawn",),
}
"""What a person decides about a case, by its state; a measure in force may be taken back."""
ANSWERED = ("notified", "reducing", "extended", "declined")


class Climbing(RuleBasedStateMachine):
    """One account under one limit: use, time, deliveries, choices, decisions, and new policies."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now = NOON
        self.amount = AMOUNT
        self.used: dict[float, int] = {}
        self.policy = 0

    @initialize(ladder=LADDERS, told=st.booleans())
    def begin(self, ladder: Ladder, told: bool) -> None:
        """Begin under a policy; or with a case of which the customer was told."""
        self.ladder = ladder
        if told:
            self.use(AMOUNT + 1)
            self.deliver(0)

    @property
    def window(self) -> tuple[float, float]:
        """Give the window that is running."""
        start = NOON + (self.now - NOON) // WINDOW * WINDOW
        return start, start + WINDOW

    @rule(units=st.sampled_from([1, AMOUNT // 2, AMOUNT + 1]))
    def use(self, units: int) -> None:
        """Use something; going over opens a case."""
        start = self.window[0]
        self.used[start] = self.used.get(start, 0) + units
        if self.used[start] > self.amount:
            self.book.open(self.window, (self.used[start], self.amount), str(self.policy))
        self.run()

    @rule(seconds=st.sampled_from([-HOUR, 60, HOUR, DAY, 7 * DAY, 14 * DAY, 31 * DAY]))
    def wait(self, seconds: int) -> None:
        """Let time pass; a clock that is set right steps back."""
        self.now = max(NOON, self.now + seconds)
        self.run()

    @precondition(lambda self: self.of(*ANSWERED))
    @rule(index=INDEX)
    def wait_out(self, index: int) -> None:
        """Let the time pass that a customer has."""
        self.now = max(self.now, self.pick(index, *ANSWERED).answer_by or 0.0)
        self.run()

    @precondition(lambda self: self.of("open"))
    @rule(index=INDEX)
    def deliver(self, index: int) -> None:
        """Deliver the notice of a case."""
        case = self.pick(index, "open")
        reading = self.used.get(case.starts_at, 0)
        self.book.deliver(case, reading, self.ladder.grace, self.now)
        self.run()

    @precondition(lambda self: self.choices())
    @rule(index=INDEX)
    def choose(self, index: int) -> None:
        """Have the customer choose what is offered."""
        choices = self.choices()
        case, option = choices[index % len(choices)]
        self.book.choose(case, option, self.ladder, self.now)
        self.run()

    @precondition(lambda self: self.of(*DECISIONS))
    @rule(index=INDEX, which=st.integers(0, 1))
    def decide(self, index: int, which: int) -> None:
        """Have an operator decide."""
        self.decided(self.pick(index, *DECISIONS), which)
        self.run()

    @rule(ladder=LADDERS)
    def change_policy(self, ladder: Ladder) -> None:
        """Change the policy in the middle of it all."""
        self.ladder, self.policy = ladder, self.policy + 1
        self.run()

    @rule(amount=st.sampled_from([AMOUNT // 2, AMOUNT, 3 * AMOUNT]))
    def agree(self, amount: int) -> None:
        """Agree on another amount."""
        self.amount = amount
        self.run()

    @invariant()
    def nothing_is_due(self) -> None:
        """Every step that was due was taken, and none is taken for ever."""
        for case in self.of(*LADDER):
            assert next_move(case, self.ladder, self.facts(case), self.now) is None

    @invariant()
    def a_measure_belongs_to_what_goes_on(self) -> None:
        """See that a case has one measure at a time, and none once it is closed."""
        live = [each.case for each in self.book.measures.values() if each.state in LIVE]
        assert len(live) == len(set(live))
        assert all(self.book.cases[number].state != "closed" for number in live)

    def teardown(self) -> None:
        """Let everybody do what they still can: then every case comes to its end."""
        for case in self.of("open"):
            self.book.deliver(case, self.used[case.starts_at], self.ladder.grace, self.now)
        self.pass_by()
        for case in self.of(*LADDER):
            assert self.waits_for_a_person(case), case
        for _ in range(3):
            for case in self.of(*LADDER):
                self.decided(case, 0)
            self.pass_by()
        assert self.of(*LADDER) == []

    def choices(self) -> list[tuple[Case, str]]:
        """Give what customers can choose, as things are."""
        return [
            (case, option)
            for case in self.of(*LADDER)
            for option in open_options(case, self.ladder, self.book.made.get(case.id, []), self.now)
        ]

    def pass_by(self) -> None:
        """Let months pass in which nothing is used."""
        for _ in range(9):
            self.now += 10 * DAY
            self.run()

    def waits_for_a_person(self, case: Case) -> bool:
        """Say whether a case may wait, for ever, as far as we can tell."""
        measure = self.book.measure_of(case)
        match case.state:
            case "renegotiating" | "failed":
                return True
            case "proposed":
                return measure is not None and measure.kind in ("charge", "terminate")
            case "measured":
                assert measure is not None
                return measure.review_at is not None and measure.ends_at is None
            case _:
                return False

    def decided(self, case: Case, which: int) -> None:
        """Decide about a case."""
        ways = DECISIONS[case.state]
        end = self.used[case.starts_at]
        self.book.decide(case, ways[which % len(ways)], self.now, end)

    def run(self) -> None:
        """Do the casework: take every step that is due."""
        for number in [*self.book.cases]:
            for _ in range(MOST_STEPS):
                case = self.book.cases[number]
                move = next_move(case, self.ladder, self.facts(case), self.now)
                if move is None:
                    break
                self.book.take(case, move, self.now, self.used[case.starts_at])

    def facts(self, case: Case) -> Facts:
        """Look at a case: at its use as it stands in the window that is running."""
        over = [start for start, used in self.used.items() if used > self.amount]
        return Facts(
            still_over=self.used.get(self.window[0], 0) > self.amount,
            window_over=self.now >= case.ends_at + LATE,
            measure=self.book.measure_of(case),
            policy_changed=case.policy != str(self.policy),
            breaches=max(1, len([start for start in over if start >= case.starts_at])),
        )

    def of(self, *states: str) -> list[Case]:
        """Give the cases in some states, but closed ones."""
        found = [case for case in self.book.cases.values() if case.state in states]
        return [case for case in found if case.state != "closed"]

    def pick(self, index: int, *states: str) -> Case:
        """Give one of the cases in some states."""
        found = self.of(*states)
        return found[index % len(found)]


TestClimbing = Climbing.TestCase
TestClimbing.settings = settings(max_examples=120, stateful_step_count=20)
