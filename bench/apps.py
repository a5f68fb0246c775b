"""The apps under test: one trivial app, bare and behind each limiter, made by `uvicorn --factory`.

All limiters have the same six limits by the same key. What they send is their own default: of
them only fairuse announces its limits in every answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from ratelimit import RateLimitMiddleware, Rule
from ratelimit.backends.simple import MemoryBackend
from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bench.configs import BODY, NEVER_REACHED, PATH, SECONDS
from fairuse import FairUse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

KEY_HEADER = b"x-api-key"
UPSTREAM_FILE = Path("config/upstream.txt")
"""Holds the address of the upstream, for the proxy."""


async def example(_request: Request) -> Response:
    """Answer at once."""
    return Response(BODY, media_type="application/json")


def bare() -> Starlette:
    """Make the app, without limits."""
    return Starlette(routes=[Route(PATH, example)])


def fairuse() -> ASGIApp:
    """Wrap it in fairuse; limits, store and log are as the folder beside it says."""
    return FairUse(bare(), config="config")


def usual_proxy() -> Starlette:
    """Make the reverse proxy that everybody writes: one client, streaming, and no limits at all."""
    return _proxy(httpx.Limits(max_connections=100, max_keepalive_connections=20))


def unbounded_proxy() -> Starlette:
    """Make the same with as many connections as there are requests; httpx's default is 100."""
    return _proxy(httpx.Limits(max_connections=None, max_keepalive_connections=None))


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer everything, without a proxy or a framework: what the server alone can do."""
    length = str(len(BODY)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY.encode()})


def greeter() -> ASGIApp:
    """Make the app that does nothing but answer."""
    return hello


def _proxy(limits: httpx.Limits) -> Starlette:
    client = httpx.AsyncClient(base_url=UPSTREAM_FILE.read_text(), timeout=60, limits=limits)

    async def forward(request: Request) -> Response:
        url = httpx.URL(path=request.url.path, query=request.url.query.encode())
        asked = client.build_request(request.method, url, headers=request.headers.raw)
        reply = await client.send(asked, stream=True)
        return StreamingResponse(
            reply.aiter_raw(),
            status_code=reply.status_code,
            headers=reply.headers,
            background=BackgroundTask(reply.aclose),
        )

    return Starlette(routes=[Route("/{path:path}", forward)])


def slowapi() -> ASGIApp:
    """Wrap it in slowapi's faster middleware, the pure ASGI one."""
    app = bare()
    windows = [f"{NEVER_REACHED} per {seconds} seconds" for seconds in SECONDS.values()]
    app.state.limiter = Limiter(key_func=_key_of, default_limits=[*windows])
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


def asgi_ratelimit() -> ASGIApp:
    """Wrap it in asgi-ratelimit: five limits, as it knows no year, and a day only once."""
    rule = Rule(
        second=NEVER_REACHED,
        minute=NEVER_REACHED,
        hour=NEVER_REACHED,
        day=NEVER_REACHED,
        month=NEVER_REACHED,
    )
    backend = MemoryBackend()  # type: ignore[no-untyped-call]
    return RateLimitMiddleware(bare(), _caller, backend, {r"^/v1/": [rule]})


def limits_aio() -> ASGIApp:
    """Wrap it in the least that `limits` needs: a pure ASGI middleware, one hit after another."""
    return SixHits(bare())


class SixHits:
    """Limits with `limits.aio`, in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._limits = [
            RateLimitItemPerSecond(NEVER_REACHED, seconds) for seconds in SECONDS.values()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "http":
            key = _key(scope)
            for limit in self._limits:
                if not await self._limiter.hit(limit, key):
                    await Response(status_code=429)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _key(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == KEY_HEADER:
            key: bytes = value
            return key.decode()
    return ""


def _key_of(request: Request) -> str:
    return _key(request.scope)


async def _caller(scope: Scope) -> tuple[str, str]:
    return _key(scope), "default"
