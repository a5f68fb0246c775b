"""A policy file: what it may say, and the exact words where it says something else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import BURST, LIMIT, POLICY, THEN, policy, wrong

from fairuse.rules.emergency import Emergency
from fairuse.rules.policy import DAY, Breaches, Limit, Policy, Repetition, Then
from fairuse.rules.windows import Always, Calendar, Rolling

SCOPES = {
    "account": (),
    "location": ("location",),
    "user": ("user",),
    "address": ("address",),
    "account, address": ("address",),
    " address ,location": ("location", "address"),
    "account,user,location,address": ("location", "user", "address"),
    "address, address": ("address",),
}
ONE_OF = "(one of account, location, user, address)"
WRONG_SCOPES: dict[object, str] = {
    "adress": f'"adress" is no scope {ONE_OF}; did you mean "address"?',
    "Account": f'"Account" is no scope {ONE_OF}; did you mean "account"?',
    "account address": f'"account address" is no scope {ONE_OF}; did you mean "address"?',
    "account,": f'"" is no scope {ONE_OF}',
    "": f'"" is no scope {ONE_OF}',
    "tenant": f'"tenant" is no scope {ONE_OF}',
    "users": f'"users" is no scope {ONE_OF}; did you mean "user"?',
    5: '5 is no scope; write it like "account, address"',
}


@pytest.mark.parametrize(("text", "scope"), SCOPES.items(), ids=SCOPES)
def test_scopes_are_read(text: str, scope: tuple[str, ...]) -> None:
    """A scope is what is counted apart within the account, in one order however it is written."""
    assert Limit.model_validate(LIMIT | {"scope": text}).scope == scope


@pytest.mark.parametrize(("text", "message"), WRONG_SCOPES.items(), ids=map(repr, WRONG_SCOPES))
def test_what_is_no_scope(text: object, message: str) -> None:
    """A scope that doesn't exist is an error that names those that do."""
    assert wrong(Limit, LIMIT | {"scope": text}) == [f"scope: {message}"]


REPETITIONS = {
    "1 refusal in 1 minute": Repetition(1, 60),
    "20 refusals in 1 minute": Repetition(20, 60),
    "3 refusals in 5 minutes": Repetition(3, 300),
}
NO_REPETITION = '{!r} must be written like "3 refusals in 5 minutes"'
NO_SPAN = '"{}" is no span of time; write it like "15 minutes" or "24 hours"'
WRONG_REPETITIONS: dict[object, str] = {
    "": NO_REPETITION.format(""),
    "often": NO_REPETITION.format("often"),
    "0 refusals in 1 minute": NO_REPETITION.format("0 refusals in 1 minute"),
    "-1 refusals in 1 minute": NO_REPETITION.format("-1 refusals in 1 minute"),
    "1234567 refusals in 1 day": NO_REPETITION.format("1234567 refusals in 1 day"),
    "3 refusals": NO_REPETITION.format("3 refusals"),
    "3 requests in 1 minute": NO_REPETITION.format("3 requests in 1 minute"),
    5: NO_REPETITION.format(5),
    "3 refusals in a minute": NO_SPAN.format("a minute"),
    "3 refusals in 0 minutes": NO_SPAN.format("0 minutes"),
    "3 refusals in calendar day": NO_SPAN.format("calendar day"),
}


@pytest.mark.parametrize(("text", "repetition"), REPETITIONS.items(), ids=REPETITIONS)
def test_repetitions_are_read(text: str, repetition: Repetition) -> None:
    """A repetition is so many refusals in a span of time."""
    assert Then.model_validate(THEN | {"after": text}).after == repetition


@pytest.mark.parametrize(
    ("text", "message"), WRONG_REPETITIONS.items(), ids=map(repr, WRONG_REPETITIONS)
)
def test_what_is_no_repetition(text: object, message: str) -> None:
    """A repetition that can't be counted is an error that shows how to write one."""
    assert wrong(Then, THEN | {"after": text}) == [f"after: {message}"]


def test_the_booking_policy_is_read() -> None:
    """A05, A29 (the file): a soft month per location, and a hard minute that may block."""
    read = policy()
    month, burst = read.limits["per-month"], read.limits["burst"]
    assert month.amount.fixed == 5_000
    assert (month.window, month.over) == (Calendar("month"), "case")
    assert (month.hard, burst.hard) == (False, True)
    assert (burst.window, burst.over) == (Rolling(60, "1 minute"), "refuse")
    assert burst.then == Then.model_validate(THEN)
    assert burst.then is not None
    assert (burst.then.for_, burst.then.at_most, month.then) == (900, DAY, None)


def test_a_window_that_is_read_stays() -> None:
    """A window may be given as one, too, where a policy is built in code."""
    window = Rolling(60, "1 minute")
    assert Limit.model_validate(BURST | {"window": window}).window is window
    month = Calendar("month")
    assert Limit.model_validate(LIMIT | {"window": month}).window is month
    assert Limit.model_validate(LIMIT | {"window": "always"}).window == Always()


