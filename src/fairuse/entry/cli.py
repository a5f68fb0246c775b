"""The command line. Exit codes: 0 fine, 1 findings or a failure, 2 a wrong call."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fairuse.base import log
from fairuse.base.errors import ConfigurationError, DemoError, Finding
from fairuse.entry import demo as demonstration
from fairuse.entry.server import address_of, listen
from fairuse.entry.server import serve as run_server
from fairuse.stores.configuration import Configuration

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A fair-use gateway: it enforces a contract's policy and keeps the promises in it.",
)

ConfigFolder = Annotated[
    Path,
    typer.Option("--config", exists=True, file_okay=False, help="The configuration folder."),
]


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


class Output(StrEnum):
    """How a command writes what it found."""

    human = "human"
    json = "json"


@app.command()
def serve(
    config: ConfigFolder = Path("config"),
    host: Annotated[str | None, typer.Option(help="Listen here instead.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0 for any.")] = None,
) -> None:
    """Run the gateway in front of the upstream that gateway.toml names."""
    try:
        settings = Configuration(config).load().settings
    except ConfigurationError as error:
        _fail(error.findings)
    if settings.upstream is None:
        _fail([Finding("gateway.toml", "upstream", "is missing; the gateway needs one")])
    log.configure(settings.log.level)
    where = (host or settings.listen.host, settings.listen.port if port is None else port)
    try:
        listener = listen(*where)
    except OSError as error:
        typer.echo(f"can't listen on {where[0]}:{where[1]}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    ready = f"fairuse listens on {address_of(listener)}, in front of {settings.upstream.url}"
    if not run_server(config, settings, listener, lambda: typer.echo(ready, err=True)):
        raise typer.Exit(1)


@app.command()
def check(
    config: ConfigFolder = Path("config"),
    output: Annotated[Output, typer.Option("-o", "--output", help="human or json")] = Output.human,
) -> None:
    """Say everything that is wrong in the configuration folder."""
    configuration = Configuration(config)
    findings = configuration.reload()
    if output is Output.json:
        fields = Finding.__slots__
        found = [{name: getattr(finding, name) for name in fields} for finding in findings]
        typer.echo(json.dumps({"findings": found}))
    elif not findings:
        tenants = len(configuration.current.terms)
        typer.echo(f"{config} is fine: {tenants} tenants")
    else:
        _print(findings)
    raise typer.Exit(1 if findings else 0)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play a day, show it, and end.")] = False,
    config: ConfigFolder = Path("config"),
    examples: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder of examples.")
    ] = Path("examples"),
) -> None:
    """Run the sample booking API with the gateway in front, ready to be tried."""
    try:
        demonstration.run(config, examples, once=once)
    except DemoError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _fail(findings: list[Finding]) -> NoReturn:
    _print(findings)
    raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        typer.echo(str(finding), err=True)
    typer.echo(f"{len(findings)} finding{'s' if len(findings) != 1 else ''}", err=True)


def main() -> None:
    """Run the command line."""
    sys.exit(app())
