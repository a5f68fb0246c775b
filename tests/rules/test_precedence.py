"""What wins where several say something about an account, and what it beats."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from tests.rules.support import LIMIT, POLICY, policy, tenant
from tests.rules.support_grants import MADE, grant

from fairuse.rules.agreed import History
from fairuse.rules.precedence import Rule, Ruling, rulings
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from fairuse.rules.grants import Grant
    from fairuse.rules.tally import ScopeKey

OVERRIDE = {"amount": "7000", "until": date(2026, 12, 31), "reason": "wedding season"}
BY_POLICY = Rule("policies/booking.toml", "limits.per-month.amount", "5000")
BY_TENANT = Rule("tenants/salon-anna.toml", "override.per-month.amount", "7000", "wedding season")
CHARGED = POLICY | {
    "limits": {"per-month": LIMIT | {"over": "charge", "tariff": "more"}},
    "tariffs": {"more": [{"price": "EUR 0.05"}]},
}


def _agreed(amount: str, reason: str = "fair", scope: ScopeKey = (), number: int = 1) -> Grant:
    return grant("override", amount, scope=scope)._replace(id=number, reason=reason)


def _terms(*grants: Grant, rules: dict[str, Any] = POLICY, **changes: Any) -> Terms:
    held = tenant(**changes)
    return Terms("salon-anna", "salon", held, policy(**rules), History(), grants)


def _of(terms: Terms, about: str = "limits.per-month.amount", moment: float = MADE) -> Ruling:
    found = {ruling.about: ruling for ruling in rulings(terms, moment) if not ruling.scope}
    return found[about]


def _in_order(terms: Terms, moment: float = MADE) -> list[Rule]:
    ruling = _of(terms, moment=moment)
    return [ruling.won, *ruling.beat]


def test_the_policy_holds_where_nothing_else_was_agreed() -> None:
    """C02: what is in no file, such as general terms, can't win against the policy."""
    assert _in_order(_terms()) == [BY_POLICY]


def test_the_account_s_own_contract_beats_the_policy() -> None:
    """C02: the tenant's file wins over the policy while its override holds, and says why."""
    terms = _terms(override={"per-month": OVERRIDE})
    assert _in_order(terms) == [BY_TENANT, BY_POLICY]
    assert _in_order(terms, moment=MADE + 100 * 86_400) == [BY_POLICY]


def test_what_was_agreed_last_beats_the_contract() -> None:
    """C02, A27: of overrides the latest wins, then the earlier one, the tenant, the policy."""
    first = _agreed("8000")
    later = _agreed("9000", "expo", number=2)
    assert _in_order(_terms(first, later, override={"per-month": OVERRIDE})) == [
        Rule("the ledger", "override by olga", "9000", "expo"),
        Rule("the ledger", "override by olga", "8000", "fair"),
        BY_TENANT,
        BY_POLICY,
    ]


@pytest.mark.parametrize(("amount", "wins"), [("3000", True), ("20000", False)])
def test_a_measure_wins_where_it_lowers(amount: str, wins: bool) -> None:
    """C02: a measure in force beats everything where it lowers; one that doesn't, nothing."""
    reduced = grant("reduce", amount)
    won, *beat = _in_order(_terms(reduced))
    assert (won == Rule("the ledger", "measure, reduced", amount, "agreed by phone")) is wins
    assert ([won, *beat][-1], len(beat)) == (BY_POLICY, 1 if wins else 0)


def test_the_winner_s_value_is_the_amount_in_force() -> None:
    """C02: what is said to win is what counts."""
    agreed = _agreed("8000")
    for terms in (_terms(), _terms(override={"per-month": OVERRIDE}), _terms(agreed)):
        limit = terms.limit("per-month")
        assert limit is not None
        amount = limit.amount(MADE)
        assert amount is not None
        assert _of(terms).won.value == str(amount.value)


def test_an_amount_for_one_location_is_said_apart() -> None:
    """C02, P9: an override for one location wins there, and nowhere else."""
    west = (("location", "west"),)
    found = rulings(_terms(_agreed("9000", scope=west)), MADE)
    amounts = {each.scope: each.won.value for each in found if each.about.endswith(".amount")}
    assert amounts[west] == "9000"
    assert _of(_terms(_agreed("9000", scope=west))).won == BY_POLICY


def test_the_account_s_own_price_beats_the_policy_s() -> None:
    """C02, D17: a tariff in the tenant's file takes the place of the policy's of that name."""
    by_policy = Rule("policies/booking.toml", "tariffs.more", "EUR 0.05")
    assert _of(_terms(rules=CHARGED), "tariffs.more").won == by_policy
    tiers = [{"price": "EUR 4", "per": 100, "up_to": 1_000}, {"price": "EUR 0.03"}]
    own = _of(_terms(rules=CHARGED, tariffs={"more": [{"tiers": tiers}]}), "tariffs.more")
    assert own.won.file == "tenants/salon-anna.toml"
    assert own.won.value == "EUR 4 for 100 up to 1,000, EUR 0.03"
    assert own.beat == (by_policy,)
    flat = _of(_terms(rules=CHARGED, tariffs={"more": [{"flat": "EUR 25"}]}), "tariffs.more")
    assert flat.won.value == "EUR 25 in a window"
    later = [{"price": "EUR 0.04", "from": date(2027, 1, 1)}]
    assert _of(_terms(rules=CHARGED, tariffs={"more": later}), "tariffs.more").won.value == (
        "none yet"
    )


def test_what_is_built_in_holds_last() -> None:
    """C02: where the policy says nothing, what is built in holds, and is called that."""
    built_in = Rule("built in", "ladder.grace", "14 days")
    assert _of(_terms(), "ladder.grace").won == built_in
    said = _of(_terms(rules=POLICY | {"ladder": {"grace": "14 days"}}), "ladder.grace").won
    assert said == built_in._replace(file="policies/booking.toml")


@pytest.mark.parametrize(
    ("contract", "applies", "won"),
    [
        ({"own_policy": True}, {}, ("tenants/salon-anna.toml", "contract.own_policy")),
        ({}, {"contracts_from": date(2014, 1, 1)}, ("policies/booking.toml", "applies")),
    ],
)
def test_a_policy_that_is_not_for_a_contract_does_not_win(
    contract: dict[str, Any], applies: dict[str, Any], won: tuple[str, str]
) -> None:
    """C02, A01, E02: a policy of the contract's own, and a contract too old, keep it from holding.

    Which of the two it is, is said.
    """
    found = _of(_terms(rules=POLICY | {"applies": applies}, contract=contract), "policy")
    assert found.won[:2] == won
    assert found.beat == (Rule("policies/booking.toml", "limits", "all"),)
