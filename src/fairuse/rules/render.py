"""The customer's text of a policy, written from its file alone: Markdown, in nl, de or en.

What is promised and what is enforced can't drift apart, because both are the same file.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from fairuse.base.texts import day_text, either, number, span_text, translate, window_text
from fairuse.rules.consequences import charges_from_the_limit, may_switch_tariff
from fairuse.rules.expression import (
    Average,
    Call,
    Expression,
    Named,
    Number,
    Operation,
    OwnMedian,
    Percent,
)
from fairuse.rules.meters import WHATEVER_THE_ANSWER
from fairuse.rules.promises import PROMISES
from fairuse.rules.render_ladder import BY_THE_UNIT, FROM_THE_LIMIT, HEADING, LadderWriter
from fairuse.rules.windows import Always, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.emergency import Episodes
    from fairuse.rules.expression import Node
    from fairuse.rules.meters import CohortAverage, Measure, Meter
    from fairuse.rules.policy import Limit, Over, Policy


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated when it is written."""
    return text


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
COUNTED: dict[Measure, str] = {
    "requests": _("What the service accepted counts once; what it refused or failed at doesn't."),
    "bytes": _("What really went in either direction counts, also of broken answers."),
    "bytes in": _("What was really received counts."),
    "bytes out": _("What was really sent counts, also of broken answers."),
    "seconds open": _("The time a connection is open counts."),
    "in flight": _("What is under way at the same time counts."),
    "gauge": _("What there is at a moment counts."),
    "users": _("Different users count, each once."),
    "locations": _("Different locations count, each once."),
    "addresses": _("Different addresses count, each once."),
    "open items": _("What is open at a moment counts."),
}
WHOM = {
    "package": _("all accounts with the same packages"),
    "policy": _("all accounts"),
}
METHODS = {
    "mean": _("the mean of {whom}"),
    "mean excluding self": _("the mean of {whom}, your own left out"),
    "trimmed mean": _("the mean of {whom}, the highest and the lowest tenth left out"),
    "median": _("the median of {whom}"),
}
REFRESH = {
    "yearly": _("fixed once a year"),
    "monthly": _("fixed at the beginning of each month"),
    "manual": _("fixed by us from time to time"),
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
FUNCTIONS = {
    "ceil": _("({part}, rounded up)"),
    "floor": _("({part}, rounded down)"),
    "min": _("(the smaller of {part} and {other})"),
    "max": _("(the larger of {part} and {other})"),
    "sum": _("(the sum over your packages of {part})"),
}
SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}  # noqa: RUF001  as people write them
NONE = "–"  # noqa: RUF001
SUMS = "+-"
BRACKETS = {"+": ("", ""), "-": ("", SUMS), "*": (SUMS, SUMS), "/": (SUMS, "")}
"""The operations that need brackets to the left and to the right of each sign."""


def render(policy: Policy, language: str) -> str:
    """Write a policy for its customers."""
    writer = _Writer(policy, language)
    parts = [f"# {policy.word(policy.title, language)}", *writer.about()]
    parts += [writer.heading(_("What is agreed")), "\n".join(writer.limits())]
    if policy.packages:
        parts += [writer.heading(_("Packages")), writer.packages()]
    parts += [writer.heading(_("How it is counted")), "\n".join(writer.counting())]
    ladder = "\n".join(writer.ladder())
    if ladder:
        parts += [writer.heading(HEADING), ladder]
    parts += [writer.heading(_("What we do, and what we don't")), "\n".join(writer.process())]
    return "\n\n".join(parts) + "\n"


