"""The ladder: the states of a case, and what leads from one to the next.

A case goes from its notice over a choice to a measure or a charge, and always to its end. Nothing
happens to a case but what the table says, and what the policy's steps ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.measures import Measure
    from fairuse.rules.process import Ladder, Step, Trigger
    from fairuse.rules.tally import ScopeKey

REPEATED = "repeated-breaches"
"""The rule of a case that a policy's own `case_after` opens, whichever the limits."""

State = Literal[
    "open",  # the notice is written, and not delivered yet
    "notified",  # the choice is open, or the grace runs
    "accepted",  # the customer agreed to charges
    "reducing",  # the customer brings the use back
    "extended",  # the customer bought more
    "declined",  # the customer wants none of the options
    "unanswered",  # the time for a choice is over, and the use still is too high
    "persisting",  # the grace is over, and the use still is too high
    "proposed",  # a measure waits for an operator
    "left",  # the operator rejected what was proposed
    "measured",  # a measure is in force
    "renegotiating",  # the yearly fee is talked about
    "failed",  # without an agreement
    "closed",
]
Happening = Literal[
    "delivered",
    "accepted",
    "reducing",
    "extended",
    "declined",
    "unanswered",
    "persisted",
    "resolved",
    "proposed",
    "approved",
    "rejected",
    "ended",
    "charged",
    "renegotiating",
    "agreed",
    "failed",
    "terminated",
    "withdrawn",
]

_CHOICE: dict[Happening, State] = {
    "accepted": "accepted",
    "reducing": "reducing",
    "extended": "extended",
    "declined": "declined",
}
_END: dict[Happening, State] = {"resolved": "closed", "withdrawn": "closed"}
_OVER: dict[Happening, State] = {
    **_CHOICE,
    **_END,
    "proposed": "proposed",
    "approved": "measured",
    "charged": "closed",
    "renegotiating": "renegotiating",
}
LADDER: dict[State, dict[Happening, State]] = {
    "open": {"delivered": "notified", "withdrawn": "closed"},
    "notified": {
        **_CHOICE,
        **_END,
        "unanswered": "unanswered",
        "persisted": "persisting",
        "proposed": "proposed",
        "charged": "closed",
        "renegotiating": "renegotiating",
    },
    "accepted": {**_END, "charged": "closed", "proposed": "proposed"},
    "reducing": {**_CHOICE, **_END, "persisted": "persisting"},
    "extended": {**_CHOICE, **_END, "persisted": "persisting"},
    "declined": _OVER,
    "unanswered": _OVER,
    "persisting": _OVER,
    "proposed": {
        **_END,
        "proposed": "proposed",
        "approved": "measured",
        "rejected": "left",
        "charged": "closed",
        "terminated": "closed",
    },
    "left": {**_CHOICE, **_END, "proposed": "proposed", "renegotiating": "renegotiating"},
    "measured": {"ended": "closed", "withdrawn": "closed"},
    "renegotiating": {"agreed": "closed", "failed": "failed", "withdrawn": "closed"},
    "failed": {"proposed": "proposed", "agreed": "closed", "withdrawn": "closed"},
    "closed": {},
}
"""From a state, over what happens, to the next state."""


class WrongStep(Exception):
    """Something that can't happen to a case in its state."""


class Case(NamedTuple):
    """A case of one account under one rule, for one window and scope. Times are wall time.

    `reading` and `amount` are those of its opening, `latest` is the last count of its window that
    was seen, and `notified_reading` the one when the notice was delivered (A09). Of a level,
    `latest` and `amount` are those of the peak that was furthest above the amount of its time
    (E12). `answer_by` ends the time for a choice, or the grace. `version` counts what has happened
    to it.
    """

    id: int
    tenant: str
    account: str
    rule: str
    scope: ScopeKey
    starts_at: float
    ends_at: float
    opened_at: float
    state: State
    reading: int = 0
    amount: int = 0
    policy: str = ""
    latest: int = 0
    notified_at: float | None = None
    notified_reading: int | None = None
    answer_by: float | None = None
    answered_at: float | None = None
    closed_at: float | None = None
    outcome: str = ""
    version: int = 0


