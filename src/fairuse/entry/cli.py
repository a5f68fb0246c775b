"""The command line. Exit codes: 0 fine, 1 findings or a failure, 2 a wrong call."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairuse.base.address import parse_ip
from fairuse.base.clock import SystemClock
from fairuse.base.errors import (
    Finding,
)
from fairuse.entry import demo as demonstration
from fairuse.entry.account_commands import commands as account_commands
from fairuse.entry.calls import counted, fail, known, loaded, print_json, run, saying_why
from fairuse.entry.case_commands import commands as case_commands
from fairuse.entry.explain import Request, explain_account, explain_request
from fairuse.entry.options import (
    CONFIG_FOLDER,
    ConfigFolder,
    DemoPolicy,
    Language,
    Output,
    OutputOption,
)
from fairuse.entry.policy_commands import commands as policy_commands
from fairuse.entry.server import address_of, listen
from fairuse.entry.server import serve as run_server
from fairuse.entry.tables import show
from fairuse.rules.amounts import rounded
from fairuse.rules.policy import Policy
from fairuse.rules.render import render as write_policy
from fairuse.stores.averages import take_all
from fairuse.stores.configuration import Configuration
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from fairuse.rules.cohorts import Snapshot
    from fairuse.rules.config import Config

ONE_PROCESS = (
    "several workers can't count in memory: the embedded store counts in one process only;"
    ' set [counters] store = "redis://127.0.0.1:6379/0" in gateway.toml'
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A fair-use gateway: it enforces a contract's policy and keeps the promises in it.",
)
app.add_typer(policy_commands)
app.add_typer(case_commands)
app.add_typer(account_commands)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fairuse {version('fairuse')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Take the options of every command."""


@app.command()
def serve(
    config: ConfigFolder = CONFIG_FOLDER,
    host: Annotated[str | None, typer.Option(help="Listen here instead.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0 for any.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; several count in Redis.")] = 1,
) -> None:
    """Run the gateway in front of the upstream that gateway.toml names."""
    settings = loaded(config).current.settings
    if settings.upstream is None:
        fail([Finding("gateway.toml", "upstream", "is missing; the gateway needs one")])
    if workers > 1 and settings.counters.alone:
        typer.echo(ONE_PROCESS, err=True)
        raise typer.Exit(2)
    where = (host or settings.listen.host, settings.listen.port if port is None else port)
    try:
        listener = listen(*where)
    except OSError as error:
        typer.echo(f"can't listen on {where[0]}:{where[1]}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    by = f" with {workers} workers" if workers > 1 else ""
    before = ", ".join(settings.upstream.url)
    ready = f"fairuse listens on {address_of(listener)}{by}, in front of {before}"
    with saying_why():
        served = run_server(
            config, settings, listener, lambda: typer.echo(ready, err=True), workers
        )
    if not served:
        raise typer.Exit(1)


@app.command()
def render(
    policy: Annotated[str, typer.Argument(help="The policy's name, such as booking.")],
    language: Annotated[Language, typer.Option("--lang", help="nl, de or en")] = Language.en,
    config: ConfigFolder = CONFIG_FOLDER,
) -> None:
    """Write a policy as its customers read it, in Markdown."""
    configuration = Configuration(config)
    found = configuration.policy(policy)
    if isinstance(found, Policy):
        typer.echo(write_policy(found, language.value), nl=False)
    else:
        fail(found)


@app.command()
def explain(  # noqa: PLR0913, PLR0917  each is an option of its own
    account: Annotated[str, typer.Option(help="The account, where no key is given.")] = "",
    key: Annotated[str, typer.Option(help="An API key, as a client sends it.")] = "",
    method: Annotated[str, typer.Option(help="The request's method.")] = "GET",
    path: Annotated[str, typer.Option(help="The request's path; without it the account.")] = "",
    address: Annotated[str, typer.Option(help="The client's address.")] = "192.0.2.1",
    user: Annotated[str, typer.Option(help="The account's user it is from.")] = "",
    config: ConfigFolder = CONFIG_FOLDER,
    output: OutputOption = Output.human,
) -> None:
    """Say what a request would meet, or where an account stands: nothing is counted."""
    if not account and not (key and path):
        raise typer.BadParameter("give --account, or --key and --path")
    if parse_ip(address) is None:
        raise typer.BadParameter(f'"{address}" is no address')
    configuration = loaded(config)
    if not (key and path):
        known(configuration, account)
    ledger = configuration.current.settings.ledger.url
    if not Ledger.exists(ledger):
        typer.echo(f"nothing is counted, for there is no ledger yet:\n{ledger}", err=True)
    request = Request(method.upper(), path, key, account, address, user)
    work = (
        explain_request(configuration, request, SystemClock())
        if path
        else explain_account(configuration, account, SystemClock())
    )
    found = run(work)
    print_json(found) if output is Output.json else show(found)


@app.command()
def snapshot(config: ConfigFolder = CONFIG_FOLDER) -> None:
    """Take the averages of all cohorts now; a running gateway takes them up within a minute."""
    current = loaded(config).current
    meters = {terms.policy: terms.meters for terms in current.accounts.values()}
    taken = run(_take_snapshots(current))
    for one in taken:
        cohort = "/".join(part for part in one.cohort if part)
        units = one.average / meters[one.cohort.policy][one.cohort.meter].one
        average = rounded(units)
        typer.echo(f"{cohort}: {one.method} of {one.n} is {average}, {one.day}")
    typer.echo(counted(len(taken), "snapshot"))


async def _take_snapshots(config: Config) -> list[Snapshot]:
    url = config.settings.ledger.url
    if not Ledger.exists(url):
        return []
    ledger = await Ledger.open(url, access="beside")
    try:
        return await take_all(ledger, config, SystemClock().now().wall)
    finally:
        await ledger.close()


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play a day, show it, and end.")] = False,
    policy: Annotated[DemoPolicy, typer.Option(help="Which service to show.")] = DemoPolicy.booking,
    config: ConfigFolder = CONFIG_FOLDER,
    examples: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder of examples.")
    ] = Path("examples"),
) -> None:
    """Run a sample API with the gateway in front, ready to be tried."""
    with saying_why():
        demonstration.run(config, examples, policy.value, once=once)


def main() -> None:
    """Run the command line."""
    sys.exit(app())
