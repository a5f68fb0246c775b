"""The part of a policy's text that says what counts, and how averages are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import marked as _
from fairuse.base.texts import number, span_text, window_text
from fairuse.rules.expression import OwnMedian
from fairuse.rules.meters import WHATEVER_THE_ANSWER
from fairuse.rules.render_amount import AmountWriter
from fairuse.rules.render_words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.meters import CohortAverage, Measure, Meter


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


class CountingWriter(Words):
    """Writes how each meter of a policy counts."""

    def lines(self) -> Iterator[str]:
        """Write one paragraph a meter, and how averages are found."""
        for meter in self.policy.meters.values():
            what = self.word(meter.plural)
            yield f"- **{what[0].upper() + what[1:]}**: {' '.join(self._counted(meter))}"

    def _counted(self, meter: Meter) -> Iterator[str]:
        if meter.shorter_than is not None:
            span = span_text(meter.shorter_than, self.language)
            yield self.say(_("Only what is shorter than {span} counts."), span=span)
        if meter.longer_than is not None:
            span = span_text(meter.longer_than, self.language)
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
            amount = AmountWriter(self.policy, self.language).amount(average.otherwise)
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


def _what_counts(meter: Meter) -> Iterator[str]:
    """Say what counts, as far as the answer decides it."""
    if meter.measure == "requests" and meter.whatever_the_answer:
        yield _("Every request counts, whatever the answer.")
        return
    yield COUNTED[meter.measure]
    if meter.measure in WHATEVER_THE_ANSWER and not meter.whatever_the_answer:
        yield _("Only what the service accepted counts.")
