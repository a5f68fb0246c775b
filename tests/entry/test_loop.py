"""A gateway that is its own upstream, by a mistake in its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from tests.stages.support import policy
from tests.stages.websockets import KEY, UPGRADE, VERSION
from tests.support import NOON, SALON, Front, Served, write_config

from fairuse import Gateway
from fairuse.base.clock import ManualClock
from fairuse.base.hop import pool
from fairuse.entry.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EVERYTHING = policy('count = ["* /**"]', amount="1000")


def test_a_loop_comes_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-47: it ends with 503 where the connections do; nothing counts, and it serves on."""
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.2)
    config = write_config(tmp_path, policy=EVERYTHING, response_timeout="20 seconds")
    clock = ManualClock(NOON)
    gateway = Gateway(config, clock=clock, access_stream=None)
    server = Served(gateway, lifespan="on", ws=WebSocketProtocol)
    settings = config / "gateway.toml"
    text = settings.read_text().replace("http://127.0.0.1:9", server.url)
    settings.write_text(text.replace("[upstream]\n", "[upstream]\nmax_connections = 5\n"))
    handshake = dict(line.split(": ") for line in (KEY + VERSION + UPGRADE).split("\r\n")[:-1])
    with server, httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        front = Front(server, gateway, clock, config, client)
        for fields in ({}, {}, handshake):
            answer = client.get("/ws", headers={"X-API-Key": SALON, **fields})
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert front.usage()["limits"][0]["used"] == 0
