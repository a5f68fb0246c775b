"""Where use came from, in words for the customer (C16), and what to check who can't explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import day_text, number, percent, translate
from fairuse.base.texts import marked as _
from fairuse.rules.evidence import MOST_SHOWN
from fairuse.rules.notice import Notice

if TYPE_CHECKING:
    from fairuse.rules.choices import Portal
    from fairuse.rules.evidence import Evidence, Share
    from fairuse.rules.ladder import Case

MOST_IN_A_MAIL = 3


HEADING = _("Where it came from")
BASIS = _("Shares of what was used in {requests} requests since {day}")
SAMPLED = _("Shares of what was used in about {requests} requests since {day}, by a sample of them")
TITLES: dict[str, str] = {
    "addresses": _("Addresses"),
    "paths": _("Paths"),
    "agents": _("Programs"),
    "errors": _("Errors, of all requests"),
}
NOT_NAMED = {"agents": _("not named"), "errors": _("no answer")}

UNEXPLAINED = Notice(
    _("What to check if you can't explain your use: {rule}"),
    _(
        "You told us that you can't explain the use of account {account}{where}. It may be a sign"
        " of malware, or of somebody else who uses your account. Please check:\n"
        "\n"
        "{advice}\n"
        "\n"
        "Your answer changes nothing else: nothing is charged or switched off because of it, and"
        " what you can choose stays the same. Tell us what you find, or ask us for help:"
        " {contact}."
    ),
)
ADVICE = (
    _("Which of your people and systems use the addresses, paths and programs it came from?"),
    _(
        "Is there malware on your website or your computers? Look for it, and for changes and users"
        " that are not yours, and bring programs and plugins up to date."
    ),
    _(
        "Who knows your API keys and passwords? Change those that others may know, and ask us for"
        " new keys."
    ),
    _("Does a script or an integration repeat itself? Stop it, and see whether the use goes back."),
)
"""What to check, most likely first (C17)."""


class Group(NamedTuple):
    """The largest shares of a kind, each with its value."""

    title: str
    values: list[str]


def groups(evidence: Evidence, language: str, most: int = MOST_SHOWN) -> list[Group]:
    """Write the shares, kind by kind; a kind of which nothing is known is left out."""
    found = []
    for name, title in TITLES.items():
        shares: tuple[Share, ...] = getattr(evidence, name)
        if shares:
            named = translate(language, NOT_NAMED[name]) if name in NOT_NAMED else ""
            values = [
                f"{share.value or named} ({percent(share.share, language)})"
                for share in shares[:most]
            ]
            found.append(Group(translate(language, title), values))
    return found


def basis(evidence: Evidence, language: str) -> str:
    """Say what the shares are of."""
    text = translate(language, SAMPLED if evidence.sampled else BASIS)
    day = day_text(evidence.since, language)
    return text.format(requests=number(evidence.requests, language), day=day)


def block(evidence: Evidence, language: str) -> str:
    """Write the part of a mail that says where use came from."""
    lines = (
        f"- {title}: {', '.join(values)}"
        for title, values in groups(evidence, language, MOST_IN_A_MAIL)
    )
    heading = translate(language, HEADING)
    return "\n".join((heading, f"{basis(evidence, language)}:", *lines))


def question(case: Case, portal: Portal | None, language: str) -> str:
    """Ask in a notice whether the customer can explain the use (C17)."""
    if portal is None:
        return translate(
            language,
            _(
                "If you can't explain this use, ask us: it may be a sign of malware, or of somebody"
                " else who uses your account."
            ),
        )
    text = translate(
        language, _("If you can't explain this use, tell us, and you hear what to check:\n{link}")
    )
    return text.format(link=portal.unexplained_link(case))


def advice(language: str) -> list[str]:
    """Give what to check."""
    return [translate(language, text) for text in ADVICE]
