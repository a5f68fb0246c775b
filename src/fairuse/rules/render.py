"""The customer's text of a policy, written from its file alone: Markdown, in nl, de or en.

What is promised and what is enforced can't drift apart, because both are the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import day_text, either, number, span_text, window_text
from fairuse.base.texts import marked as _
from fairuse.rules.consequences import charges_from_the_limit, may_switch_tariff
from fairuse.rules.promises import PROMISES
from fairuse.rules.render_amount import AmountWriter
from fairuse.rules.render_counting import CountingWriter
from fairuse.rules.render_ladder import BY_THE_UNIT, FROM_THE_LIMIT, HEADING, LadderWriter
from fairuse.rules.render_words import Words
from fairuse.rules.windows import Always, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.emergency import Episodes
    from fairuse.rules.expression import Expression
    from fairuse.rules.policy import Limit, Over, Policy


OVER: dict[Over, str] = {
    "refuse": _("Beyond it requests are refused until there is room again; no longer than that."),
    "deny user": _("Beyond it further users are refused; those who are active already go on."),
    "case": _("Beyond it nothing is refused: we tell you, and look for a way together."),
    "charge": _(
        "Beyond it nothing is refused: we tell you, and what is above it may be charged at the"
        " tariff of your contract, unless you bought more beforehand."
    ),
    "signal": _("Beyond it one of us has a look; nothing happens by itself."),
}
BLOCK = {
    "account, address": _(
        "After {refusals} refusals in {span} the account is blocked at this address for {length},"
        " longer each time, up to {longest}; it stays active and is served from other addresses."
    ),
    "address": _(
        "After {refusals} refusals in {span} this address is blocked for everybody for {length},"
        " longer each time, up to {longest}; the account stays active."
    ),
}
EMERGENCY = {
    "block address": _("block addresses"),
    "throttle": _("refuse what an account asks above its fair share"),
}
SCOPES = {
    "location": _("for each location"),
    "user": _("for each user"),
    "address": _("for each address"),
}
NONE = "–"  # noqa: RUF001


def render(policy: Policy, language: str) -> str:
    """Write a policy for its customers."""
    writer = _Writer(policy, language)
    parts = [f"# {policy.word(policy.title, language)}", *writer.about()]
    parts += [writer.heading(_("What is agreed")), "\n".join(writer.limits())]
    if policy.packages:
        parts += [writer.heading(_("Packages")), writer.packages()]
    counting = "\n".join(CountingWriter(policy, language).lines())
    parts += [writer.heading(_("How it is counted")), counting]
    ladder = "\n".join(writer.ladder())
    if ladder:
        parts += [writer.heading(HEADING), ladder]
    parts += [writer.heading(_("What we do, and what we don't")), "\n".join(writer.process())]
    return "\n\n".join(parts) + "\n"


class _Writer(Words):
    """Writes the parts of one policy in one language."""

    def __init__(self, policy: Policy, language: str) -> None:
        super().__init__(policy, language)
        self._amounts = AmountWriter(policy, language)

    def heading(self, text: str) -> str:
        return f"## {self.say(text)}"

    def about(self) -> Iterator[str]:
        applies, version = self.policy.applies, self.policy.version
        if version is not None:
            yield self.say(
                _("Version {name}: announced on {announced}, in force from {effective} on."),
                name=version.name,
                announced=day_text(version.announced, self.language),
                effective=day_text(version.effective, self.language),
            )
            changes = self.word(version.changes)
            yield self.say(_("What is different: {changes}"), changes=changes)
        if applies.contracts_from is not None:
            yield self.say(
                _("For contracts that were made, changed or renewed on or after {day}."),
                day=day_text(applies.contracts_from, self.language),
            )
        if applies.packages is not None:
            titles = [self.word(self.policy.packages[name].title) for name in applies.packages]
            yield self.say(_("For these packages: {packages}."), packages=", ".join(titles))

    def limits(self) -> Iterator[str]:
        """Write one paragraph a limit: how much, of what, and what happens beyond it."""
        for limit in self.policy.limits.values():
            amount = self.say(_("at most {amount}"), amount=self._amounts.amount(limit.amount))
            yield f"- **{self._title(limit)}**: {amount}. {' '.join(self._over(limit))}"

    def _title(self, limit: Limit) -> str:
        """Name a limit by what it is about."""
        what = self.word(self.policy.meters[limit.meter].plural)
        scopes = [self.say(SCOPES[part]) for part in limit.scope]
        return ", ".join([what[0].upper() + what[1:], self._window(limit), *scopes])

    def _window(self, limit: Limit) -> str:
        if isinstance(limit.window, Always):
            return self.say(_("at any time"))
        span = window_text(str(limit.window), self.language)
        if self.policy.meters[limit.meter].kind == "level":
            return self.say(_("the highest number at one time in each {span}"), span=span)
        if isinstance(limit.window, Calendar):
            return self.say(_("per {span}"), span=span)
        return self.say(_("within any {span}"), span=span)

    def _over(self, limit: Limit) -> Iterator[str]:
        if limit.case_after is None:
            yield self.say(OVER[limit.over])
        else:
            yield self.say(
                _(
                    "Beyond it nothing is refused, only noted; if that happens {breaches} times"
                    " within {months}, we look at it together with you."
                ),
                breaches=number(limit.case_after.breaches, self.language),
                months=window_text(f"{limit.case_after.months} months", self.language),
            )
        if limit.then is not None:
            yield self.say(
                BLOCK[limit.then.block],
                refusals=number(limit.then.after.refusals, self.language),
                span=span_text(limit.then.after.seconds, self.language),
                length=span_text(limit.then.for_, self.language),
                longest=span_text(limit.then.at_most, self.language),
            )

    def packages(self) -> str:
        """Write a table of the packages and their figures."""
        packages = self.policy.packages.values()
        figures = list(dict.fromkeys(name for package in packages for name in package.figures))
        sold = any(package.sold_by for package in packages)
        head = [self.say(_("package")), *map(self.word, figures)]
        if sold:
            head.insert(1, self.say(_("sold by the number of")))
        rows = [head, ["---"] * len(head)]
        for package in packages:
            row = [self.word(package.title)]
            if sold:
                row.append(self.word(self.policy.counts.get(package.sold_by or "", NONE)))
            row += [self._figure(package.figures.get(name)) for name in figures]
            rows.append(row)
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _figure(self, figure: Expression | None) -> str:
        return NONE if figure is None else self._amounts.figure(figure)

    def ladder(self) -> Iterator[str]:
        """Write what happens over an amount that refuses nothing."""
        titles = {name: self._title(limit) for name, limit in self.policy.limits.items()}
        return LadderWriter(self.policy, self.language, titles, self._amounts.amount).lines()

    def process(self) -> Iterator[str]:
        """Write what happens when limits are gone over, and what is promised."""
        again = self.policy.case_after
        if again is not None:
            yield "- " + self.say(
                _(
                    "Whoever goes over agreed amounts {breaches} times within {months} may be"
                    " asked to talk about the terms again."
                ),
                breaches=number(again.breaches, self.language),
                months=window_text(f"{again.months} months", self.language),
            )
        if self.policy.overload is not None:
            needed = self.policy.overload.case_after
            yield "- " + self.say(
                _(
                    "Whoever's use overloads the service {episodes} times within {span} may be"
                    " asked to talk about it; once is nothing."
                ),
                episodes=number(needed.episodes, self.language),
                span=self._span(needed),
            )
        if self.policy.emergency.allowed:
            acts = [self.say(EMERGENCY[name]) for name in self.policy.emergency.allowed]
            yield "- " + self.say(
                _(
                    "Only where the load leaves no time to tell you first may we {acts}; you hear"
                    " of it as soon as possible."
                ),
                acts=either(acts, self.language),
            )
        for promise in self._promises():
            yield f"- {self.say(promise)}"

    def _span(self, needed: Episodes) -> str:
        if needed.months:
            return window_text(f"{needed.months} months", self.language)
        return span_text(needed.seconds, self.language)

    def _promises(self) -> Iterator[str]:
        """Give the promises; of the fifth, what the policy's own charges leave of it."""
        promises = dict(PROMISES)
        if charges_from_the_limit(self.policy):
            promises["P5"] = FROM_THE_LIMIT
        for name, text in promises.items():
            yield text
            if name == "P5" and may_switch_tariff(self.policy):
                yield BY_THE_UNIT
