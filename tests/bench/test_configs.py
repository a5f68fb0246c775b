"""The gateway under test is configured as the benchmark says."""

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


def test_the_peer_has_six_limits_too() -> None:
    """Nginx has a zone for each of the gateway's limits, and applies every one of them."""
    text = configs.nginx_proxy(8080, 9000)
    assert text.count("limit_req_zone $http_x_api_key") == 6
    assert text.count(" nodelay;") == 6
