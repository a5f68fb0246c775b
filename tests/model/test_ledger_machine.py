"""Whatever happens beside a real ledger: `verify` finds nothing, and no case is stuck.

The casework, the decisions, the choices and the outbox are those of the gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.model.ladders import TABLES
from tests.model.office import Office

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case, Happening

HOUR = 3_600
DAY = 24 * HOUR
AMOUNT = 100
INDEX = st.integers(0, 11)
DECISIONS: dict[str, tuple[Happening, ...]] = {
    "proposed": ("approved", "rejected"),
    "renegotiating": ("agreed", "failed"),
    "failed": ("agreed",),
    "measured": ("withdrawn",),
    "left": ("withdrawn",),
}


class Working(RuleBasedStateMachine):
    """One account under one limit, on a ledger."""

    office: Office

    @initialize(ladder=TABLES, told=st.booleans())
    def begin(self, ladder: dict[str, Any], told: bool) -> None:
        """Begin under a policy; or with a case of which the customer was told."""
        self.office = Office(ladder)
        if told:
            self.office.use(AMOUNT + 1)
            self.office.deliver()

    @rule(units=st.sampled_from([1, AMOUNT + 1]))
    def use(self, units: int) -> None:
        """Use something."""
        self.office.use(units)

    @rule(seconds=st.sampled_from([-HOUR, HOUR, DAY, 14 * DAY, 31 * DAY]))
    def wait(self, seconds: int) -> None:
        """Let time pass; a clock that is set right steps back."""
        self.office.clock.advance(seconds)

    @rule()
    def deliver(self) -> None:
        """Deliver what is due."""
        self.office.deliver()

    @rule()
    def work(self) -> None:
        """Do the casework."""
        self.office.work()

    @rule()
    def restart(self) -> None:
        """Restart the gateway."""
        self.office.restart()

    @rule(ladder=TABLES)
    def change_policy(self, ladder: dict[str, Any]) -> None:
        """Change the policy in the middle of it all."""
        self.office.change_policy(ladder)

    @precondition(lambda self: self.office.choices())
    @rule(index=INDEX)
    def choose(self, index: int) -> None:
        """Have the customer choose what is offered."""
        choices = self.office.choices()
        self.office.choose(*choices[index % len(choices)])

    @precondition(lambda self: self.undecided())
    @rule(index=INDEX, which=st.integers(0, 1))
    def decide(self, index: int, which: int) -> None:
        """Have an operator decide."""
        cases = self.undecided()
        self.decided(cases[index % len(cases)], which)

    @invariant()
    def a_case_has_one_measure(self) -> None:
        """See that a case has one measure at a time, and none once it is closed."""
        live = [measure.case for measure in self.office.live_measures()]
        assert len(live) == len(set(live))
        assert set(live) <= {case.id for case in self.office.cases()}

    def teardown(self) -> None:
        """Let everybody do what they still can: every case comes to its end, and all is proven."""
        if not hasattr(self, "office"):
            return
        try:
            self.pass_by()
            for _ in range(3):
                for case in self.undecided():
                    self.decided(case, 0)
                self.pass_by()
            assert self.office.cases() == []
            violations = self.office.verify().violations
            assert [str(violation) for violation in violations] == []
        finally:
            self.office.close()

    def pass_by(self) -> None:
        """Let two months pass in which nothing is used."""
        for _ in range(4):
            self.office.clock.advance(16 * DAY)
            self.office.deliver()
            self.office.work()

    def undecided(self) -> list[Case]:
        """Give the cases that a person may decide about."""
        return [case for case in self.office.cases() if case.state in DECISIONS]

    def decided(self, case: Case, which: int) -> None:
        """Decide about a case."""
        ways = DECISIONS[case.state]
        self.office.decide(case, ways[which % len(ways)])


TestWorking = Working.TestCase
TestWorking.settings = settings(max_examples=12, stateful_step_count=12)
