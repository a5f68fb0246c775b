"""Amounts, as a policy's text writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from fairuse.base.texts import marked as _
from fairuse.base.texts import number
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
from fairuse.rules.render_words import Words

if TYPE_CHECKING:
    from fairuse.rules.expression import Node


FUNCTIONS = {
    "ceil": _("({part}, rounded up)"),
    "floor": _("({part}, rounded down)"),
    "min": _("(the smaller of {part} and {other})"),
    "max": _("(the larger of {part} and {other})"),
    "sum": _("(the sum over your packages of {part})"),
}
SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}  # noqa: RUF001  as people write them
SUMS = "+-"
BRACKETS = {"+": ("", ""), "-": ("", SUMS), "*": (SUMS, SUMS), "/": (SUMS, "")}
"""The operations that need brackets to the left and to the right of each sign."""


class AmountWriter(Words):
    """Writes amounts as sums and products that people can read."""

    def amount(self, amount: Expression) -> str:
        """Write an amount; the limits that it names are the agreed ones."""
        text = self._node(amount.root, inside=False)
        outer = text.startswith("(") and text.endswith(")") and isinstance(amount.root, Call)
        return text[1:-1] if outer else text

    def figure(self, figure: Expression) -> str:
        """Write a package's figure, which names other figures and no limits."""
        return self._node(figure.root, inside=True)

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
