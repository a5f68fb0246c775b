"""Histories: a story that lives through its deaths, and what the ledger and the receiver have."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select
from tests.delivery.servers import SECRET
from tests.faults.killed.story import ANNA, BERT, POLICY
from tests.scenarios.process import line_of
from tests.scenarios.support import contract, shipped
from tests.support import unmeasured

from fairuse.stores import schema
from fairuse.stores.ledger import Ledger
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.faults.killed.death import When
    from tests.ledgers import Place

HEAD = schema.record_head.name
KEPT = {
    "cases": ("account", "rule", "state", "outcome", "reading", "notified_reading", "version"),
    "measures": ("account", "kind", "routes", "reason", "state"),
    "charges": ("account", "rule", "kind", "units", "currency", "amount"),
    "notices": ("account", "rule", "kind", "subject"),
    "deliveries": ("state", "channel"),
    "usage": ("account", "meter", "hour", "units"),
    "breaches": ("account", "rule", "judged"),
    "events": ("sender", "id"),
}
"""What is compared of the ledger's tables; numbers may have gaps, and moments are a bit later."""


@dataclass(slots=True)
class Processes:
    """The process that others are forked from."""

    parent: subprocess.Popen[str]

    def live(self, config: Path, death: When | None, environment: Mapping[str, str]) -> int:
        """Have one go on with the story of a configuration, and say how it ended."""
        wanted = {"config": str(config), "death": death, "environment": dict(environment)}
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write(json.dumps(wanted) + "\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())


@contextmanager
def processes() -> Iterator[Processes]:
    """Start the process that others are forked from."""
    command = [sys.executable, "-m", "tests.faults.killed.lives"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=unmeasured()) as parent:
        yield Processes(parent)
        assert parent.stdin is not None
        parent.stdin.close()


@dataclass(slots=True)
class Post:
    """What a webhook's receiver got: the bodies, by the id of the message."""

    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Say whether what came more than once was the same each time."""
        return all(len(set(each)) == 1 for each in self.bodies.values())

    @property
    def most(self) -> int:
        """Count how often a message came at most."""
        return max(map(len, self.bodies.values()))


def configured(folder: Path, place: Place, port: int) -> Path:
    """Write a configuration with two customers, who are told by webhooks."""
    package, https = "[packages.standard]\n", f"https://localhost:{port}"
    tenants = {
        name: contract(name, "own", package).replace(
            f"mailto:{name}@customer.example", f"{https}/{name}"
        )
        for name in (ANNA, BERT)
    }
    config = shipped(folder, tenants)
    shutil.rmtree(config / "policies")
    (config / "policies").mkdir()
    (config / "policies/own.toml").write_text(POLICY)
    settings = config / "gateway.toml"
    text = settings.read_text().replace(f"sqlite:///{folder}/fairuse.db", place.url)
    secrets = "".join(f'{name} = "{SECRET}"\n' for name in (ANNA, BERT))
    settings.write_text(f"{text}[notices]\nallow_private = true\n[notices.webhooks]\n{secrets}")
    return config


async def emptied(config: Path, place: Place) -> None:
    """Leave nothing of the history before, but for the tables."""
    for name in ("world.json", "commits", "said.log"):
        (config.parent / name).unlink(missing_ok=True)
    names = [table.name for table in schema.metadata.sorted_tables if table.name != HEAD]
    first = f"UPDATE {HEAD} SET number = 0, hash = ''"  # noqa: S608  names of our own
    await place.sql(*(f"DELETE FROM {name}" for name in reversed(names)), first)  # noqa: S608


async def left_in(place: Place) -> dict[str, list[str]]:
    """Read what is left, once nobody runs any more, and have it proven.

    Gives what was recorded of each account, a line an entry, and the rows of each table.
    """
    ledger = await Ledger.open(place.url, access="beside")
    try:
        violations = [*map(str, (await verify(ledger, None)).violations)]
        assert not violations, violations
        left: dict[str, list[str]] = {}
        for entry in await entries_of(ledger):
            when, _, said = line_of(entry).partition("  ")
            left.setdefault(entry.account, []).append(f"{when[:13]} {said}")
        for name, columns in KEPT.items():
            table = schema.metadata.tables[name]
            rows = await ledger.rows(select(*(table.c[column] for column in columns)))
            left[name] = sorted(str(row) for row in rows)
        return left
    finally:
        await ledger.close()
