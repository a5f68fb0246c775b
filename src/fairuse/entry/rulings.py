"""Which rule won for each amount and tariff of an account, as `fairuse explain` shows it (C02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairuse.rules.precedence import rulings

if TYPE_CHECKING:
    from fairuse.rules.terms import Terms

Json = dict[str, Any]


def rulings_of(terms: Terms, moment: float) -> list[Json]:
    """Give what holds for an account, the rule it holds by, and those that one beat."""
    return [
        {
            "about": ruling.about,
            "scope": dict(ruling.scope),
            "won": ruling.won._asdict(),
            "beat": [rule._asdict() for rule in ruling.beat],
        }
        for ruling in rulings(terms, moment)
    ]


def ruling_lines(ruling: Json) -> str:
    """Write one for people; where nothing was beaten, its value stands with the limits."""
    about, won = ruling["about"], ruling["won"]
    scope = f" ({', '.join(map(str, ruling['scope'].values()))})" if ruling["scope"] else ""
    if not ruling["beat"]:
        return f"  {about}{scope}: {_rule(won, about)}"
    beat = [f"beats {rule['value']} {_rule(rule, about)}" for rule in ruling["beat"]]
    why = [f'"{won["reason"]}"'] if won["reason"] else []
    lines = [f"  {about}{scope}: {won['value']}", _rule(won, about), *why, *beat]
    return "\n      ".join(lines)


def _rule(rule: Json, about: str) -> str:
    """Name a rule by its file, and by its key where that says more than what it is about."""
    key = "" if rule["key"] == about else f": {rule['key']}"
    return f"by {rule['file']}{key}"
