"""Kill -9 under load, many times, and the figures: `python -m tests.faults`.

Exit 1: a promise was broken, 2: it can't run here.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from tests.faults import kill, kill_shared
from tests.faults.figures import HEADINGS, Figures
from tests.redis_servers import BINARIES, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.judges import Round

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DURABILITIES = ("strict", "relaxed")


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each gateway is killed.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Repeats the moments of another run.")] = None,
    redis: Annotated[bool, typer.Option(help="Also with counters in Redis.")] = bool(BINARIES),
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON, with all that broke.")
    ] = False,
) -> None:
    """Kill gateways under load, and say what was lost."""
    if redis and not BINARIES:
        typer.echo("redis-server not found; install with: apt-get install redis-server", err=True)
        raise typer.Exit(2)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    found = [_alone(durability, rounds, seed) for durability in DURABILITIES]
    if redis:
        found += [_shared(durability, rounds, seed) for durability in DURABILITIES]
    if as_json:
        typer.echo(json.dumps({"seed": seed, "runs": [each.row() for each in found]}, indent=2))
    else:
        _show(found, seed)
    raise typer.Exit(int(any(each.wrong for each in found)))


def _alone(durability: str, number: int, seed: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="fairuse-faults-") as folder:
        return _gathered("memory", durability, kill.rounds(Path(folder), durability, number, seed))


def _shared(durability: str, number: int, seed: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="fairuse-faults-") as folder, ExitStack() as stack:
        server = stack.enter_context(redis_server(Path(folder) / "redis"))
        rounds = kill_shared.rounds(Path(folder), durability, number, seed, server, patient=True)
        return _gathered("redis", durability, rounds)


def _gathered(store: str, durability: str, rounds: Iterable[Round]) -> Figures:
    figures = Figures(store, durability)
    for number, ended in enumerate(rounds, 1):
        figures.add(ended)
        for broken in ended.wrong:
            typer.echo(f"{store}, {durability}, round {number}: {broken}", err=True)
    return figures


def _show(found: Sequence[Figures], seed: int) -> None:
    table = Table(title="Killed under load", caption=f"seed {seed}")
    table.add_column("", no_wrap=True)
    for each in found:
        table.add_column(f"{each.store}\n{each.durability}", justify="right", no_wrap=True)
    rows = [each.row() for each in found]
    for name, heading in HEADINGS.items():
        table.add_row(heading, *(str(row[name]) for row in rows))
    Console().print(table)


if __name__ == "__main__":
    app()
