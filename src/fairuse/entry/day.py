"""A scripted day over real sockets: customers as usual, and one runaway script."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    Book = Callable[["Customer"], Awaitable[None]]

SCRIPT_APPOINTMENTS = 500
SCRIPT_AT_ONCE = 8
OTHER_ADDRESS = "198.51.100.7"


@dataclass(slots=True)
class Customer:
    """One account's day: how many appointments, at which location, from which address."""

    account: str
    location: str
    address: str
    appointments: int
    statuses: Counter[int] = field(default_factory=Counter)
    blocked: str = ""
    active: bool = False


def cast() -> tuple[list[Customer], Customer]:
    """Give the customers as usual, and the one whose script runs away."""
    usual = [
        Customer("salon-anna", "centrum", "192.0.2.11", 42),
        Customer("tandarts-de-vries", "noord", "192.0.2.12", 24),
        Customer("physio-berlin", "mitte", "192.0.2.13", 31),
        Customer("clinic-lisbon", "chiado", "2001:db8:7::1", 18),
        Customer("rijschool-zuid", "zuid", "192.0.2.15", 50),
    ]
    return usual, Customer("barber-london", "soho", "203.0.113.9", SCRIPT_APPOINTMENTS)


def play(gateway: str, console: Console) -> None:
    """Play the day against a running gateway and show how it went."""
    asyncio.run(_play(gateway, console))


async def _play(gateway: str, console: Console) -> None:
    usual, runaway = cast()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    total = sum(customer.appointments for customer in usual) + runaway.appointments
    async with httpx.AsyncClient(base_url=gateway, trust_env=False, timeout=30) as client:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("A day of bookings", total=total)

            async def book(customer: Customer) -> None:
                customer.statuses[await _book(client, customer, customer.address)] += 1
                progress.advance(task)

            await asyncio.gather(
                *(_one_by_one(book, customer) for customer in usual), _at_once(book, runaway)
            )
        for customer in (*usual, runaway):
            await _look_back(client, customer)
    console.print(_table([*usual, runaway]))


async def _one_by_one(book: Book, customer: Customer) -> None:
    for _ in range(customer.appointments):
        await book(customer)


async def _at_once(book: Book, customer: Customer) -> None:
    left = iter(range(customer.appointments))

    async def worker() -> None:
        for _ in left:
            await book(customer)

    await asyncio.gather(*(worker() for _ in range(SCRIPT_AT_ONCE)))


async def _book(client: httpx.AsyncClient, customer: Customer, address: str) -> int:
    response = await client.post(
        f"/locations/{customer.location}/appointments",
        json={"customer": "Jan", "start": "2026-12-01T10:00"},
        headers=_headers(customer, address),
    )
    return response.status_code


async def _look_back(client: httpx.AsyncClient, customer: Customer) -> None:
    """Read the account's usage from another address, and see whether it can still book there."""
    response = await client.get("/fairuse/usage", headers=_headers(customer, OTHER_ADDRESS))
    blocks = response.json()["blocks"]
    if blocks:
        customer.blocked = f"until {blocks[0]['until'][11:16]}"
    customer.active = await _book(client, customer, OTHER_ADDRESS) == 201


def _headers(customer: Customer, address: str) -> dict[str, str]:
    return {"X-API-Key": f"demo-{customer.account}", "X-Forwarded-For": address}


def _table(customers: list[Customer]) -> Table:
    table = Table(title="The day", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("account", "address"):
        table.add_column(name, no_wrap=True)
    for name in ("sent", "allowed", "refused"):
        table.add_column(name, justify="right")
    table.add_column("blocked", no_wrap=True)
    table.add_column("active")
    for customer in customers:
        allowed = customer.statuses[201]
        refused = customer.statuses.total() - allowed
        table.add_row(
            customer.account,
            customer.address,
            str(customer.appointments),
            str(allowed),
            str(refused),
            customer.blocked or "no",
            "yes" if customer.active else "no",
        )
    return table
