"""Run the document service: python -m examples.document_api."""

import argparse
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from .app import create_app


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Asked of the socket, because port 0 lets the system choose one.
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(f"document_api listens on http://{host}:{port}", flush=True)


def main() -> None:
    """Serve until the process is told to stop."""
    options = _arguments()
    config = uvicorn.Config(
        create_app(options.database),
        host=options.host,
        port=options.port,
        http="httptools",
        access_log=False,
        proxy_headers=False,
        log_level="warning",
    )
    with suppress(KeyboardInterrupt):
        _Server(config).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.document_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--database", type=Path, default=Path("documents.db"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
