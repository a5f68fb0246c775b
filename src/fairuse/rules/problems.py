"""What is wrong between the parts of a policy, or between a tenant and its policy.

Each check gives pairs: the key in the file, and why. What only deserves a second look, such as a
limit that nobody can ever reach, is a warning and keeps nothing from working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.expression import Average, OwnMedian, Percent
from fairuse.rules.ladder import REPEATED
from fairuse.rules.meters import EVENT, parse_source
from fairuse.rules.nearest import suggestion
from fairuse.rules.process_problems import ladder_problems, tariffs_of
from fairuse.rules.routes import can_carry
from fairuse.rules.unreachable import never_over
from fairuse.rules.windows import Always, Calendar, Rolling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairuse.rules.agreed import Agreement
    from fairuse.rules.expression import Expression
    from fairuse.rules.meters import Meter
    from fairuse.rules.policy import Limit, Policy
    from fairuse.rules.settings import Identity
    from fairuse.rules.tenant import Tenant

Problem = tuple[str, str]


def policy_problems(policy: Policy, identity: Identity | None) -> Iterator[Problem]:
    """Give what is wrong between the parts of a policy, and with how requests are identified."""
    yield from _package_problems(policy)
    for name, meter in policy.meters.items():
        yield from _meter_problems(f"meters.{name}", meter, policy, identity)
    for name in policy.limits.keys() & {OVERLOAD, REPEATED}:
        yield f"limits.{name}", "is what cases about no one limit are called; take another name"
    for name, limit in policy.limits.items():
        yield from _limit_problems(f"limits.{name}", limit, policy, identity)
        yield from amount_problems(f"limits.{name}.amount", limit.amount, name, policy)
    amounts = {name: limit.amount for name, limit in policy.limits.items()}
    yield from _cycles("limits", amounts, policy)
    yield from ladder_problems(policy)
    for number, step in enumerate(policy.ladder.steps):
        if step.amount is not None and step.limit in policy.limits:
            key = f"ladder.steps.{number}.amount"
            yield from amount_problems(key, step.amount, step.limit, policy)


def tenant_problems(tenant: Tenant, policies: Mapping[str, Policy | None]) -> Iterator[Problem]:
    """Give what is wrong between a tenant and the policies.

    A policy that is None exists and is broken, which is said of its own file and not here.
    """
    if tenant.policy not in policies:
        yield "policy", unknown("policy", tenant.policy, policies)
    policy = policies.get(tenant.policy)
    if policy is None:
        return
    for name, override in tenant.override.items():
        if name not in policy.limits:
            yield f"override.{name}", unknown("limit", name, policy.limits)
        else:
            yield from amount_problems(f"override.{name}.amount", override.amount, name, policy)
    overridden = {name: each.amount for name, each in tenant.override.items()}
    yield from _cycles("override", overridden, policy)
    yield from _held_problems(tenant, policy)
    if not tenant.contract.own_policy:
        yield from _missing(tenant, policy)


def warnings(
    agreement: Agreement, cohorts: Mapping[object, Mapping[str, int]]
) -> Iterator[Problem]:
    """Give what deserves a second look; `cohorts` are the shares of each account, by cohort."""
    policy = agreement.policy
    for limit_name, limit in policy.limits.items():
        key = f"limits.{limit_name} of policy {agreement.tenant.policy}"
        if limit.amount.uses(Percent) and (units := agreement.units(limit_name)) is not None:
            meter = policy.meters[limit.meter]
            if 0 < units < 1 and not meter.decimals:
                yield key, f"comes to {float(units):.3g} {meter.plural}; it is taken as 1"
        members = cohorts.get(agreement.cohort(limit.meter), {})
        if limit.amount.uses(Average) and never_over(agreement, limit_name, members):
            yield (
                key,
                f"can't be reached: what the account uses lifts the average of its cohort of"
                f" {len(members)}, itself included",
            )


def _package_problems(policy: Policy) -> Iterator[Problem]:
    for name in set(policy.counts) & set(policy.limits):
        yield f"counts.{name}", "is the name of a limit too"
    for name, package in policy.packages.items():
        if package.sold_by is not None and package.sold_by not in policy.counts:
            key = f"packages.{name}.sold_by"
            yield key, unknown("count", package.sold_by, policy.counts)
        for figure in package.figures.keys() & (policy.counts.keys() | policy.limits.keys()):
            yield f"packages.{name}.figures.{figure}", "is the name of a count or a limit too"
    for name in policy.applies.packages or ():
        if name not in policy.packages:
            yield "applies.packages", unknown("package", name, policy.packages)


def _meter_problems(
    key: str, meter: Meter, policy: Policy, identity: Identity | None
) -> Iterator[Problem]:
    if meter.average and meter.average.per and meter.average.per not in policy.counts:
        yield f"{key}.average.per", unknown("count", meter.average.per, policy.counts)
    if meter.measure == "users" and _lacks_users(meter, identity):
        yield f"{key}.measure", "needs identity.user_header in gateway.toml"
    if meter.ageing is not None:
        into = policy.meters.get(meter.ageing.into)
        if into is None:
            yield f"{key}.ageing.into", unknown("meter", meter.ageing.into, policy.meters)
        elif into.kind != "flow":
            yield f"{key}.ageing.into", "must be a meter that is added up, such as requests"
    if meter.measure == "open items":
        for part, sources in (("count", meter.count), ("release", meter.release)):
            for route in (parse_source(source).route for source in sources):
                if route is not None and "{item}" not in route.text:
                    yield f"{key}.{part}", f'"{route.text}" must name the {{item}} it is about'


def _lacks_users(meter: Meter, identity: Identity | None) -> bool:
    """Say whether requests on a meter can't name their users; events name theirs."""
    routes = any(parse_source(source).route for source in meter.count)
    return routes and identity is not None and identity.user_header is None


