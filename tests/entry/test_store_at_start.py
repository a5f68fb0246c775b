"""What becomes of a start where the store of counters is not as it should be (F-37)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.redis_servers import REDIS_MARKS, free_port, redis_server
from tests.support import APPOINTMENTS, SALON, serving, write_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = REDIS_MARKS


def counting_in(config: Path, url: str) -> Path:
    """Have the counts kept in a store."""
    with (config / "gateway.toml").open("a") as file:
        file.write(f'[counters]\nstore = "{url}"\n')
    return config


def test_a_store_that_does_not_answer_keeps_nothing_from_being_served(
    tmp_path: Path, booking_api: str
) -> None:
    """F-37: the gateway starts, says so loudly, and decides alone until the store is there."""
    url = f"redis://:secret-word@127.0.0.1:{free_port()}/0"
    config = counting_in(write_config(tmp_path, upstream=booking_api), url)
    with serving(config) as gateway:
        booked = httpx.post(
            gateway.url + APPOINTMENTS,
            headers={"X-API-Key": SALON},
            json={"customer": "Jan", "start": "2026-12-01T10:00"},
            trust_env=False,
        )
        assert (booked.status_code, booked.headers["fairuse-degraded"]) == (201, "counters")
        gateway.process.terminate()
        assert gateway.process.stderr is not None
        said = gateway.heard + gateway.process.stderr.read()
        assert "counters.store_away" in said
        assert "secret-word" not in said


def test_a_wrong_password_ends_the_start(tmp_path: Path) -> None:
    """A store that lets nobody in is a mistake in the configuration: exit 1, without the secret."""
    with redis_server(tmp_path / "redis", options=("--requirepass", "right")) as server:
        url = f"redis://:wrong-word@127.0.0.1:{server.port}/0"
        config = counting_in(write_config(tmp_path), url)
        with pytest.raises(AssertionError) as ended, serving(config):
            raise RuntimeError("it started")
        assert "counter store redis://127.0.0.1" in str(ended.value)
        assert "wrong-word" not in str(ended.value)
