"""A casebook in memory, that takes steps as the ledger's does, and proves each entry at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.ladders import RULE

from fairuse.rules.choices import CHOSEN, GIVES_TIME, Choice, time_for
from fairuse.rules.ladder import Case, Facts, Move, after
from fairuse.rules.measures import Measure, proposed
from fairuse.rules.promises import broken_by
from fairuse.rules.record import OURSELVES, Entry
from fairuse.rules.recorded import SoFar

if TYPE_CHECKING:
    from fairuse.rules.ladder import Happening
    from fairuse.rules.process import Ladder, Step
    from fairuse.rules.record import Kind

ACCOUNT = "anna"
SCOPE = (("location", "x"),)
LIVE = frozenset({"proposed", "in force"})
APPROVED: dict[str, Happening] = {"charge": "charged", "terminate": "terminated"}


@dataclass
class Book:
    """Cases, their measures, and what was recorded."""

    cases: dict[int, Case] = field(default_factory=dict)
    measures: dict[int, Measure] = field(default_factory=dict)
    so_far: SoFar = field(default_factory=SoFar)
    made: dict[int, list[Choice]] = field(default_factory=dict)
    charged: int = 0

    def open(self, window: tuple[float, float], figures: tuple[int, int], policy: str) -> None:
        """Open the case of a window, if there is none, at a reading above an amount."""
        if any(case.starts_at == window[0] for case in self.cases.values()):
            return
        number, (reading, amount) = len(self.cases) + 1, figures
        case = Case(number, "salon", ACCOUNT, RULE, SCOPE, *window, window[0], "open")
        case = case._replace(reading=reading, amount=amount, policy=policy)
        self.cases[number] = case
        self._record(case, "case.opened", window[0], rule=RULE, scope=dict(SCOPE))
        self._record(case, "notice.written", window[0], notice=number, rule=RULE)

    def deliver(self, case: Case, reading: int, grace: float, moment: float) -> None:
        """Deliver the notice of a case."""
        told = {"notice": case.id, "channel": "mailto:a@b.example", "reading": reading}
        self._record(case, "notice.delivered", moment, **told)
        by = moment + grace
        told_at = {"notified_at": moment, "notified_reading": reading, "answer_by": by}
        self._move(case, "delivered", moment, **told_at)

    def choose(self, case: Case, option: str, ladder: Ladder, moment: float) -> None:
        """Choose one of what is offered, which gives time once.

        What was proposed because of another choice, or none, is proposed no longer.
        """
        measure = self.measure_of(case)
        if measure is not None:
            self._note(case, measure._replace(state="rejected"), "measure.rejected", moment)
        made = self.made.setdefault(case.id, [])
        by = case.answer_by
        if option in GIVES_TIME:
            by = time_for(case, option, ladder, made, moment)
        self._move(case, CHOSEN[option], moment, answered_at=moment, answer_by=by)
        made.append(Choice(option, moment, ACCOUNT, "link"))
        self._record(case, "choice.made", moment, choice=option)

    def measure_of(self, case: Case) -> Measure | None:
        """Give the measure of a case that is proposed or in force."""
        of_case = [each for each in self.measures.values() if each.case == case.id]
        return next((each for each in reversed(of_case) if each.state in LIVE), None)

    def decide(self, case: Case, happening: Happening, moment: float, end: float) -> None:
        """Do what an operator decided."""
        measure = self.measure_of(case)
        if happening == "approved" and measure is not None:
            happening = APPROVED.get(measure.kind, happening)
        self.take(case, Move(happening), moment, end, by="olga")

    def take(self, case: Case, move: Move, moment: float, end: float, by: str = OURSELVES) -> None:
        """Take a step; `end` is the last reading of the case's window."""
        measure = self.measure_of(case)
        units = self._units(case, move.step, measure, end) if move.happening == "charged" else 0
        if move.happening == "charged" and not units:
            move = Move("resolved")
        now = self._move(case, move.happening, moment, by)
        self._measure(now, move, measure, moment, by)
        if units:
            self._charge(case, move.step, measure, units, moment, end)

    def facts(self, case: Case, facts: Facts) -> Facts:
        """Complete what is known of a case."""
        return facts._replace(measure=self.measure_of(case))

    def _measure(
        self, case: Case, move: Move, measure: Measure | None, moment: float, by: str
    ) -> None:
        happening, step = move
        if step is not None and happening in ("proposed", "approved"):
            measure = proposed(case, step, "still over", moment)._replace(id=len(self.measures) + 1)
            self._note(case, measure, "measure.proposed", moment)
        if measure is None or happening == "proposed":
            return
        if happening == "approved":
            begun = measure.begun(moment, max(moment + 1, case.ends_at), by)
            self._note(case, begun, "measure.begun", moment)
        elif measure.state == "in force" or happening in ("charged", "terminated"):
            ended = measure._replace(state="ended", ends_at=moment)
            self._note(case, ended, "measure.ended", moment)
        else:
            self._note(case, measure._replace(state="rejected"), "measure.rejected", moment)

    def _units(self, case: Case, step: Step | None, measure: Measure | None, end: float) -> int:
        free = 0
        if _basis(step, measure) == "notice":
            assert case.notified_at is not None
            assert case.notified_reading is not None
            free = case.notified_reading if case.notified_at < case.ends_at else int(end)
        return max(0, int(end) - max(case.amount, free))

    def _charge(
        self,
        case: Case,
        step: Step | None,
        measure: Measure | None,
        units: int,
        moment: float,
        end: float,
    ) -> None:
        self.charged += 1
        figures = {
            "charge": self.charged,
            "kind": "usage",
            "rule": RULE,
            "scope": dict(SCOPE),
            "from": case.starts_at,
            "until": min(case.ends_at, moment),
            "limit": case.amount,
            "notice_reading": case.notified_reading,
            "to_reading": end,
            "basis": _basis(step, measure),
            "units": units,
        }
        self._record(case, "charge.made", moment, **figures)

    def _note(self, case: Case, measure: Measure, kind: Kind, moment: float) -> None:
        self.measures[measure.id] = measure
        figures = {
            "measure": measure.id,
            "do": measure.kind,
            "rule": case.rule,
            "scope": dict(measure.scope),
            "limit": measure.limit,
            "amount": measure.amount,
            "from": measure.starts_at,
            "until": measure.ends_at,
            "review": measure.review_at,
            "until_under": measure.until_under,
        }
        self._record(case, kind, moment, **figures)

    def _move(
        self,
        case: Case,
        happening: Happening,
        moment: float,
        by: str = OURSELVES,
        /,
        **changes: Any,
    ) -> Case:
        state = after(case, happening)
        moved = case._replace(state=state, version=case.version + 1, **changes)
        self.cases[case.id] = moved
        told = {"from": case.state, "to": state, "on": happening}
        self._record(case, "case.moved", moment, by, **told)
        return moved

    def _record(
        self, case: Case, what: Kind, moment: float, by: str = OURSELVES, /, **data: Any
    ) -> None:
        """Record something, and prove that it breaks no promise."""
        entry = Entry(moment, what, ACCOUNT, case.id, by, data)
        assert broken_by(entry, self.so_far) == []
        self.so_far.add(entry)


def _basis(step: Step | None, measure: Measure | None) -> str:
    if step is not None:
        return step.from_
    return "limit" if measure is not None and measure.amount == "limit" else "notice"
