"""What the commands share: they load the configuration, run, and say what went wrong."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from fairuse.base.errors import ConfigurationError, FairUseError
from fairuse.entry.desk import desk_of
from fairuse.rules.nearest import suggestion
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from fairuse.base.errors import Finding
    from fairuse.entry.desk import Desk

T = TypeVar("T")


def loaded(config: Path) -> Configuration:
    """Load the configuration; where it is broken, say so and end with 1."""
    configuration = Configuration(config)
    with saying_why():
        configuration.load()
    return configuration


def known(configuration: Configuration, account: str) -> None:
    """Look whether there is an account; where there is none, say so and end with 1."""
    accounts = configuration.current.accounts
    if account not in accounts:
        typer.echo(f'there is no account "{account}"{suggestion(account, accounts)}', err=True)
        raise typer.Exit(1)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something that needs the ledger; where it can't be done, say why and end with 1."""
    with saying_why():
        return asyncio.run(work)


@contextmanager
def saying_why() -> Iterator[None]:
    """Where something can't be done, say why and end with 1."""
    try:
        yield
    except ConfigurationError as error:
        fail(error.findings)
    except FairUseError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def at_desk(config: Path | Configuration, by: str, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something at the desk, as an operator; where it can't be done, say why and end with 1."""
    configuration = loaded(config) if isinstance(config, Path) else config

    async def at_it() -> T:
        async with desk_of(configuration, by) as desk:
            return await work(desk)

    return run(at_it())


@contextmanager
def failing() -> Iterator[None]:
    """Take a ValueError for a wrong call, which ends with 2."""
    try:
        yield
    except ValidationError as error:
        wrong = [str(each["msg"]).removeprefix("Value error, ") for each in error.errors()]
        raise typer.BadParameter("; ".join(wrong)) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def print_json(found: object) -> None:
    """Write what was found for programs."""
    typer.echo(json.dumps(found, ensure_ascii=False))


def fail(findings: list[Finding]) -> NoReturn:
    """Say what is wrong in the configuration, and end with 1."""
    print_findings(findings)
    raise typer.Exit(1)


def print_findings(findings: list[Finding]) -> None:
    """Say what is wrong in the configuration."""
    for finding in findings:
        typer.echo(str(finding), err=True)
    typer.echo(counted(len(findings), "finding"), err=True)


def counted(number: int, thing: str) -> str:
    """Write a number of things: "1 finding", "2 findings"."""
    return f"{number} {thing}{'s' if number != 1 else ''}"
