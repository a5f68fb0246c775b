"""The listener of the metrics, asked by somebody who should not be there (F-51)."""

from __future__ import annotations

import httpx
import pytest
from tests.entry.test_vitals import free_port

from fairuse.entry.exposition import exposed
from fairuse.rules.settings import Listen, Metrics

HOSTILE = [
    ("GET", "/metrics", {"host": "evil.example"}, b""),
    ("GET", "/metrics?name[]=%00&name[]=x", {}, b""),
    ("GET", "/../../etc/passwd", {}, b""),
    ("GET", "/metrics", {"accept": "x" * 10_000, "accept-encoding": "q=nan"}, b""),
    ("POST", "/metrics", {}, b"x" * 1_000_000),
    ("DELETE", "/metrics", {}, b""),
]


def test_what_listens_listens_on_loopback() -> None:
    """F-51: nobody else can reach the gateway or its metrics, unless the settings say so."""
    assert {Listen().host, Metrics().host} == {"127.0.0.1"}
    assert Metrics().port is None


@pytest.mark.parametrize(("method", "path", "headers", "body"), HOSTILE)
def test_metrics_are_all_that_it_tells(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    """F-51: whatever is asked, it is not a fault, and no more than metrics is told."""
    port = free_port()
    with exposed(Metrics(port=port), workers=1):
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{port}{path}",
            headers=headers,
            content=body,
            trust_env=False,
        )
    assert answer.status_code < 500
    assert "root:" not in answer.text
