"""The part of a policy's text that says what happens over an amount: as its ladder does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairuse.base.texts import either, number, span_text
from fairuse.base.texts import marked as _
from fairuse.rules.approaching import PROJECTED, ranks_of
from fairuse.rules.choices import DECLINE, TITLES
from fairuse.rules.consequences import consequences
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.ladder import REPEATED
from fairuse.rules.prices import prices_text
from fairuse.rules.process import PRICED
from fairuse.rules.render_words import Words
from fairuse.rules.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairuse.rules.consequences import Consequence
    from fairuse.rules.expression import Expression
    from fairuse.rules.policy import Policy
    from fairuse.rules.process import Action, Step, Trigger


HEADING = _("If you use more than is agreed")
FROM_THE_LIMIT = _(
    "Only what comes above the agreed amount is charged: what came after our notice, and what came"
    " before it only where it says so above."
)
"""The fifth promise, where a policy charges what came before the notice, too."""

BY_THE_UNIT = _(
    "Only where it says so above may a notice end the agreed amount: then every unit that comes"
    " after that notice is charged, and none before it."
)
"""What is to be said beside it, where a policy may switch the tariff."""

WHEN: dict[Trigger, str] = {
    "told": _("Once you are told: {what}."),
    "accepted": _("If you choose “{option}”: {what}."),
    "declined": _("If you choose “{option}”: {what}."),
    "no answer": _("If you choose nothing in that time and your use is still too high: {what}."),
    "still over": _("If your use is still too high after that time: {what}."),
    "renegotiation failed": _("If we come to no agreement: {what}."),
}
INSTEAD = _("Or instead, if one of us decides so: {what}.")
CHOSEN_BY: dict[Trigger, str] = {
    "accepted": TITLES["accept charges"],
    "declined": TITLES[DECLINE],
}
CHARGED = {
    "notice": _("what comes above the amount after our notice is charged {price}"),
    "limit": _("all that came above the amount is charged, also before our notice, {price}"),
}
DONE: dict[Action, str] = {
    "reduce": _("a lower amount holds: {limit}, at most {amount}"),
    "throttle": _("a lower amount holds: {limit}, at most {amount}"),
    "degrade": _("some functions are switched off ({routes})"),
    "suspend": _("some functions are suspended ({routes})"),
    "deny new users": _("new users are refused"),
    "switch tariff": _("no amount is included any more, and every unit is charged {price}"),
    "renegotiate": _("we talk with you about the terms again"),
    "terminate": _("we may end the contract"),
    "custom": _("we take another measure, and tell you which"),
}
BY_ITSELF: frozenset[Action] = frozenset({"renegotiate"})
"""What needs no word on who decides: it is a talk."""
_PLACEHOLDER = re.compile(r"\{\w+\}")


class LadderWriter(Words):
    """Writes what happens over the amounts of a policy, in one language.

    `titles` name the limits, and `amount` writes one.
    """

    def __init__(
        self,
        policy: Policy,
        language: str,
        titles: Mapping[str, str],
        amount: Callable[[Expression], str],
    ) -> None:
        super().__init__(policy, language)
        self._ladder = policy.ladder
        self._titles = titles
        self._amount = amount
        self._parts = consequences(policy)

    def lines(self) -> Iterator[str]:
        """Write a line for all amounts, one for each part of them, and one about charges."""
        if not self._parts:
            return
        yield f"- {' '.join(self._told())}"
        for part in self._parts:
            title = f"**{self._title(part)}**: " if len(self._parts) > 1 else ""
            yield f"- {title}{' '.join(self._part(part))}"
        if any(step.do == "charge" for part in self._parts for step in part.steps):
            yield "- " + self.say(
                _(
                    "A charge is worked out when the period is over. You are told of it, with how"
                    " it was worked out and the day on which it is final; until then it can be"
                    " taken back."
                )
            )

    def _title(self, part: Consequence) -> str:
        others = {
            REPEATED: self.say(_("Amounts gone over repeatedly")),
            OVERLOAD: self.say(_("The service overloaded repeatedly")),
        }
        return "; ".join({**self._titles, **others}[rule] for rule in part.rules)

    def _told(self) -> Iterator[str]:
        """Say how customers hear of it: early, and once they are over."""
        shares = [rank.removesuffix("%") for rank in ranks_of(tuple(self._ladder.warn))]
        early = [number(int(share), self.language) for share in shares if share != PROJECTED]
        if early:
            share = either(early, self.language)
            yield self.say(_("We warn you when {share}% of an amount is used."), share=share)
        if PROJECTED in self._ladder.warn:
            yield self.say(
                _("We warn you, too, as soon as you would go over an amount at your pace.")
            )
        if self._ladder.warn and any(part.priced for part in self._parts):
            yield self.say(
                _(
                    "Such a warning says from what point on more is charged, and at what price; it"
                    " counts as our notice."
                )
            )
        yield self.say(
            _("Once you are over it we tell you, with the figures, at every contact you gave us.")
        )
        if any(part.waits for part in self._parts):
            yield self.say(_("The time you have begins when that notice reaches you."))

    def _part(self, part: Consequence) -> Iterator[str]:
        yield from self._time(part)
        for step in part.steps:
            if step.on == "accepted":
                yield from self._step(step)
        if part.waits:
            agreed = any(step.on == "accepted" for step in part.steps)
            yield self.say(
                _("Otherwise nothing more happens if your use is back by then.")
                if agreed
                else _("If your use is back by then, nothing more happens.")
            )
        yield from self._persists(part)
        others = [step for step in part.steps if step.on != "accepted"]
        for step in others:
            yield from self._step(step)
            for other in part.instead:
                if other.on == step.on:
                    yield self.say(INSTEAD, what=self._whole(other))
        if part.waits and not any(step.on == "still over" for step in others):
            yield self.say(
                _("Nothing else happens by itself: one of us looks for a way together with you.")
            )

    def _time(self, part: Consequence) -> Iterator[str]:
        grace = span_text(self._ladder.grace, self.language)
        if part.offered:
            titles = [self.say(TITLES[option]) for option in part.offered]
            quoted = [self.say(_("“{name}”"), name=title) for title in titles]
            choice = either(quoted, self.language)
            yield self.say(_("You have {grace} to choose: {options}."), grace=grace, options=choice)
        elif part.waits:
            yield self.say(_("You have {grace} to bring your use back."), grace=grace)

    def _persists(self, part: Consequence) -> Iterator[str]:
        if self._ladder.persists > 1 and part.waits:
            yield self.say(
                _("Nothing else is done before you were above the amount in {count} periods."),
                count=number(self._ladder.persists, self.language),
            )

    def _step(self, step: Step) -> Iterator[str]:
        option = self.say(CHOSEN_BY.get(step.on, ""))
        yield self.say(WHEN[step.on], option=option, what=self._whole(step))
        if step.do in BY_ITSELF:
            return
        decided = (
            _("One of us decides that first.")
            if step.approval == "operator"
            else _("That happens by itself.")
        )
        yield self.say(decided)

    def _whole(self, step: Step) -> str:
        return ", ".join([self._what(step), *self._until(step)])

    def _what(self, step: Step) -> str:
        if step.do == "charge":
            return self.say(CHARGED[step.from_], price=self._price(step))
        price = self._price(step) if step.do in PRICED else ""
        amount = "" if step.amount is None else self._amount(step.amount)
        routes = ", ".join(_PLACEHOLDER.sub("…", route) for route in step.routes)
        limit = self._titles.get(step.limit or "", "")
        return self.say(DONE[step.do], routes=routes, limit=limit, amount=amount, price=price)

    def _until(self, step: Step) -> Iterator[str]:
        if step.until == "under the limit":
            yield self.say(_("until your use is back under the amount"))
        elif step.until == "window end":
            yield self.say(_("until the period is over"))
        elif step.until is not None:
            yield self.say(_("for {span}"), span=span_text(step.until, self.language))
        if step.review is not None:
            span = span_text(step.review, self.language)
            yield self.say(_("and we look at it again after {span}"), span=span)

    def _price(self, step: Step) -> str:
        """Say the policy's prices; an account may have its own instead (D17)."""
        tariffs = sorted(
            self.policy.tariffs.get(step.tariff or "", ()), key=lambda tariff: tariff.from_
        )
        unit = self._unit(step)
        if not tariffs or unit is None:
            return self.say(_("at the tariff of your contract"))
        price = prices_text(tariffs, tariffs[0].from_, unit, self.language)
        return self.say(_("at {price}, unless your contract has another price"), price=price)

    def _unit(self, step: Step) -> Unit | None:
        """Give the unit that a step charges: that of the first limit it is taken for."""
        limits = self.policy.limits
        parts = [part for part in self._parts if step in (*part.steps, *part.instead)]
        rules = [rule for part in parts for rule in part.rules]
        limit = next((limits[rule] for rule in rules if rule in limits), None)
        if limit is None:
            return None
        meter = self.policy.meters[limit.meter]
        return Unit(meter.unit, meter.plural, meter.decimals, self.policy.words)