class Facts(NamedTuple):
    """What is known of a case now.

    `still_over`: at its pace since the notice, or as it stands, the use is above the amount.
    `window_over`: the window is over, and what may be told late of it has been told.
    `measure`: the measure that is proposed or in force, if any.
    `policy_changed`: the policy in force is not the one the case was opened under, so that a person
    decides about every step of it (P7).
    `breaches`: how many windows were over the amount: the case's, those before it that `persists`
    may need, and those since; 1 where that is enough to know.
    """

    still_over: bool
    window_over: bool
    measure: Measure | None = None
    policy_changed: bool = False
    breaches: int = 1

    @property
    def looks_back(self) -> bool:
        """Say whether what is proposed is about what was used, or said, already."""
        return self.measure is not None and self.measure.kind in {"charge", "terminate"}


class Move(NamedTuple):
    """What happens to a case now, and the step of the policy that it takes, if any."""

    happening: Happening
    step: Step | None = None


TRIGGERS: dict[State, Sequence[Trigger]] = {
    "notified": ("told",),
    "accepted": ("accepted",),
    "declined": ("declined", "still over"),
    "unanswered": ("no answer", "still over"),
    "persisting": ("still over",),
    "failed": ("renegotiation failed",),
}
"""Which steps of a policy are taken in a state."""


def after(case: Case, happening: Happening) -> State:
    """Give the state a case is in after something happened. Raises WrongStep."""
    state = LADDER[case.state].get(happening)
    if state is None:
        raise WrongStep(f"a case that is {case.state} can't be {happening}")
    return state


def next_move(case: Case, ladder: Ladder, facts: Facts, moment: float) -> Move | None:
    """Give what happens to a case by itself now; None where it waits."""
    match case.state:
        case "notified" | "accepted" | "reducing" | "extended":
            return _while_told(case, ladder, facts, moment)
        case "declined" | "unanswered" | "persisting" | "failed":
            return _when_over(case, ladder, facts, moment)
        case "proposed" | "left" if not facts.still_over and not facts.looks_back:
            return Move("resolved")  # what is done about a use needs that use (A08)
        case "measured" if facts.measure is None or facts.measure.over(moment, facts):
            return Move("ended")
        case _:
            return None


def _while_told(case: Case, ladder: Ladder, facts: Facts, moment: float) -> Move | None:
    """Take the step that needs no grace, or see whether the use was brought back in time."""
    step = ladder.step(case, TRIGGERS.get(case.state, ()))
    if step is not None:
        return _taken(step, facts)
    if case.state == "accepted":  # the policy charges nothing any more
        return Move("resolved") if facts.window_over else None
    if case.answer_by is None or moment < case.answer_by:
        return None
    if not facts.still_over:
        return Move("resolved")
    unanswered = case.state == "notified" and ladder.offers(case.rule)
    return Move("unanswered" if unanswered else "persisted")


def _when_over(case: Case, ladder: Ladder, facts: Facts, moment: float) -> Move | None:
    """Take the policy's next step once the grace is over; without one it is the operator's turn."""
    if case.state == "declined" and case.answer_by is not None and moment < case.answer_by:
        return None
    step = ladder.step(case, TRIGGERS[case.state])
    due = facts.breaches >= ladder.persists
    looks_back = step is not None and step.looks_back and due
    if not facts.still_over and case.state != "failed" and not looks_back:
        return Move("resolved")
    return _taken(step, facts) if due else None


def _taken(step: Step | None, facts: Facts) -> Move | None:
    """Give what taking a step is: a charge waits for the count at the window's end (A09)."""
    if step is None or (step.do == "charge" and not facts.window_over):
        return None
    if step.do == "renegotiate":
        return Move("renegotiating", step)
    if step.approval == "operator" or facts.policy_changed:
        return Move("proposed", step)
    return Move("charged" if step.do == "charge" else "approved", step)