def _limit_problems(
    key: str, limit: Limit, policy: Policy, identity: Identity | None
) -> Iterator[Problem]:
    meter = policy.meters.get(limit.meter)
    if meter is None:
        yield f"{key}.meter", unknown("meter", limit.meter, policy.meters)
    else:
        yield from _unfit(key, limit, meter, identity)
    if limit.then and "block address" not in policy.emergency.allowed:
        yield (
            f"{key}.then",
            'blocks an address without notice, so [emergency] must allow "block address"',
        )


def _unfit(key: str, limit: Limit, meter: Meter, identity: Identity | None) -> Iterator[Problem]:
    """Find what does not fit between a limit and its meter."""
    if problem := _window_problem(limit, meter):
        yield f"{key}.window", problem
    if meter.kind == "items":
        yield f"{key}.meter", "open items have no limit; limit the meter that they age into"
    if limit.over == "deny user" and meter.measure != "users":
        yield f"{key}.over", 'must be on a meter with measure = "users"'
    if "user" in limit.scope and _lacks_users(meter, identity):
        yield f"{key}.scope", "needs identity.user_header in gateway.toml"
    location = identity.location if identity else None
    if "location" in limit.scope and location and not _carries(meter.count, location):
        yield (
            f"{key}.scope",
            f'no route of "{limit.meter}" names a location as identity.location'
            f' in gateway.toml does ("{location}")',
        )


def _carries(sources: Iterable[str], location: str) -> bool:
    """Say whether a meter can be counted by location; events name theirs."""
    return any(source.startswith(EVENT) or can_carry(source, location) for source in sources)


def _window_problem(limit: Limit, meter: Meter) -> str | None:
    """Say which windows a kind of meter can have: a level has no last minute."""
    match meter.kind:
        case "flow" if isinstance(limit.window, Always):
            return '"always" never ends, so what is added up would only grow'
        case "level" if limit.hard and not isinstance(limit.window, Always):
            return 'a hard limit on a level holds at any moment; write window = "always"'
        case "level" if not limit.hard and not isinstance(limit.window, Calendar):
            return "the highest level is recorded by calendar day, month or year"
        case "members" if isinstance(limit.window, Rolling):
            return 'needs a calendar window or "always"'
    return None


def amount_problems(key: str, amount: Expression, limit: str, policy: Policy) -> Iterator[Problem]:
    """Find what is wrong with an amount for a limit, wherever it is written."""
    figures = {figure for package in policy.packages.values() for figure in package.figures}
    for name in sorted(amount.names(summed=False) - policy.counts.keys() - policy.limits.keys()):
        if name in figures:
            yield key, f'"{name}" belongs to packages; write it inside sum(...)'
        else:
            yield key, unknown("count or limit", name, {**policy.counts, **policy.limits})
    known = figures | policy.counts.keys()
    for name in sorted(amount.names(summed=True) - known):
        yield key, unknown("figure or count", name, dict.fromkeys(known))
    rule = policy.limits[limit]
    meter = policy.meters.get(rule.meter)
    if meter is None:
        return
    if amount.uses(Average) and meter.average is None:
        yield key, f'"average" needs [meters.{rule.meter}.average]: of whom, and how often'
    if amount.uses(OwnMedian) and not isinstance(rule.window, Calendar):
        yield key, '"own median" needs a calendar window'
    if amount.uses(OwnMedian) and meter.kind != "flow":
        yield key, '"own median" needs a meter that is added up, such as requests'
    if amount.fixed is not None and (amount.fixed * 10**meter.decimals).denominator != 1:
        exact = f"number of {meter.plural} with {meter.decimals} decimals"
        whole = f"whole number of {meter.plural}"
        yield key, f'"{amount}" is no {exact if meter.decimals else whole}'


