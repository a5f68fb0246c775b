"""Every proxy that is to be measured can be started, and who is not installed is left out."""

import pytest
from bench.errors import CannotRun

from bench import latency, proxies, proxy, refusals, servers, slow


def test_every_name_can_be_started() -> None:
    """Each benchmark of proxies names those that there are, and the upstream itself."""
    named = {*proxy.NAMES, *slow.NAMES, *latency.NAMES}
    assert named == {*proxies.PROXIES, proxies.DIRECT}
    assert {*refusals.STATUSES} <= {*refusals.PROXIES}


def test_who_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are measured, and it is said what to install."""

    def nothing(name: str) -> str:
        raise CannotRun(f"{name} not found; install with: apt-get install {servers.PACKAGES[name]}")

    monkeypatch.setattr(servers, "tool", nothing)
    monkeypatch.setitem(proxies._NEEDS, proxies.HAPROXY, lambda: nothing("haproxy"))
    names = [proxies.NGINX, proxies.HAPROXY, proxies.GATEWAY, proxies.FASTIFY]
    assert proxies.able(names) == [proxies.NGINX, proxies.GATEWAY]
    said = capsys.readouterr().err
    assert "left out: HAProxy: haproxy not found; install with: apt-get install haproxy" in said
    assert "left out: Fastify: node not found; install with: apt-get install nodejs" in said


def test_appointments_are_posted() -> None:
    """The same server can be asked for what the booking policy counts."""
    server = servers.Server("gateway", "http://127.0.0.1:8080/v1/models/example", pid=7)
    asked = server.asked_to_book()
    assert (asked.method, asked.url) == (
        "POST",
        "http://127.0.0.1:8080/locations/centrum/appointments",
    )
    assert (asked.pid, asked.port, server.port) == (7, 8080, 8080)
