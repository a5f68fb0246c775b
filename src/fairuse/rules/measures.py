"""Measures: what may be done about use that stays too high. Each hits its scope and has an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from fairuse.rules.process import PRICED

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case, Facts
    from fairuse.rules.process import Action, Step
    from fairuse.rules.tally import ScopeKey

MeasureState = Literal["proposed", "in force", "rejected", "ended"]


class Measure(NamedTuple):
    """A measure of a case. Times are wall time, lengths seconds.

    `routes` are the patterns it switches off, `scope` the part of the account it is for.
    `limit` and `amount` say which amount holds meanwhile (reduce, throttle), or by which tariff
    (charge, switch tariff) and from where on is charged (charge). It ends at `ends_at`, after it
    has lasted so long, or with `until_under` as soon as the use is under the limit; or it is looked
    at again at `review_at`.
    """

    id: int
    case: int
    account: str
    kind: Action
    scope: ScopeKey
    routes: tuple[str, ...]
    limit: str
    amount: str
    reason: str
    state: MeasureState
    starts_at: float | None = None
    ends_at: float | None = None
    review_at: float | None = None
    until_under: bool = False
    by: str = ""
    lasts: int | None = None
    review_after: int | None = None

    def begun(self, moment: float, window_ends_at: float, by: str) -> Measure:
        """Give it in force from a moment on, in a window that ends then."""
        ends_at = None if self.ends_at is None else window_ends_at
        return self._replace(
            state="in force",
            starts_at=moment,
            ends_at=ends_at if self.lasts is None else moment + self.lasts,
            review_at=None if self.review_after is None else moment + self.review_after,
            by=by,
        )

    def ended(self, moment: float) -> Measure:
        """Give it ended: by now, or at its own end where that was before (P6)."""
        ends_at = moment if self.ends_at is None else min(moment, self.ends_at)
        return self._replace(state="ended", ends_at=ends_at)

    def over(self, moment: float, facts: Facts) -> bool:
        """Say whether it has come to its end (P6, A08, A32)."""
        if self.ends_at is not None and moment >= self.ends_at:
            return True
        return self.until_under and not facts.still_over

    def holds_at(self, moment: float) -> bool:
        """Say whether it is in force."""
        begun = self.starts_at is not None and self.starts_at <= moment
        return (
            self.state == "in force" and begun and (self.ends_at is None or moment < self.ends_at)
        )


def proposed(case: Case, step: Step, reason: str, moment: float) -> Measure:
    """Give the measure that a step of the policy asks for, not in force yet."""
    return Measure(
        id=0,
        case=case.id,
        account=case.account,
        kind=step.do,
        scope=case.scope,
        routes=tuple(step.routes),
        limit=(step.tariff if step.do in PRICED else step.limit) or "",
        amount=step.from_ if step.do == "charge" else str(step.amount or ""),
        reason=reason,
        state="proposed",
        ends_at=max(case.ends_at, moment) if step.until == "window end" else None,
        until_under=step.until == "under the limit",
        lasts=step.until if isinstance(step.until, int) else None,
        review_after=step.review,
    )
