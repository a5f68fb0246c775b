"""The middleware: the same way, in front of an app in the same process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairuse.base.errors import FairUseError
from fairuse.entry.lifecycle import Service
from fairuse.stages.forward import ToApp

if TYPE_CHECKING:
    from typing import TextIO

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fairuse.base.clock import Clock


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
                await pipeline.handle_websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)


class _Lifespan:
    """Starts the service before the app, and stops it after the app."""

    def __init__(self, service: Service, receive: Receive, send: Send) -> None:
        self._service = service
        self._receive = receive
        self._send = send
        self._answered = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app's lifespan inside the service's."""
        message = await self._receive()
        try:
            await self._service.start()
        except FairUseError as error:
            await self._send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        waiting = [message]

        async def receive() -> Message:
            return waiting.pop() if waiting else await self._receive()

        try:
            await app(scope, receive, self._forward)
        except Exception:
            if not waiting:
                await self._service.stop()
                raise
        if not self._answered:
            # The app knows no lifespan, so it is lived through without it.
            await self._send({"type": "lifespan.startup.complete"})
            await self._receive()
            await self._forward({"type": "lifespan.shutdown.complete"})

    async def _forward(self, message: Message) -> None:
        """Send on what the app says; stop once it is down."""
        self._answered = True
        if message["type"] in {"lifespan.shutdown.complete", "lifespan.startup.failed"}:
            await self._service.stop()
        await self._send(message)
