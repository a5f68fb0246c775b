"""What every customer is promised, whatever the policy."""

from __future__ import annotations


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated when it is written."""
    return text


PROMISES = {
    "P1": _("Nothing is charged before you were told."),
    "P2": _("Nothing is suspended and no contract is ended before we were in contact with you."),
    "P3": _(
        "Overload never closes your account: addresses may be blocked, your account stays active."
    ),
    "P4": _("Where nothing is refused, going over an amount changes no answer you get."),
    "P5": _("Only what comes after our notice and above the agreed amount is charged."),
    "P6": _("Every measure ends by itself, or is looked at again on a day that you know."),
    "P7": _("A changed amount or policy never acts backwards."),
    "P8": _("Whatever you use counts once."),
    "P9": _("A measure hits what it is meant for and nothing else."),
    "P10": _("Every refusal says which rule, how much, until when, and whom to ask."),
}
