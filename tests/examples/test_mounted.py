"""The examples of mounting, run as their readers would run them."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.support import REPOSITORY, Served

if TYPE_CHECKING:
    from pathlib import Path

KEY = {"X-API-Key": "demo-salon-anna"}
PATH = "/locations/centrum/appointments"


def load(name: str) -> Any:
    """Import an example by its file."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / f"examples/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["mounted_starlette", "mounted_fastapi"])
def test_a_mounted_app_is_metered_and_guarded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example serves, counts, refuses the 61st in a minute, and shows its usage."""
    monkeypatch.chdir(tmp_path)
    with (
        Served(load(name).app, lifespan="on") as server,
        httpx.Client(base_url=server.url, headers=KEY, trust_env=False) as client,
    ):
        served = [client.post(PATH) for _ in range(60)]
        assert {response.status_code for response in served} == {201}
        assert served[0].json() == {"booked": "centrum"}
        assert served[0].headers["ratelimit"] == '"appointments-burst";r=59;t=60'
        assert client.post(PATH).status_code == 429
        assert client.post(PATH, headers={"X-API-Key": "wrong"}).status_code == 401
        usage = client.get("/fairuse/usage").json()
        assert [entry["used"] for entry in usage["limits"]] == [60, 60, 1, 60]
    assert (tmp_path / "var/fairuse.db").exists()
