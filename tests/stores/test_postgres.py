"""A ledger in PostgreSQL: what a lost connection, a lost lock and a lost answer come to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, insert, select, update
from tests.fault_proxy import FaultProxy
from tests.support import NOON

from fairuse.base.errors import InDoubt, LedgerError
from fairuse.rules.blocks import Block
from fairuse.stores import locks, schema, server
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, BreachRow, UsageKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine
    from tests.fault_proxy import Mode
    from tests.ledgers import PostgresPlace

    from fairuse.base.clock import ManualClock

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

BLOCK = Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 0)
USAGE = UsageKey("anna", "", "m", int(NOON))
PATIENCE = 30.0


@pytest.fixture
def own(own_postgres: PostgresPlace) -> PostgresPlace:
    """Give an empty database."""
    asyncio.run(own_postgres.empty())
    return own_postgres


@pytest.fixture
def proxy(own: PostgresPlace) -> Iterator[FaultProxy]:
    """Run a network that can break between a ledger and its database."""
    with FaultProxy(own.port, own.host) as running:
        yield running


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Ledger]:
    """Open a ledger alone, as who counts in memory does."""
    ledger = await Ledger.open(url)
    try:
        yield ledger
    finally:
        await ledger.close()


def engine_of(ledger: Ledger) -> AsyncEngine:
    """Give what a ledger's connections come from."""
    engine: AsyncEngine = ledger._backend._engine  # type: ignore[attr-defined]
    return engine


