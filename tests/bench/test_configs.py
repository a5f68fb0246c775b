"""The gateway under test is configured as the benchmark says."""

import json
import re
from pathlib import Path

import pytest

from bench import configs
from fairuse.rules.routes import Route
from fairuse.stores.configuration import Configuration


@pytest.mark.parametrize("log_requests", [True, False])
def test_the_gateway_accepts_its_configuration(tmp_path: Path, *, log_requests: bool) -> None:
    """Every file is fine, every key has an account of its own, and the log is on or off."""
    for name, text in configs.gateway(9000, log_requests=log_requests).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    configuration = Configuration(tmp_path)
    assert configuration.reload() == []
    assert len(configuration.current.accounts) == configs.KEYS
    assert configuration.current.settings.log.requests is log_requests


@pytest.mark.parametrize("durability", ["strict", "relaxed"])
@pytest.mark.parametrize("store", ["memory", "redis://127.0.0.1:6379/0"])
def test_the_middleware_accepts_its_configuration(
    tmp_path: Path, store: str, durability: str
) -> None:
    """It counts where and as it is told, and has as many accounts as there are keys."""
    for name, text in configs.middleware(durability, store=store, keys=7).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    configuration = Configuration(tmp_path)
    assert configuration.reload() == []
    assert len(configuration.current.accounts) == 7
    counters = configuration.current.settings.counters
    assert (counters.store, counters.durability) == (store, durability)


def test_every_window_has_its_length() -> None:
    """What the peers count in seconds is what the contract says in words."""
    assert [*configs.SECONDS] == [*configs.WINDOWS]


def test_the_load_is_on_the_metered_route() -> None:
    """What the load asks for is what the six limits count."""
    policy = configs.gateway(9000, log_requests=True)["policies/six-limits.toml"]
    assert Route("GET /v1/models/{model}").matches("GET", configs.PATH)
    assert '"GET /v1/models/{model}"' in policy
    assert policy.count('over = "refuse"') == len(configs.WINDOWS) == 6


@pytest.mark.parametrize("blocks", [True, False])
def test_the_gateway_accepts_the_booking_policy(tmp_path: Path, *, blocks: bool) -> None:
    """It is the one in `config/`, with another burst limit, and with its blocks or without."""
    files = configs.gateway_booking(9000, keys=7, per_minute=61, blocks=blocks)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    configuration = Configuration(tmp_path)
    assert configuration.reload() == []
    assert len(configuration.current.accounts) == 7
    policy = files["policies/booking.toml"]
    assert policy.count('amount = "61"') == 1
    assert policy.count("\nthen ") == blocks


def test_appointments_are_on_the_metered_route() -> None:
    """What the load posts is what the booking policy counts, at a location."""
    files = configs.gateway_booking(9000)
    route = "POST /locations/{location}/appointments"
    assert Route(route).matches("POST", configs.BOOKING_PATH)
    assert f'"{route}"' in files["policies/booking.toml"]
    assert 'location = "/locations/{location}"' in files["gateway.toml"]


def test_nginx_has_six_limits_too() -> None:
    """It has a zone for each of the gateway's limits, and applies every one of them."""
    text = configs.nginx_proxy(8080, 9000)
    assert text.count("limit_req_zone $http_x_api_key") == 6
    assert text.count(" nodelay;") == 6


def test_haproxy_has_six_limits_too() -> None:
    """It has six rates, and refuses by each of them."""
    text = configs.haproxy(8080, 9000)
    assert sum(line.count("_rate(") for line in text.splitlines() if "stick-table" in line) == 6
    assert text.count("http-request deny deny_status 429") == 6


def test_fastify_has_six_limits_too() -> None:
    """It has as many limits, each with a time of its own."""
    text = (configs.PEERS / "fastify" / "server.mjs").read_text()
    assert text.count("timeWindow:") == 6


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(configs.nginx_upstream(8080), id="upstream"),
        pytest.param(configs.nginx_proxy(8080, 9000, 60), id="nginx"),
        pytest.param(configs.haproxy(8080, 9000, 60), id="haproxy"),
    ],
)
def test_everything_is_filled_in(text: str) -> None:
    """No name stands where a value should be."""
    assert re.search("@[A-Z_]+@", text) is None
    assert "8080" in text


def test_the_packages_of_fastify_are_locked() -> None:
    """Each has its hash, and none an address: whoever installs them has a registry of their own."""
    lock = json.loads((configs.PEERS / "fastify" / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert all("integrity" in package and "resolved" not in package for package in packages)
