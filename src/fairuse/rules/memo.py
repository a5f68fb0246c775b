"""Memos: what operators are told, because it waits for one of them.

They are in English, as the commands are that they name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.notice import where

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure

OPERATORS = "operators"
"""Whom memos are for, where a notice has its tenant: `notices.webhooks` has their secret so."""
KIND = "operators"
"""The kind of their notices."""


class Memo(NamedTuple):
    """Something that waits for an operator; `once` names it, so that it is told once."""

    about: str
    subject: str
    body: str
    once: str


def more_is_wanted(case: Case, by: str) -> Memo:
    """Tell that a customer asks for more than is agreed (A26, A27)."""
    return _of_case(
        case,
        "more-capacity",
        f"asks for more capacity: {case.account}",
        f"{by} chose “Ask for more capacity”. Grant it with `fairuse override` or `fairuse topup`,"
        " or say no.",
        f"{case.id}:{case.version}",
    )


def approval_is_due(case: Case, measure: Measure) -> Memo:
    """Tell that a measure or a charge was proposed, and waits to be approved (A18)."""
    return _of_case(
        case,
        "approval",
        f"waits for an approval: {measure.kind}, {case.account}",
        f"“{measure.kind}” is proposed, because {measure.reason}. Nothing happens until"
        f" `fairuse approve {case.id}` or `fairuse reject {case.id}`.",
        str(measure.id),
    )


def review_is_due(measure: Measure) -> Memo:
    """Tell that the day has come on which somebody looks at a measure again (P6)."""
    return Memo(
        "review",
        f"Case {measure.case} is to be looked at again: {measure.kind}, {measure.account}",
        f"“{measure.kind}” is in force for {measure.account}, and has no end of its own.\n"
        "\n"
        f"`fairuse close {measure.case}` ends it, `fairuse extend {measure.case}` sets another"
        " day.",
        f"review:{measure.id}:{measure.review_at}",
    )


def talk_is_due(case: Case) -> Memo:
    """Tell that the terms are to be talked about (E32)."""
    return _of_case(
        case,
        "talk",
        f"is to be talked about: {case.account}",
        "The policy says that the terms are talked about now. Say how it went with"
        f" `fairuse close {case.id} --outcome agreed`, or `failed`.",
        f"{case.id}:{case.version}",
    )


def notice_is_dead(
    delivery: int, account: str, subject: str, to: str, error: str, moment: float
) -> Memo:
    """Tell that a notice did not arrive, and nobody tries any more."""
    return Memo(
        "dead-notice",
        f"A notice did not arrive: {account}",
        f"“{subject}” for {account} could not be delivered to {to}: {error}.\n"
        "\n"
        f"`fairuse resend {delivery}` sends it once more; `fairuse notices` lists all such.",
        f"dead-notice:{delivery}:{moment}",
    )


def call_is_due(delivery: int, account: str, subject: str, to: str) -> Memo:
    """Tell that a customer is to be told of a notice by telephone (E30)."""
    return Memo(
        "call",
        f"A call is to be made: {account}",
        f"Tell {account} of “{subject}”: {to}. Then tick it off with `fairuse done {delivery}`:"
        " until then the customer counts as not told.",
        f"call:{delivery}",
    )


def _of_case(case: Case, about: str, subject: str, body: str, once: str) -> Memo:
    place = where(dict(case.scope), "en")
    figures = f"{case.latest:,} of {case.amount:,} as they are counted"
    return Memo(
        about,
        f"Case {case.id} {subject}",
        f"{body}\n"
        "\n"
        f"Case {case.id}: account {case.account}{place}, {case.rule}, {figures}."
        f" `fairuse cases {case.id}` shows it.",
        f"{about}:{once}",
    )