@pytest.mark.parametrize("mode", ["refuse", "reset", "blackhole"])
async def test_a_database_that_goes_away_and_comes_back_loses_nothing(
    own: PostgresPlace,
    proxy: FaultProxy,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    """F-41: what was counted meanwhile is written once it is back, each unit and block once."""
    monkeypatch.setattr(server, "COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(server, "CONNECT_SECONDS", 0.5)
    journal = Journal()
    async with opened(own.behind(proxy.port)) as ledger:
        for away in (False, True, True, False):
            proxy.mode = mode if away else "pass"
            journal.note_usage("anna", "", "m", 1, int(NOON))
            journal.note_block(BLOCK)
            async with asyncio.timeout(PATIENCE):
                assert await journal.flush(ledger, clock.now()) is not away
            assert journal.failing is away
        assert await ledger.usage("anna") == {USAGE: 4}
        assert len(await ledger.blocks_since(NOON)) == 4


async def test_a_server_that_was_restarted_is_noticed_by_nobody(
    own: PostgresPlace, clock: ManualClock
) -> None:
    """F-41: connections that ended while nobody used them are replaced, the lock's one too."""
    journal = Journal()
    async with opened(own.url) as ledger:
        for _ in range(2):
            await own.disconnect_all()
            journal.note_usage("anna", "", "m", 1, int(NOON))
            assert await journal.flush(ledger, clock.now())
        assert await ledger.usage("anna") == {USAGE: 2}
        with pytest.raises(LedgerError, match="in use by another process"):
            await Ledger.open(own.url)


async def test_who_lost_the_ledger_to_another_writes_nothing(
    own: PostgresPlace, clock: ManualClock
) -> None:
    """F-41: of two that count in memory only the one that has the ledger writes to it."""
    journal = Journal()
    async with opened(own.url) as ledger:
        await own.disconnect_all()
        async with opened(own.url) as other:
            journal.note_usage("anna", "", "m", 1, int(NOON))
            assert not await journal.flush(ledger, clock.now())
            with pytest.raises(LedgerError, match="is in use by another process"):
                await ledger.prune(NOON)
            assert await other.usage("anna") == {}
        assert await journal.flush(ledger, clock.now())
        assert await ledger.usage("anna") == {USAGE: 1}


async def test_a_lock_that_was_lost_in_silence_is_found_out(
    own: PostgresPlace, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: where no end of the connection was heard, who writes asks whether it is there."""
    monkeypatch.setattr(locks, "SURE_SECONDS", 0.0)
    monkeypatch.setattr(server, "COMMAND_SECONDS", 0.5)
    async with opened(own.behind(proxy.port)) as ledger:
        await ledger.write(Batch())
        proxy.mode = "blackhole"
        await own.disconnect_all()
        async with opened(own.url):
            with pytest.raises(LedgerError):
                await ledger.write(Batch(usage=[(USAGE, 1)]))
            proxy.mode = "pass"
            with pytest.raises(LedgerError, match="is in use by another process"):
                await ledger.write(Batch(usage=[(USAGE, 1)]))
        await ledger.write(Batch(usage=[(USAGE, 1)]))
        assert await ledger.usage("anna") == {USAGE: 1}


@pytest.mark.parametrize("arrives", [True, False])
async def test_usage_whose_commit_nobody_heard_of_counts_once(
    own: PostgresPlace, proxy: FaultProxy, clock: ManualClock, *, arrives: bool
) -> None:
    """F-41, P8: whether the commit or only its answer was lost, the units are added once."""
    journal = Journal()
    async with opened(own.behind(proxy.port)) as ledger:

        def lost(_connection: object) -> None:
            # "late": the server is told and its answer is kept back; "blackhole": it is not.
            proxy.delay, proxy.mode = 3_600, "late" if arrives else "blackhole"

        event.listen(engine_of(ledger).sync_engine, "commit", lost)
        journal.note_usage("anna", "", "m", 5, int(NOON))
        flushing = asyncio.create_task(journal.flush(ledger, clock.now()))
        async with asyncio.timeout(PATIENCE):
            while arrives and not await own.sql("SELECT units FROM usage"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while proxy.mode == "pass":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            proxy.mode = "refuse"
            assert not await flushing
            event.remove(engine_of(ledger).sync_engine, "commit", lost)
            proxy.mode = "pass"
            journal.note_usage("anna", "", "m", 1, int(NOON))
            assert await journal.flush(ledger, clock.now())
        assert await ledger.usage("anna") == {USAGE: 6}


async def test_what_is_in_doubt_stays_so_until_somebody_can_tell(own: PostgresPlace) -> None:
    """F-41: while nobody can say whether usage was added, it is neither added nor forgotten."""
    answers: Iterator[LedgerError | None] = iter([LedgerError("away"), None])

    async def committed() -> bool:
        answer = next(answers)
        if isinstance(answer, LedgerError):
            raise answer
        return True

    async with opened(own.url) as ledger:
        ledger._in_doubt = InDoubt("lost", committed), Batch(usage=[(USAGE, 5)])
        with pytest.raises(LedgerError, match="away"):
            await ledger.write(Batch(usage=[(USAGE, 7)]))
        assert await ledger.usage("anna") == {}
        for _ in range(2):
            await ledger.write(Batch(usage=[(USAGE, 7)]))
        assert await ledger.usage("anna") == {USAGE: 2 + 7}


async def test_many_that_write_the_same_rows_never_stand_in_each_others_way(
    own: PostgresPlace,
) -> None:
    """F-41, E32: batches of many nodes lose no unit, and one episode stays one breach."""
    nodes = [await Ledger.open(own.url, access="shared") for _ in range(4)]
    keys = [USAGE._replace(location=str(number)) for number in range(50)]
    breach = BreachRow("salon", "anna", "burst", (), NOON, NOON + 60, NOON + 30, 11, 10)
    async with asyncio.timeout(PATIENCE):
        for round_ in range(5):
            await asyncio.gather(
                *(
                    node.write(
                        Batch(
                            usage=[(key, 1) for key in keys[:: -1 if number % 2 else 1]],
                            breaches=[breach._replace(starts_at=NOON + number + round_)],
                        )
                    )
                    for number, node in enumerate(nodes)
                )
            )
    assert await nodes[0].usage("anna") == dict.fromkeys(keys, 4 * 5)
    assert len(await own.sql("SELECT * FROM breaches")) == 1
    for node in nodes:
        await node.close()


async def test_what_a_transaction_has_read_stays_so_until_it_has_written(
    own: PostgresPlace,
) -> None:
    """P8: two nodes that each look first and then write do not both find nothing."""
    nodes = [await Ledger.open(own.url, access="shared") for _ in range(2)]
    table = schema.blocks

    async def once(node: Ledger) -> None:
        async with node.transaction() as connection:
            if not (await connection.execute(select(table))).all():
                await asyncio.sleep(0.05)
                values = {name: getattr(BLOCK, name) for name in Block.__slots__}
                await connection.execute(insert(table).values(values))

    await asyncio.gather(*(once(node) for node in nodes * 3))
    assert len(await own.sql("SELECT * FROM blocks")) == 1
    for node in nodes:
        await node.close()


async def test_who_writes_too_long_keeps_the_others_waiting_for_seconds_only(
    own: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: a transaction that does not come to an end is an error to the others, not a halt."""
    monkeypatch.setitem(server.SETTINGS, "lock_timeout", "50ms")
    async with opened(own.url) as ledger:
        async with ledger.transaction():
            with pytest.raises(LedgerError, match="lock timeout"):
                await ledger.write(Batch(usage=[(USAGE, 1)]))
            assert await ledger.usage("anna") == {}
        await ledger.write(Batch(usage=[(USAGE, 1)]))
        assert await ledger.usage("anna") == {USAGE: 1}


async def test_locks_of_a_machine_that_is_gone_are_let_go(own: PostgresPlace) -> None:
    """F-41: the server is told to look for who is silent, on every connection."""
    names = ("idle_in_transaction_session_timeout", "tcp_keepalives_idle", "lock_timeout")
    async with opened(own.url) as ledger, ledger.transaction() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"SHOW {name}")).scalar() for name in names
        }
    assert found == dict(zip(names, ("30s", "10", "5s"), strict=True))