def _cycles(key: str, amounts: Mapping[str, Expression], policy: Policy) -> Iterator[Problem]:
    """Find amounts that come back to themselves; a policy's own hold where none is given."""
    used = {name: limit.amount for name, limit in policy.limits.items()} | {**amounts}
    uses = {
        name: sorted(amount.names(summed=False) & policy.limits.keys())
        for name, amount in used.items()
    }
    for name in amounts:
        chain = _chain_back(name, uses)
        if chain and name == min(amounts.keys() & chain):
            yield f"{key}.{name}.amount", f"depends on itself: {' -> '.join([*chain, name])}"


def _chain_back(name: str, uses: Mapping[str, list[str]]) -> list[str] | None:
    chains, seen = [[name]], {name}
    while chains:
        chain = chains.pop()
        for used in uses[chain[-1]]:
            if used == name:
                return chain
            if used not in seen:
                seen.add(used)
                chains.append([*chain, used])
    return None


def _held_problems(tenant: Tenant, policy: Policy) -> Iterator[Problem]:
    for name, counts in tenant.packages.items():
        if name not in policy.packages:
            yield f"packages.{name}", unknown("package", name, policy.packages)
        for count in counts.keys() - policy.counts.keys():
            yield f"packages.{name}.{count}", unknown("count", count, policy.counts)
    for number, purchase in enumerate(tenant.purchases):
        key = f"purchases.{number}"
        if purchase.package not in tenant.packages:
            near = suggestion(purchase.package, tenant.packages)
            yield f"{key}.package", f'the contract has no package "{purchase.package}"{near}'
        for count in purchase.adds.keys() - policy.counts.keys():
            yield f"{key}.adds.{count}", unknown("count", count, policy.counts)
    needed = tariffs_of(policy)
    for name, prices in tenant.tariffs.items():
        if name not in needed:
            yield f"tariffs.{name}", unknown("tariff", name, needed)
        if len({price.from_ for price in prices}) < len(prices):
            yield f"tariffs.{name}", "has two prices from the same day"


def _missing(tenant: Tenant, policy: Policy) -> Iterator[Problem]:
    """Find what the policy needs to know of a contract, and the tenant's file does not say."""
    contract = tenant.contract
    dated = contract.since or contract.changed or contract.renewed
    if policy.applies.contracts_from and not dated:
        day = policy.applies.contracts_from
        yield "contract.since", f"is missing; the policy is for contracts from {day} on"
    if policy.packages and not tenant.packages:
        yield "packages", f"is missing; the contract has one of {', '.join(policy.packages)}"
    given = {count for counts in tenant.packages.values() for count in counts}
    for name, counts in tenant.packages.items():
        package = policy.packages.get(name)
        if package and package.sold_by and package.sold_by not in counts:
            yield f"packages.{name}.{package.sold_by}", f"is missing; {name} is sold by it"
    for name, limit in policy.limits.items():
        for count in sorted(_counts_of(limit, policy) - given):
            yield f"packages.*.{count}", f'is missing; the limit "{name}" needs it'
    for tariff, what in tariffs_of(policy).items():
        if tariff not in tenant.tariffs and tariff not in policy.tariffs:
            yield f"tariffs.{tariff}", f"is missing; {what} is charged by it"


def _counts_of(limit: Limit, policy: Policy) -> set[str]:
    counts = limit.amount.names(summed=False) & policy.counts.keys()
    average = policy.meters[limit.meter].average
    if limit.amount.uses(Average) and average and average.per:
        counts.add(average.per)
    return counts


def cohorts_of(agreements: Iterable[Agreement]) -> dict[object, dict[str, int]]:
    """Give the accounts of each cohort that the configuration has, with their shares."""
    cohorts: dict[object, dict[str, int]] = {}
    for agreement in agreements:
        for name, meter in agreement.policy.meters.items():
            if meter.average is not None and (shares := agreement.shares(meter.average)):
                cohorts.setdefault(agreement.cohort(name), {})[agreement.account] = shares
    return cohorts


def unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    """Say that a name is unknown, and which one was probably meant."""
    return f'there is no {kind} "{name}"{suggestion(name, known)}'
