"""The commands that move cases: what waits, what is decided, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from fairuse.base.clock import SystemClock
from fairuse.entry.calls import at_desk, failing, known, loaded, print_json, run
from fairuse.entry.case_tables import cases_of, show_case, show_cases
from fairuse.entry.options import (
    CONFIG_FOLDER,
    DAY,
    Account,
    By,
    CaseNumber,
    ConfigFolder,
    Outcome,
    Output,
    OutputOption,
    Reason,
)
from fairuse.rules.durations import parse_duration
from fairuse.rules.nearest import suggestion
from fairuse.rules.process import Action, Step
from fairuse.rules.tariffs import parse_price

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.entry.desk import Desk
    from fairuse.rules.ladder import Case, Happening


commands = typer.Typer()


@commands.command()
def cases(
    number: Annotated[int | None, typer.Argument(help="Show everything about one case.")] = None,
    account: Annotated[str, typer.Option(help="Of one account.")] = "",
    closed: Annotated[bool, typer.Option("--all", help="The closed ones, too.")] = False,
    config: ConfigFolder = CONFIG_FOLDER,
    output: OutputOption = Output.human,
) -> None:
    """List the cases and what each waits for, or show one with its record."""
    configuration = loaded(config)
    found = run(cases_of(configuration, number, account, closed=closed))
    if account and not found:  # who has left may have cases still, and need not be known
        known(configuration, account)
    if output is Output.json:
        print_json(found)
    elif number is None:
        show_cases(found)
    else:
        show_case(found)


@commands.command()
def approve(number: CaseNumber, by: By, config: ConfigFolder = CONFIG_FOLDER) -> None:
    """Approve what is proposed in a case: a measure begins, or a charge is made."""
    _decide(config, by, number, "approved")


@commands.command()
def reject(number: CaseNumber, by: By, config: ConfigFolder = CONFIG_FOLDER) -> None:
    """Reject what is proposed in a case."""
    _decide(config, by, number, "rejected")


@commands.command()
def close(
    number: CaseNumber,
    by: By,
    outcome: Annotated[
        Outcome, typer.Option(help="withdrawn; or agreed or failed, of a renegotiation.")
    ] = Outcome.withdrawn,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Close a case, end its measure, or say how a renegotiation went."""
    _decide(config, by, number, outcome.value)


@commands.command()
def propose(  # noqa: PLR0913, PLR0917  each is an option of its own
    number: CaseNumber,
    do: Annotated[str, typer.Argument(help="degrade, suspend, reduce, throttle, charge, ...")],
    by: By,
    route: Annotated[list[str] | None, typer.Option(help="A route it switches off.")] = None,
    limit: Annotated[str | None, typer.Option(help="The limit it changes.")] = None,
    amount: Annotated[str | None, typer.Option(help="The amount that holds meanwhile.")] = None,
    tariff: Annotated[str | None, typer.Option(help="The tariff it charges by.")] = None,
    until: Annotated[str | None, typer.Option(help='"under the limit", "7 days", ...')] = None,
    review: Annotated[str | None, typer.Option(help='Look at it again after "30 days".')] = None,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Propose a measure in a case, with no options as the policy has it; `approve` it then."""
    if do not in get_args(Action):
        near = suggestion(do, get_args(Action))
        raise typer.BadParameter(f'"{do}" is nothing that can be proposed{near}')
    given: dict[str, Any] = {
        "routes": route or None,
        "limit": limit,
        "amount": amount,
        "tariff": tariff,
        "until": until,
        "review": review,
    }
    table = {name: value for name, value in given.items() if value is not None}

    async def work(desk: Desk) -> Case:
        step = None if table else await desk.step_of_policy(number, do)
        return await desk.propose(number, step or _step(do, table))

    with failing():
        case = at_desk(config, by, work)
    waits = "" if case.state == "renegotiating" else f": {do} waits for approval"
    typer.echo(f"case {case.id} is {case.state}{waits}")


def _step(do: str, table: dict[str, Any]) -> Step:
    """Read a step that the policy doesn't have. Raises ValueError."""
    points = {"terminate": "renegotiation failed", "renegotiate": "told"}
    return Step.model_validate({"on": points.get(do, "still over"), "do": do, **table})


@commands.command()
def extend(
    number: CaseNumber,
    by: By,
    reason: Reason,
    for_: Annotated[str, typer.Option("--for", help='How much longer from now: "7 days".')],
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Give a customer more time; or set the day on which a measure is looked at the next time."""
    with failing():
        until = SystemClock().now().wall + parse_duration(for_)
    case = at_desk(config, by, lambda desk: desk.extend(number, until, reason))
    typer.echo(f"case {case.id}: until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC")


@commands.command()
def note(
    number: CaseNumber,
    text: Annotated[str, typer.Argument(help="What was said.")],
    by: By,
    due: Annotated[
        datetime | None, typer.Option(formats=DAY, help="A day on which somebody looks again.")
    ] = None,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Note in a case's record what was said; `cases` shows it, the customer doesn't see it."""
    day = None if due is None else due.date()
    at_desk(config, by, lambda desk: desk.note(number, text, day))
    typer.echo(f"case {number}: noted")


@commands.command("open")
def open_(
    account: Account,
    rule: Annotated[str, typer.Argument(help="What it is about: a limit, or a word.")],
    by: By,
    reason: Reason,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Open a case by hand, with a notice that says why."""
    opened = at_desk(config, by, lambda desk: desk.open(account, rule, reason))
    typer.echo("opened" if opened else "there is an open case about that already")


@commands.command()
def cost(
    number: CaseNumber,
    price: Annotated[str, typer.Argument(help='Such as "EUR 75.00".')],
    by: By,
    text: Annotated[str, typer.Option("--for", help="What it was for.")],
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Charge what finding and mending the excess cost, in a case whose notice was delivered."""
    with failing():
        money = parse_price(price)
    at_desk(config, by, lambda desk: desk.cost(number, text, money))
    typer.echo(f"case {number}: {money} for {text}")


@commands.command()
def waive(
    charge: Annotated[int, typer.Argument(help="The charge's number.")],
    what: Annotated[str, typer.Argument(help='"all", "50%" or "EUR 5.00".')],
    by: By,
    reason: Reason,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Waive a charge, or part of it, before it is final."""
    waived = at_desk(config, by, lambda desk: desk.waive(charge, what, reason))
    typer.echo(f"charge {charge}: {waived.currency} {waived.due} is left to pay")


def _decide(config: Path, by: str, number: int, happening: Happening) -> None:
    case = at_desk(config, by, lambda desk: desk.decide(number, happening))
    outcome = f" ({case.outcome})" if case.outcome else ""
    typer.echo(f"case {case.id} is {case.state}{outcome}")
