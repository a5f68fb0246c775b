"""Every app under test answers what the load asks for."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from bench import apps, configs, middleware
from fairuse import FairUse

IN_MEMORY = [name for name, app in middleware.APPS.items() if not app.on_redis]


async def answers(app: ASGIApp) -> list[httpx.Response]:
    """Ask an app as the load does, with three keys in turn."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench.example") as client:
        try:
            return [
                await client.get(configs.PATH, headers={"x-api-key": configs.api_key(number)})
                for number in (1, 2, 3, 1)
            ]
        finally:
            if isinstance(app, FairUse):
                await app.service.stop()


@pytest.mark.parametrize("name", IN_MEMORY)
def test_every_app_answers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limiter that refused, or an app with another route, would be measured as something else."""
    under_test = middleware.APPS[name]
    monkeypatch.chdir(tmp_path)
    for file, text in under_test.config("memory", configs.KEYS).items():
        (tmp_path / "config" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / file).write_text(text)
    answered = asyncio.run(answers(getattr(apps, under_test.factory)()))
    assert [answer.status_code for answer in answered] == [200] * 4
    assert {answer.text for answer in answered} == {configs.BODY}
    limited = [answer.headers.get("ratelimit-policy", "") for answer in answered]
    assert all(text.count(";q=") == (6 if under_test.durability else 0) for text in limited)
