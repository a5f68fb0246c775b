"""An awaitable that is begun at once ends as it would have, and who cancels it is heard."""

from __future__ import annotations

import asyncio

import pytest

from fairuse.base.begun import Begun

pytestmark = pytest.mark.anyio


async def answer(waits_for: asyncio.Future[str] | None = None) -> str:
    """Give an answer, after a while where there is something to wait for."""
    if waits_for is None:
        return "here"
    try:
        return await waits_for
    except ZeroDivisionError:
        return "divided"


async def test_what_is_here_is_had_without_waiting() -> None:
    """What needs no waiting is done at once, and can be awaited all the same."""
    begun = Begun(answer())
    assert begun.done
    assert (begun.value, await begun) == ("here", "here")


async def test_what_is_not_here_is_waited_for() -> None:
    """What has to wait goes on where it was, with what it waited for."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = Begun(answer(future))
    assert not begun.done
    asyncio.get_running_loop().call_soon(future.set_result, "later")
    assert await begun == "later"


async def test_errors_arise_where_they_belong() -> None:
    """An error of what is waited for reaches who waits inside, and one at once who began it."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = Begun(answer(future))
    future.set_exception(ZeroDivisionError())
    assert await begun == "divided"

    async def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        Begun(fails())


async def test_cancelling_reaches_what_was_begun() -> None:
    """Whoever is cancelled while it waits ends, and cancels what it waited for."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait() -> str:
        return await Begun(answer(future))

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()