class _Writer:
    """Writes the parts of one policy in one language."""

    def __init__(self, policy: Policy, language: str) -> None:
        self.policy = policy
        self.language = language

    def say(self, text: str, **words: str) -> str:
        """Translate a text and fill its gaps."""
        return translate(self.language, text).format_map(words)

    def heading(self, text: str) -> str:
        return f"## {self.say(text)}"

    def word(self, text: str) -> str:
        return self.policy.word(text, self.language)

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
            amount = self.say(_("at most {amount}"), amount=self._amount(limit.amount))
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
                span=self._seconds(limit.then.after.seconds),
                length=self._seconds(limit.then.for_),
                longest=self._seconds(limit.then.at_most),
            )

    def _seconds(self, seconds: int) -> str:
        """Write a span of time in the largest unit that fits."""
        for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
            if seconds % length == 0:
                return window_text(f"{seconds // length} {unit}", self.language)
        return window_text(f"{seconds} second", self.language)

    def _amount(self, amount: Expression) -> str:
        text = self._node(amount.root, inside=False)
        outer = text.startswith("(") and text.endswith(")") and isinstance(amount.root, Call)
        return text[1:-1] if outer else text

    def _node(self, node: Node, *, inside: bool) -> str:
        match node:
            case Number():
                return self._number(node)
            case Named():
                return self._named(node.name, inside=inside)
            case Average():
                return self.say(_("the average"))
            case OwnMedian():
                return self.say(_("your own median"))
            case Percent():
                of = self._part(node.of, SUMS, inside=inside)
                return self.say(_("{share}% of {of}"), share=self._number(node.share), of=of)
            case Operation():
                before, after = BRACKETS[node.sign]
                left = self._part(node.left, before, inside=inside)
                right = self._part(node.right, after, inside=inside)
                return f"{left} {SIGNS[node.sign]} {right}"
        if node.function == "sum" and self._is_count(node.parts[0]):
            return self._node(node.parts[0], inside=True)
        inside = inside or node.function == "sum"
        parts = [self._node(part, inside=inside) for part in node.parts]
        return self.say(FUNCTIONS[node.function], part=parts[0], other=parts[-1])

    def _is_count(self, node: Node) -> bool:
        return isinstance(node, Named) and node.name in self.policy.counts

    def _part(self, node: Node, bracketed: str, *, inside: bool) -> str:
        text = self._node(node, inside=inside)
        return f"({text})" if isinstance(node, Operation) and node.sign in bracketed else text

    def _number(self, node: Number) -> str:
        value, _space, unit = node.text.partition(" ")
        shown = number(Decimal(value.replace("_", "")), self.language)
        return f"{shown} {unit}" if unit else shown

    def _named(self, name: str, *, inside: bool) -> str:
        if name in self.policy.counts:
            things = self.word(self.policy.counts[name])
            return self.say(_("the number of {things}"), things=things)
        if not inside and name in self.policy.limits:
            meter = self.policy.meters[self.policy.limits[name].meter]
            return self.say(_("the agreed {units}"), units=self.word(meter.plural))
        return self.say(_("“{name}”"), name=self.word(name))

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
        return NONE if figure is None else self._node(figure.root, inside=True)

    def counting(self) -> Iterator[str]:
        """Write one paragraph a meter, and how averages are found."""
        for meter in self.policy.meters.values():
            what = self.word(meter.plural)
            yield f"- **{what[0].upper() + what[1:]}**: {' '.join(self._counted(meter))}"

    def _counted(self, meter: Meter) -> Iterator[str]:
        if meter.shorter_than is not None:
            span = self._seconds(meter.shorter_than)
            yield self.say(_("Only what is shorter than {span} counts."), span=span)
        if meter.longer_than is not None:
            span = self._seconds(meter.longer_than)
            yield self.say(_("Only what is longer than {span} counts."), span=span)
        yield from map(self.say, _what_counts(meter))
        if meter.average is not None:
            yield from self._average(meter.average)
        yield from self._medians(meter)
        if meter.ageing is not None:
            into = self.policy.meters[meter.ageing.into]
            after = window_text(f"{meter.ageing.after} months", self.language)
            if meter.ageing.by == "contract year":
                after = self.say(_("the end of the contract year"))
            yield self.say(
                _(
                    "What is still open after {after} counts as {units} then; we warn you"
                    " {warning} before."
                ),
                after=after,
                units=self.word(into.plural),
                warning=window_text(f"{meter.ageing.warn} months", self.language),
            )

    def _average(self, average: CohortAverage) -> Iterator[str]:
        per = self.word(self.policy.counts[average.per]) if average.per else ""
        yield self.say(
            _(
                "The average is {method}, per month over {months}{per}; it is {refresh} and holds"
                " as soon as there are {fewest} such accounts."
            ),
            method=self.say(METHODS[average.method], whom=self.say(WHOM[average.cohort])),
            months=window_text(f"{average.over} months", self.language),
            per=self.say(_(", divided by the number of {things}"), things=per) if per else "",
            refresh=self.say(REFRESH[average.refresh]),
            fewest=number(average.at_least, self.language),
        )
        if average.otherwise is None:
            yield self.say(_("Until then limits that rest on it are not in force."))
        else:
            amount = self._amount(average.otherwise)
            yield self.say(_("Until then it is taken as {amount}."), amount=amount)

    def _medians(self, meter: Meter) -> Iterator[str]:
        """Say what the account's own median is, for each window it is taken of."""
        limits = [limit for limit in self.policy.limits.values() if limit.amount.uses(OwnMedian)]
        spans = [str(limit.window) for limit in limits if self.policy.meters[limit.meter] is meter]
        for span in dict.fromkeys(spans):
            yield self.say(
                _(
                    "Your own median is the middle value of what you used per {span} before;"
                    " a {span} without use is left out."
                ),
                span=window_text(span, self.language),
            )

    def ladder(self) -> Iterator[str]:
        """Write what happens over an amount that refuses nothing."""
        titles = {name: self._title(limit) for name, limit in self.policy.limits.items()}
        return LadderWriter(self.policy, self.language, titles, self._amount).lines()

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


def _what_counts(meter: Meter) -> Iterator[str]:
    """Say what counts, as far as the answer decides it."""
    if meter.measure == "requests" and meter.whatever_the_answer:
        yield _("Every request counts, whatever the answer.")
        return
    yield COUNTED[meter.measure]
    if meter.measure in WHATEVER_THE_ANSWER and not meter.whatever_the_answer:
        yield _("Only what the service accepted counts.")
