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
