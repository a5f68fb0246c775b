"""The middleware: the same way, in front of an app in the same process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairuse.base.errors import FairUseError
from fairuse.base.log import logger
from fairuse.entry.lifecycle import Service
from fairuse.stages.forward import ToApp
from fairuse.websocket_way import handle_websocket

if TYPE_CHECKING:
    from typing import TextIO

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fairuse.base.clock import Clock

OVER = frozenset(
    {"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"}
)
"""What an app says last."""

log = logger(__name__)


class FairUse:
    """Wraps an ASGI app: `app = FairUse(app, config="config/")`.

    Works as Starlette and FastAPI middleware too: `app.add_middleware(FairUse, config="config/")`.
    It starts and stops with the app's lifespan, or with its first request where a server or an
    app knows no lifespan.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: str | Path,
        *,
        clock: Clock | None = None,
        access_stream: TextIO | None = sys.stdout,
    ) -> None:
        self._app = app
        self.service = Service(Path(config), ToApp(app), clock, access_stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        match scope["type"]:
            case "http":
                pipeline = self.service.pipeline or await self.service.start()
                await pipeline.handle(scope, receive, send)
            case "lifespan":
                await _Lifespan(self.service, receive, send).run(self._app, scope)
            case "websocket":
                pipeline = self.service.pipeline or await self.service.start()
                await handle_websocket(pipeline, scope, receive, send)
            case _:
                await self._app(scope, receive, send)


class _Lifespan:
    """Starts the service before the app, and stops it after the app, whatever the app does."""

    def __init__(self, service: Service, receive: Receive, send: Send) -> None:
        self._service = service
        self._receive = receive
        self._send = send
        self._said: set[str] = set()
        self._told: set[str] = set()

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app's lifespan inside the service's."""
        waiting = [await self._receive()]
        try:
            await self._service.start()
        except FairUseError as error:
            await self._send({"type": "lifespan.startup.failed", "message": str(error)})
            return

        async def receive() -> Message:
            message = waiting.pop() if waiting else await self._receive()
            self._told.add(message["type"])
            return message

        try:
            await app(scope, receive, self._forward)
        except Exception as error:
            if self._said:
                await self._service.stop()
                raise
            log.warning("app.knows_no_lifespan", reason=repr(error))
        await self._live_on()

    async def _live_on(self) -> None:
        """Live through what the app left out: all of it, or the time after its start."""
        if not self._said:
            await self._forward({"type": "lifespan.startup.complete"})
        if not self._said & OVER:
            if "lifespan.shutdown" not in self._told:
                await self._receive()
            await self._forward({"type": "lifespan.shutdown.complete"})

    async def _forward(self, message: Message) -> None:
        """Send on what the app says; stop once it is down."""
        self._said.add(message["type"])
        if message["type"] in OVER:
            await self._service.stop()
        await self._send(message)
