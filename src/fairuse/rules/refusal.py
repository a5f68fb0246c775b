"""Refusals as RFC 9457 problem details: the rule, the figures, until when, whom to contact (P10).

`PROBLEMS` is the whole list of what a client can be told. The types are those of
draft-ietf-httpapi-ratelimit-headers-11 where one fits, `about:blank` elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import iso_time, local_time, translate, window_text
from fairuse.base.texts import marked as _
from fairuse.base.wire import json_bytes

if TYPE_CHECKING:
    from datetime import tzinfo

    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.units import Unit

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ABNORMAL_USAGE = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
BLANK = "about:blank"

SUSPENDED = "urn:fairuse:problem:suspended"
FEATURE_OFF = "urn:fairuse:problem:feature-off"
NO_NEW_USERS = "urn:fairuse:problem:no-new-users"
"""What a measure does; no registered type says so."""

USAGE_PATH = "/fairuse/usage"
EVENTS_PATH = "/fairuse/events"

MOST_WORDINGS = 512
"""Of refusals that are kept written; a reason may be as long as a head."""


class Problem(NamedTuple):
    """One kind of refusal: status, type, and its sentences in English."""

    status: HTTPStatus
    type: str
    title: str
    detail: str


PROBLEMS = {
    "ambiguous-request": Problem(
        HTTPStatus.BAD_REQUEST,
        BLANK,
        _("This request can be read in more than one way"),
        _("The request was refused before anything was counted: {reason}."),
    ),
    "method-not-allowed": Problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        BLANK,
        _("This method is not passed on"),
        _("The request was refused before anything was counted: {reason}."),
    ),
    "loop": Problem(
        HTTPStatus.LOOP_DETECTED,
        BLANK,
        _("This request goes round in a loop"),
        _(
            "It came back to the gateway that had passed it on, and was refused before anything"
            " was counted. Its operator has to name another upstream."
        ),
    ),
    "too-large": Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        BLANK,
        _("This request is too large to be read"),
        _("Its body is read here, of at most {reason} bytes."),
    ),
    "unreadable-cost": Problem(
        HTTPStatus.BAD_REQUEST,
        BLANK,
        _("This request does not say clearly what it costs"),
        _("The request was refused before anything was counted: {reason}."),
    ),
    "unknown-caller": Problem(
        HTTPStatus.UNAUTHORIZED,
        BLANK,
        _("No account is known by this key"),
        _("Send your API key in the header {header}. Nothing was counted for any account."),
    ),
    "unknown-callers": Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        QUOTA_EXCEEDED,
        _("Too many requests without a known key"),
        _(
            "Your address sent {used} requests without a known key;"
            " {amount} per {window} are let through."
        ),
    ),
    "runaway": Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        ABNORMAL_USAGE,
        _("Far more requests than usual in a short time"),
        _(
            "{used} of {amount} ({unit}) per {window} are used from your address."
            " Your account stays active; this request was not counted."
        ),
    ),
    "quota": Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        QUOTA_EXCEEDED,
        _("The agreed amount is used up"),
        _(
            "{used} of {amount} ({unit}) per {window} are used."
            " Your account stays active; this request was not counted."
        ),
    ),
    "seat": Problem(
        HTTPStatus.FORBIDDEN,
        QUOTA_EXCEEDED,
        _("All agreed users are taken"),
        _(
            "{used} of {amount} ({unit}) are active, and this one is not among them."
            " The others go on as before; this request was not counted."
        ),
    ),
    "full": Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        QUOTA_EXCEEDED,
        _("There is no room at the moment"),
        _(
            "{used} of {amount} ({unit}) are in use at the same time. There is room again as soon"
            " as some are released; this request was not counted."
        ),
    ),
    "blocked": Problem(
        HTTPStatus.FORBIDDEN,
        ABNORMAL_USAGE,
        _("This address is blocked for a while"),
        _(
            "Requests from your address are refused until {until}, because they went on after"
            " repeated refusals. Your account stays active and can be used from other addresses."
        ),
    ),
    "suspended": Problem(
        HTTPStatus.FORBIDDEN,
        SUSPENDED,
        _("This is suspended for a while"),
        _(
            "Requests like this one are refused {end}: {reason}. You were told beforehand; this"
            " request was not counted."
        ),
    ),
    "feature-off": Problem(
        HTTPStatus.FORBIDDEN,
        FEATURE_OFF,
        _("This feature is switched off for a while"),
        _(
            "The feature is switched off {end}: {reason}. Everything else can be used as before;"
            " this request was not counted."
        ),
    ),
    "no-new-users": Problem(
        HTTPStatus.FORBIDDEN,
        NO_NEW_USERS,
        _("No new users are let in for a while"),
        _(
            "Users who were not active before are refused {end}: {reason}. The others go on as"
            " before; this request was not counted."
        ),
    ),
    "store-away": Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        REDUCED_CAPACITY,
        _("What is used can't be looked up at the moment"),
        _("Your account stays active; this request was not counted. Please try again later."),
    ),
    "ledger-away": Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        REDUCED_CAPACITY,
        _("What was told can't be written at the moment"),
        _("Please send it again later: what was told before counts once."),
    ),
    "unknown-link": Problem(
        HTTPStatus.NOT_FOUND,
        BLANK,
        _("This link is not one of ours"),
        _("It may have been cut off. Please open the whole link as it stands in the notice."),
    ),
    "another-site": Problem(
        HTTPStatus.FORBIDDEN,
        BLANK,
        _("This was sent by another website"),
        _("Nothing was changed. Please open the link in the notice, and choose on its page."),
    ),
    "no-such-case": Problem(
        HTTPStatus.NOT_FOUND,
        BLANK,
        _("Your account has no such case"),
        _("The cases of your account are at /fairuse/cases."),
    ),
    "no-such-choice": Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        BLANK,
        _("This can't be chosen"),
        _("In this case there is to be chosen: {reason}."),
    ),
    "choice-over": Problem(
        HTTPStatus.CONFLICT,
        BLANK,
        _("This case can't be answered in this way any more"),
        _("Nothing was changed. {reason}"),
    ),
    "gateway-fault": Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        BLANK,
        _("This gateway could not handle the request"),
        _("It is not your fault. Nothing was counted for this request. Please try again later."),
    ),
    "upstream-unreachable": Problem(
        HTTPStatus.BAD_GATEWAY,
        BLANK,
        _("The service behind this gateway can't be reached"),
        _("Nothing was counted for this request. Please try again later."),
    ),
    "upstream-broken": Problem(
        HTTPStatus.BAD_GATEWAY,
        BLANK,
        _("The service behind this gateway gave no valid answer"),
        _("Nothing was counted for this request. Please try again later."),
    ),
    "upstream-busy": Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        REDUCED_CAPACITY,
        _("The service behind this gateway is busy"),
        _("Nothing was counted for this request. Please try again later."),
    ),
    "gateway-stopping": Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        REDUCED_CAPACITY,
        _("This gateway is being restarted"),
        _("Nothing was counted for this request. Please try again later."),
    ),
    "overload": Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        REDUCED_CAPACITY,
        _("The service is overloaded, and most of it is in use by your account"),
        _(
            "{used} requests of your account are under way, of {amount} that are its share until"
            " {until} at least. There is room again as soon as some are answered. Your account"
            " stays active; this request was not counted."
        ),
    ),
    "upstream-timeout": Problem(
        HTTPStatus.GATEWAY_TIMEOUT,
        BLANK,
        _("The service behind this gateway took too long"),
        _("Nothing was counted for this request. Please try again later."),
    ),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers behind a refusal."""

    used: int
    amount: int
    unit: Unit
    window: str
    scope: ScopeKey = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: its kind (a key of PROBLEMS), the rule by name, and what is known of it.

    `allow` lists the methods that would not be refused (RFC 9110 section 15.5.6).
    `until` is the moment (seconds since 1970) from which the same request can be let through, and
    `review` the one at which a measure without an end is looked at again (P6).
    """

    kind: str
    rule: str
    reason: str = ""
    until: float | None = None
    figures: Figures | None = None
    review: float | None = None
    allow: str = ""

    @property
    def status(self) -> int:
        """Give the HTTP status."""
        return PROBLEMS[self.kind].status


class Reader(NamedTuple):
    """Who reads a refusal: in which language and zone, and whom they can contact."""

    language: str
    zone: tzinfo
    contact: str
    request_id: str


def problem_body(refusal: Refusal, reader: Reader) -> bytes:
    """Write the problem details as JSON, on one line."""
    body = _worded(_to_the_second(refusal), reader._replace(request_id=""))
    return b'%b, "instance": "urn:fairuse:request:%b"}' % (body[:-1], reader.request_id.encode())


def _to_the_second(refusal: Refusal) -> Refusal:
    """Give the refusal as its text tells it."""
    until, review = (
        None if moment is None else math.ceil(moment) for moment in (refusal.until, refusal.review)
    )
    return Refusal(refusal.kind, refusal.rule, refusal.reason, until, refusal.figures, review)


@lru_cache(maxsize=MOST_WORDINGS)
def _worded(refusal: Refusal, reader: Reader) -> bytes:
    """Write what the refusals of a second have in common: a flood is refused in the same words."""
    problem = PROBLEMS[refusal.kind]
    body: dict[str, object] = {
        "type": problem.type,
        "title": translate(reader.language, problem.title),
        "status": problem.status,
        "detail": translate(reader.language, problem.detail).format_map(_words(refusal, reader)),
        "rule": refusal.rule,
    }
    if refusal.figures is not None:
        figures = refusal.figures
        body["violated-policies"] = [refusal.rule]
        body |= {
            "used": figures.unit.units(figures.used),
            "amount": figures.unit.units(figures.amount),
            "unit": figures.unit.one,
            "window": figures.window,
            "scope": dict(figures.scope),
        }
    if refusal.until is not None:
        body["until"] = iso_time(refusal.until, reader.zone)
    if refusal.review is not None:
        body["review"] = iso_time(refusal.review, reader.zone)
    body |= {"contact": reader.contact, "usage": USAGE_PATH}
    return json_bytes(body)


def _words(refusal: Refusal, reader: Reader) -> dict[str, str]:
    words = {"reason": refusal.reason, "header": refusal.reason}
    if refusal.figures is not None:
        figures = refusal.figures
        words |= {
            "used": figures.unit.number(figures.used, reader.language),
            "amount": figures.unit.number(figures.amount, reader.language),
            "unit": figures.unit.name(reader.language),
            "window": window_text(figures.window, reader.language),
        }
    if refusal.until is not None:
        words["until"] = local_time(refusal.until, reader.zone, reader.language)
    return words | {"end": _end(refusal, reader)}


def _end(refusal: Refusal, reader: Reader) -> str:
    """Say until when a measure holds."""
    moment, text = refusal.until, _("until {moment}")
    if moment is None:
        moment, text = refusal.review, _("until it is looked at again on {moment}")
    if moment is None:
        return translate(reader.language, _("until the use is within the agreed amount again"))
    shown = local_time(moment, reader.zone, reader.language)
    return translate(reader.language, text).format(moment=shown)
