"""Choices: what a customer can choose in a case (A23), by signed links good for one thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from itsdangerous import BadSignature, URLSafeSerializer

from fairuse.base.texts import marked as _
from fairuse.base.texts import translate
from fairuse.rules.ladder import LADDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.process import Ladder

CHOICE_PATH = "/fairuse/choice"
POLICY_PATH = "/fairuse/policy"
UNEXPLAINED_PATH = "/fairuse/unexplained"
DECLINE = "decline"

Via = Literal["link", "key", "operator"]
"""How a choice came to us: by a link of a notice, with the account's key, or through a person."""


CHOSEN: dict[str, Happening] = {
    "accept charges": "accepted",
    "reduce": "reducing",
    "extra capacity": "extended",
    DECLINE: "declined",
}
"""What choosing an option does to a case."""

TITLES: dict[str, str] = {
    "accept charges": _("Agree to the charges"),
    "reduce": _("Bring the use back"),
    "extra capacity": _("Ask for more capacity"),
    DECLINE: _("None of these"),
}
"""The options in a few words."""

GIVES_TIME = frozenset({"reduce", "extra capacity"})
"""What takes a while to be done, so that who chooses it on the last day has a grace for it."""


class CaseLinked(NamedTuple):
    """Which case of whom a link is about, and what it chooses, if anything."""

    case: int
    account: str
    option: str = ""


class PolicyLinked(NamedTuple):
    """Which policy a link shows to whom: the name of its version, as in booking@2026-11."""

    account: str
    version: str


class Choice(NamedTuple):
    """A choice that was made: when (seconds since 1970), by whom, and how it came to us."""

    option: str
    at: float
    by: str
    via: str


@dataclass(frozen=True, slots=True)
class Portal:
    """Where customers choose: the address they reach the gateway at, and the key of its links."""

    url: str
    secret: str = field(repr=False)

    def link(self, case: Case, option: str) -> str:
        """Give the link by which a customer chooses an option in a case."""
        return f"{self.url.rstrip('/')}{CHOICE_PATH}/{self.token(case, option)}"

    def token(self, case: Case, option: str) -> str:
        """Give the last part of that link."""
        return str(self._signer("choice").dumps([case.id, case.account, option]))

    def chosen(self, token: str) -> CaseLinked | None:
        """Read a link's token; None for one that is not ours."""
        try:
            case, account, option = self._signer("choice").loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return CaseLinked(case, account, option) if option in CHOSEN else None

    def policy_link(self, account: str, version: str) -> str:
        """Give the link by which a customer reads a version of their policy (B03)."""
        return f"{self.url.rstrip('/')}{POLICY_PATH}/{self.policy_token(account, version)}"

    def policy_token(self, account: str, version: str) -> str:
        """Give the last part of that link."""
        return str(self._signer("policy").dumps([account, version]))

    def policy_linked(self, token: str) -> PolicyLinked | None:
        """Read such a link's token; None for one that is not ours."""
        try:
            account, version = self._signer("policy").loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return PolicyLinked(account, version)

    def unexplained_link(self, case: Case) -> str:
        """Give the link by which a customer says that they can't explain the use (C17)."""
        return f"{self.url.rstrip('/')}{UNEXPLAINED_PATH}/{self.unexplained_token(case)}"

    def unexplained_token(self, case: Case) -> str:
        """Give the last part of that link: it chooses nothing, and a choice's is none."""
        return str(self._signer("unexplained").dumps([case.id, case.account]))

    def unexplained(self, token: str) -> CaseLinked | None:
        """Read such a token; None for one that is not ours."""
        try:
            case, account = self._signer("unexplained").loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return CaseLinked(case, account)

    def _signer(self, what: str) -> URLSafeSerializer:
        """Give what signs one kind of link: none passes for another."""
        return URLSafeSerializer(
            self.secret,
            salt=f"fairuse {what}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def options(rule: str, ladder: Ladder) -> list[str]:
    """Give what a customer can choose between under a rule; [] where nothing is offered."""
    offered: list[str] = [*ladder.offers(rule)]
    return [*offered, DECLINE] if offered else []


def open_options(case: Case, ladder: Ladder, made: Sequence[Choice], moment: float) -> list[str]:
    """Give what can be chosen now, after the choices that were made, oldest first."""
    last = made[-1].option if made else None
    return [
        option
        for option in options(case.rule, ladder)
        if option != last
        and CHOSEN[option] in LADDER[case.state]
        and (option not in GIVES_TIME or time_for(case, option, ladder, made, moment) > moment)
    ]


def time_for(
    case: Case, option: str, ladder: Ladder, made: Sequence[Choice], moment: float
) -> float:
    """Give until when a customer has time who chooses an option now.

    Each option gives its time once: choosing again and again puts nothing off.
    """
    until = moment if case.answer_by is None else case.answer_by
    if option not in GIVES_TIME or any(choice.option == option for choice in made):
        return until
    return max(until, moment + ladder.grace)


def choices_text(case: Case, ladder: Ladder, portal: Portal | None, language: str) -> str:
    """Write the lines that a notice shows: each option, and the link that chooses it.

    Without a portal customers choose by answering; whom, the notice says itself.
    """
    offered = options(case.rule, ladder)
    if not offered:
        return ""
    titles = {option: translate(language, TITLES[option]) for option in offered}
    if portal is not None:
        lines = [f"{title}:\n{portal.link(case, option)}" for option, title in titles.items()]
    else:
        answer = translate(language, _("Tell the contact below which of these you choose."))
        lines = [*(f"- {title}" for title in titles.values()), answer]
    return "\n".join(lines)
