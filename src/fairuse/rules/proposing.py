"""Proposing: what keeps an operator from proposing a step in a case by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.problems import amount_problems
from fairuse.rules.process_problems import step_problems
from fairuse.rules.terms import price_list

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.rules.process import Step
    from fairuse.rules.terms import Terms


def proposal_problems(step: Step, case: Case, terms: Terms) -> list[str]:
    """Give why a step can't be proposed in a case; nothing where it can."""
    if step.do == "switch tariff":  # it is for the units of this case's limit, and of no other
        step = step.model_copy(update={"limits": [case.rule]})
    problems = [problem for _, problem in step_problems(step, terms.rules)]
    if step.amount is not None and step.limit in terms.rules.limits:
        found = amount_problems("amount", step.amount, step.limit, terms.rules)
        problems += [problem for _, problem in found]
    if step.tariff is not None and not price_list(step.tariff, terms.agreement):
        problems.append(f'there is no tariff "{step.tariff}"')
    if step.until == "under the limit" and terms.limit(case.rule) is None:
        problems.append(f'"{case.rule}" is no limit that the use could be under (P6)')
    if step.do == "terminate" and case.state != "failed":
        problems.append("a contract is ended after a talk that failed: propose to renegotiate (P2)")
    return problems
