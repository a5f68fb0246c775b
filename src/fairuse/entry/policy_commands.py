"""The commands that ask what a policy does or would do, before and while it is in force."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from fairuse.base.clock import SystemClock
from fairuse.base.errors import Finding
from fairuse.entry import reach_lines, suggest_lines
from fairuse.entry.calls import counted, failing, known, loaded, print_findings, print_json, run
from fairuse.entry.options import (
    CONFIG_FOLDER,
    Account,
    ConfigFolder,
    Output,
    OutputOption,
    SchemaOf,
    describe,
)
from fairuse.entry.portal.key import key_warnings
from fairuse.entry.reach import end_of, reach_of
from fairuse.entry.suggest import suggestable, suggestions
from fairuse.rules.nearest import suggestion
from fairuse.stores.configuration import Configuration

commands = typer.Typer()


@commands.command()
def check(
    config: ConfigFolder = CONFIG_FOLDER,
    output: OutputOption = Output.human,
    usage: Annotated[
        str | None,
        typer.Option(help='Say whom it would have touched: in a month like 2026-10, or "last".'),
    ] = None,
    schema: Annotated[
        SchemaOf | None,
        typer.Option(help="Write the JSON Schema of a file, for editors, and check nothing."),
    ] = None,
) -> None:
    """Say everything that is wrong in the configuration folder, and what deserves a look."""
    if schema is not None:
        typer.echo(json.dumps(describe(schema), indent=2))
        raise typer.Exit
    with failing():
        moment = None if usage is None else end_of(usage, SystemClock().now().wall)
    configuration = Configuration(config)
    findings = configuration.reload()
    warnings = [*configuration.warnings(), *key_warnings(configuration, os.environ)]
    reach = None
    if moment is not None and not findings:
        reach = run(reach_of(configuration, moment))
        warnings += reach_lines.reach_warnings(reach)
    if output is Output.json:
        found = {"findings": _fields(findings), "warnings": _fields(warnings)}
        print_json(found if reach is None else {**found, "usage": reach_lines.as_json(reach)})
    else:
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
        if findings:
            print_findings(findings)
        else:
            count = configuration.current.tenants
            typer.echo(f"{config} is fine: {counted(count, 'tenant')}")
        if reach is not None:
            reach_lines.show_reach(reach, str(usage))
    raise typer.Exit(1 if findings else 0)


@commands.command()
def suggest(
    account: Account,
    limit: Annotated[str | None, typer.Argument(help="A limit's name; without it all.")] = None,
    config: ConfigFolder = CONFIG_FOLDER,
    output: OutputOption = Output.human,
) -> None:
    """Suggest an amount from size, comparable customers and load; nothing is changed."""
    configuration = loaded(config)
    known(configuration, account)
    names = suggestable(configuration.current.accounts[account])
    if limit is not None and limit not in names:
        near = suggestion(limit, names)
        typer.echo(f'no amount can be suggested for "{limit}" of {account}{near}', err=True)
        raise typer.Exit(1)
    moment = SystemClock().now().wall
    wanted = names if limit is None else [limit]
    found = run(suggestions(configuration, account, wanted, moment))
    if output is Output.json:
        print_json([suggest_lines.as_json(account, each, moment) for each in found])
        return
    for each in found:
        suggest_lines.show_suggestion(account, each, moment)


def _fields(findings: list[Finding]) -> list[dict[str, str]]:
    return [{name: getattr(each, name) for name in Finding.__slots__} for each in findings]