@pytest.mark.parametrize("action", ["suspend", "terminate", "block account", "close", ""])
def test_an_emergency_never_touches_an_account(action: str) -> None:
    """A29, P3: an emergency may block an address or throttle; anything else is rejected."""
    found = wrong(Emergency, {"allowed": ["block address", action]})
    said = "allowed.1: Input should be 'block address' or 'throttle'"
    if action in ("suspend", "terminate"):
        said = f'allowed: overload may not "{action}": it never closes an account (P3)'
    assert found == [said]
    assert Emergency().allowed == []


@pytest.mark.parametrize("block", ["account", "location", "tenant", "address, account", ""])
def test_a_block_is_never_of_an_account(block: str) -> None:
    """P3: what follows refusals is a block of an address or of an account there, nothing else."""
    found = wrong(Then, THEN | {"block": block})
    assert found == ["block: Input should be 'address' or 'account, address'"]


OVER = "over: Input should be 'refuse', 'deny user', 'case', 'charge' or 'signal'"
NO_THEN = ': "then" follows refusals, so it needs over = "refuse"'
NO_CASE_AFTER = ': case_after needs over = "case" and a calendar window'
NO_BREACHES = 'case_after: {!r} must be written like "3 breaches in 6 months"'
REPEATED = {"case_after": "3 breaches in 6 months"}
CHARGE = {"over": "charge", "tariff": "page"}
LIMITS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "then without refusals": (BURST | {"over": "case"}, [NO_THEN]),
    "then after a signal": (BURST | {"over": "signal"}, [NO_THEN]),
    "a case in a rolling window": (LIMIT | {"window": "24 hours"}, []),
    "refusals in a calendar window": (LIMIT | {"over": "refuse"}, []),
    "a charge with its tariff": (LIMIT | CHARGE, []),
    "a charge without a tariff": (
        LIMIT | {"over": "charge"},
        [': over = "charge" needs a tariff: the name of a price'],
    ),
    "a tariff without a charge": (
        LIMIT | {"tariff": "page"},
        [': a tariff needs over = "charge"'],
    ),
    "a case after breaches": (LIMIT | REPEATED, []),
    "a charge after breaches": (LIMIT | CHARGE | REPEATED, [NO_CASE_AFTER]),
    "a case after breaches of a day": (LIMIT | REPEATED | {"window": "1 day"}, [NO_CASE_AFTER]),
    "no breach": (
        LIMIT | {"case_after": "0 breaches in 6 months"},
        [NO_BREACHES.format("0 breaches in 6 months")],
    ),
    "no months": (
        LIMIT | {"case_after": "3 breaches in 0 months"},
        [NO_BREACHES.format("3 breaches in 0 months")],
    ),
    "days": (
        LIMIT | {"case_after": "3 breaches in 6 days"},
        [NO_BREACHES.format("3 breaches in 6 days")],
    ),
    "a number of breaches": (LIMIT | {"case_after": 3}, [NO_BREACHES.format(3)]),
    "unknown action": (LIMIT | {"over": "suspend"}, [OVER]),
    "numbers for a window": (LIMIT | {"window": 5}, ["window: " + NO_SPAN.format(5)]),
    "negative amount": (
        LIMIT | {"amount": -1},
        ['amount: "-1" is no amount: found "-" where a number or a name was expected'],
    ),
    "all at once": (
        LIMIT | {"meter": "A", "scope": "x", "over": ""},
        [
            'meter: "A" is no name; write up to 64 of a-z, 0-9 and -',
            f'scope: "x" is no scope {ONE_OF}',
            OVER,
        ],
    ),
}


@pytest.mark.parametrize(("table", "found"), LIMITS.values(), ids=LIMITS)
def test_what_is_no_limit(table: dict[str, Any], found: list[str]) -> None:
    """F-50 (words): everything that is wrong with a limit is said at once, each with its key."""
    assert wrong(Limit, table) == found


@pytest.mark.parametrize(("longest", "found"), [("15 minutes", []), ("899 seconds", ["x"])])
def test_a_block_grows(longest: str, found: list[str]) -> None:
    """P6: the longest block isn't shorter than the first, and there always is a longest."""
    message = ": at_most must not be shorter than for"
    assert wrong(Then, THEN | {"at_most": longest}) == [message for _ in found]
    assert wrong(Then, THEN | {"for": "2 days"}) == [message]
    assert wrong(Then, {key: THEN[key] for key in ("after", "block")}) == ["for: Field required"]


@pytest.mark.parametrize(
    ("text", "breaches"),
    {"2 breaches in 1 month": (2, 1), "1 breach in 12 months": (1, 12)}.items(),
)
def test_breaches_are_read(text: str, breaches: tuple[int, int]) -> None:
    """B25, E32: a case may need so many breaches in so many months, of a limit or of the policy."""
    assert Limit.model_validate(LIMIT | {"case_after": text}).case_after == Breaches(*breaches)
    assert policy(case_after=text).case_after == Breaches(*breaches)
    assert policy().case_after is None


def test_a_policy_has_a_title_meters_and_limits() -> None:
    """An empty policy is no policy."""
    found = wrong(Policy, POLICY | {"title": "", "meters": {}, "limits": {}})
    assert [line.partition(":")[0] for line in found] == ["title", "meters", "limits"]