async def test_a_password_is_in_no_message(own: PostgresPlace) -> None:
    """F-22: neither the ledger's name nor an error says the password, nor who logs in."""
    secret = "s3cret"
    url = own.url.replace("@", f":{secret}@")
    assert secret in url
    async with opened(url) as ledger:
        assert ledger.name == f"postgresql://{own.host}:{own.port}/{own.database}"
        with pytest.raises(LedgerError) as in_use:
            await Ledger.open(url)
    with pytest.raises(LedgerError) as nowhere:
        await Ledger.open(url.replace(own.database, "no_such_database"))
    with pytest.raises(LedgerError) as unread:
        await Ledger.look_into(url.replace(f":{own.port}/", ":1/"))
    assert "no_such_database" in str(nowhere.value)
    assert "can't be read: " in str(unread.value)
    for error in (in_use, nowhere, unread):
        assert secret not in repr(error.value)
        assert secret not in repr(error.value.__cause__)


async def test_a_missing_package_is_said(
    own: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who did not install the extra is told which it is."""
    monkeypatch.setattr(server, "INSTALLED", False)
    with pytest.raises(LedgerError, match=r'pip install "fairuse\[postgres\]"'):
        await Ledger.open(own.url)


async def test_a_case_that_was_updated_is_read_at_once_by_other_nodes(
    own: PostgresPlace,
) -> None:
    """S15: what one node has committed, every other one reads with its next query."""
    one, other = [await Ledger.open(own.url, access="shared") for _ in range(2)]
    await one.write(Batch(blocks=[BLOCK]))
    async with one.transaction() as connection:
        await connection.execute(update(schema.blocks).values(repetition=7))
        assert [block.repetition for block in await other.blocks_since(NOON)] == [0]
    assert [block.repetition for block in await other.blocks_since(NOON)] == [7]
    await one.close()
    await other.close()
