"""The commands about an account's amounts, its notices, and the proof of what was done."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairuse.base.clock import SystemClock
from fairuse.entry.calls import at_desk, failing, known, loaded, print_json, run
from fairuse.entry.case_tables import case_table
from fairuse.entry.deliver import tick_off
from fairuse.entry.explain import standing_of
from fairuse.entry.export import export as write_statement
from fairuse.entry.options import (
    CONFIG_FOLDER,
    DAY,
    Account,
    By,
    ConfigFolder,
    LimitName,
    Location,
    Output,
    OutputOption,
    Reason,
)
from fairuse.entry.tables import show
from fairuse.entry.verify import as_json, head_hash
from fairuse.entry.verify import show as show_proof
from fairuse.entry.verify import verify as verify_ledger
from fairuse.rules.grants import UNNUMBERED, Grant
from fairuse.rules.windows import midnight
from fairuse.stores.ledger import Ledger
from fairuse.stores.outbox import letter_numbered, letters, resend

if TYPE_CHECKING:
    from fairuse.entry.desk import Desk
    from fairuse.rules.tally import ScopeKey
    from fairuse.stores.letters import Letter


commands = typer.Typer()


@commands.command()
def usage(
    account: Account, config: ConfigFolder = CONFIG_FOLDER, output: OutputOption = Output.human
) -> None:
    """Show what an account has used of each limit."""
    configuration = loaded(config)
    known(configuration, account)
    found = run(standing_of(configuration, account, SystemClock()))
    print_json(found) if output is Output.json else show(found)


@commands.command()
def override(  # noqa: PLR0913, PLR0917  each is an option of its own
    account: Account,
    limit: LimitName,
    amount: Annotated[str, typer.Argument(help="The amount instead, such as 8000.")],
    by: By,
    reason: Reason,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="The first day; or now.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAY, help="The last day.")] = None,
    location: Location = "",
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Agree on another amount with an account, for a time or for good."""
    configuration = loaded(config)
    terms = configuration.current.accounts.get(account)
    zone = terms.zone if terms is not None else UTC
    begin, last = (_day(day) for day in (from_, until))
    grant = Grant(
        *(UNNUMBERED, account, limit, "override", amount, _scope(location)),
        starts_at=0.0 if begin is None else midnight(begin, zone),
        ends_at=None if last is None else midnight(last + timedelta(days=1), zone),
        reason=reason,
    )
    at_desk(configuration, by, lambda desk: desk.grant(grant))
    typer.echo(f"{account}: {limit} is {amount}")


@commands.command()
def topup(  # noqa: PLR0913, PLR0917  each is an option of its own
    account: Account,
    limit: LimitName,
    units: Annotated[int, typer.Argument(min=1, help="How many units more.")],
    key: Annotated[str, typer.Option(help="Names this top-up: asked twice, it is one.")],
    by: By,
    reason: Reason = "top-up",
    location: Location = "",
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Add units to what an account may use, at once; what is left of them is carried on."""
    grant = Grant(
        *(UNNUMBERED, account, limit, "top-up", str(units), _scope(location)),
        reason=reason,
        once=f"top-up:{key}",
    )
    new = at_desk(config, by, lambda desk: desk.grant(grant))
    typer.echo(f"{account}: {units:,} more of {limit}" if new else "that was granted before")


@commands.command()
def forgive(
    account: Account,
    limit: LimitName,
    by: By,
    reason: Reason,
    on: Annotated[
        datetime | None, typer.Option(formats=DAY, help="A day in the window; or today.")
    ] = None,
    location: Location = "",
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Leave a window's excess out of the breach history."""
    scope, day = _scope(location), _day(on)
    new = at_desk(config, by, lambda desk: desk.forgive(account, limit, scope, day, reason))
    typer.echo("forgiven" if new else "that was forgiven before")


@commands.command()
def notices(config: ConfigFolder = CONFIG_FOLDER, output: OutputOption = Output.human) -> None:
    """List the notices that were not delivered: calls to make, and those given up."""
    found = run(_undelivered(loaded(config).current.settings.ledger.url))
    tables = [
        {
            "delivery": letter.id,
            "account": letter.notice.account,
            "state": letter.state,
            "to": letter.shown,
            "subject": letter.notice.subject,
            "error": letter.error,
        }
        for letter in found
    ]
    if output is Output.json:
        print_json(tables)
    else:
        case_table(tables, "nothing waits to be delivered")


async def _undelivered(url: str) -> list[Letter]:
    ledger = await Ledger.look_into(url)
    if ledger is None:
        return []
    try:
        return await letters(ledger, "to do", "dead", "waiting")
    finally:
        await ledger.close()


@commands.command("resend")
def resend_(
    delivery: Annotated[int, typer.Argument(help="Its number, as `fairuse notices` shows it.")],
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Send a notice once more that was given up, or that somebody lost."""

    async def work(desk: Desk) -> bool:
        letter = await letter_numbered(desk.ledger, delivery)
        moment = SystemClock().now().wall
        return letter is not None and await resend(desk.ledger, letter, moment)

    if not at_desk(config, "", work):
        typer.echo(f"there is no delivery {delivery} that could be sent again", err=True)
        raise typer.Exit(1)
    typer.echo(f"delivery {delivery} is sent again")


@commands.command()
def done(
    delivery: Annotated[int, typer.Argument(help="Its number, as `fairuse notices` shows it.")],
    by: By,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Tick off a call: somebody told the customer by telephone."""
    configuration = loaded(config)

    async def work(desk: Desk) -> Letter | None:
        moment, current = SystemClock().now().wall, configuration.current
        return await tick_off(desk.ledger, current, delivery, by, moment, desk.reading)

    if at_desk(configuration, by, work) is None:
        typer.echo(f"there is no call {delivery} to tick off", err=True)
        raise typer.Exit(1)
    typer.echo(f"call {delivery} was made by {by}")


@commands.command()
def export(
    month: Annotated[str, typer.Option(help="Such as 2026-10.")],
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="The folder.")] = Path(),
    account: Annotated[str | None, typer.Option(help="Of one account.")] = None,
    rule: Annotated[str | None, typer.Option(help="Of one limit.")] = None,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Write a month's charges with their arithmetic as CSV, JSON and CloudEvents."""
    with failing():
        written = run(write_statement(config, month, to, account=account, rule=rule))
    for path in written:
        typer.echo(str(path))


@commands.command()
def verify(
    head: Annotated[str | None, typer.Option(help="The head that an earlier run gave.")] = None,
    config: ConfigFolder = CONFIG_FOLDER,
    output: OutputOption = Output.human,
) -> None:
    """Prove from the record alone that the promises were kept, charge by charge."""
    with failing():
        kept = None if head is None else head_hash(head)
    url = loaded(config).current.settings.ledger.url
    if not Ledger.exists(url):
        typer.echo(f"nothing is proven, for there is no ledger yet:\n{url}", err=True)
    verified = run(verify_ledger(url, kept))
    if output is Output.json:
        print_json(as_json(verified))
    else:
        show_proof(verified)
    raise typer.Exit(1 if verified.violations else 0)


def _scope(location: str) -> ScopeKey:
    return (("location", location),) if location else ()


def _day(day: datetime | None) -> date | None:
    return None if day is None else day.date()
