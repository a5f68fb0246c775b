"""The gateway: an ASGI app that stands in front of an upstream."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairuse.base.errors import FairUseError
from fairuse.base.wire import whole_cookie
from fairuse.entry.lifecycle import Service
from fairuse.stages.forward import ToUpstream
from fairuse.stages.relay_websocket import RelayWebSocket
from fairuse.websocket_way import handle_websocket

if TYPE_CHECKING:
    from typing import TextIO

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import Clock


class Gateway:
    """Forwards what the policies let through to the upstream that `gateway.toml` names."""

    def __init__(
        self,
        config: str | Path,
        *,
        clock: Clock | None = None,
        access_stream: TextIO | None = sys.stdout,
    ) -> None:
        self._forward = ToUpstream()
        self.websockets = RelayWebSocket(self._forward.via)
        self.service = Service(Path(config), self._forward, clock, access_stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope.get("http_version", "1.1") >= "2":  # the upstream is asked over HTTP/1
            scope = {**scope, "headers": whole_cookie(scope["headers"])}
        match scope["type"]:
            case "http":
                pipeline = self.service.pipeline or await self.service.start()
                await pipeline.handle(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                pipeline = self.service.pipeline or await self.service.start()
                await handle_websocket(pipeline, scope, receive, send, self.websockets)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.service.start()
        except FairUseError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.service.stop()
        await self._forward.close()
        await send({"type": "lifespan.shutdown.complete"})
