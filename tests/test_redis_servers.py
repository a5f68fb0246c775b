"""The servers and the faulty network that tests of the Redis store are run against."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
import redis
from redis.exceptions import AskError, MovedError
from tests.fault_proxy import GARBAGE, FaultProxy, Mode
from tests.redis_servers import (
    BINARIES,
    REDIS_MARKS,
    RedisCluster,
    RedisServer,
    redis_cluster,
    redis_server,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = REDIS_MARKS

PONG = b"+PONG\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server."""
    with redis_server(tmp_path) as running:
        yield running


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    """Run a proxy in front of the server."""
    with FaultProxy(server.port) as running:
        yield running


@pytest.fixture
def line(proxy: FaultProxy) -> Iterator[socket.socket]:
    """Give a connection through the proxy over which one answer has come."""
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
        assert ping(connection) == PONG
        yield connection


def ping(connection: socket.socket) -> bytes:
    """Ask for an answer, and give as much as an answer has, or all there is before the end."""
    connection.sendall(b"PING\r\n")
    return answer(connection)


def answer(connection: socket.socket) -> bytes:
    """Give as much as an answer has, or all there is before the end."""
    heard = b""
    while len(heard) < len(PONG) and (more := connection.recv(len(PONG) - len(heard))):
        heard += more
    return heard


def hears_nothing(connection: socket.socket) -> bool:
    """Tell whether neither an answer comes nor an end, for as long as a test can wait."""
    connection.settimeout(0.2)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(20)
    return False


@pytest.mark.parametrize("binary", BINARIES)
def test_a_server_is_killed_and_comes_back_empty(tmp_path: Path, binary: str) -> None:
    """It is on the same port, and the client finds it there."""
    with redis_server(tmp_path / "a folder", binary=binary) as server:
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            assert client.set("key", "value")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            server.ask("PING")
        server.restart()
        assert server.ask("GET", "key") is None
    with pytest.raises(redis.ConnectionError):
        server.ask("PING")


def test_a_server_that_writes_down_what_it_is_told_keeps_it(tmp_path: Path) -> None:
    """Options come after the defaults."""
    with redis_server(tmp_path, options=("--appendonly", "yes")) as server:
        server.ask("SET", "key", "value")
        server.restart()
        assert server.ask("GET", "key") == "value"


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The failure is what it wrote to its log."""
    with (
        pytest.raises(AssertionError, match="no-such-option"),
        redis_server(tmp_path, options=("--no-such-option", "yes")),
    ):
        pass


def test_a_paused_server_answers_when_it_goes_on(server: RedisServer) -> None:
    """It keeps the connection, and answers what it was asked while it stood still."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        server.pause()
        connection.sendall(b"PING\r\n")
        assert hears_nothing(connection)
        server.resume()
        assert answer(connection) == PONG


def test_a_paused_server_is_stopped(server: RedisServer) -> None:
    """A test that fails in between leaves no process behind."""
    server.pause()
    server.restart()
    assert server.ask("PING")


def test_a_slot_moves_with_its_keys(tmp_path: Path) -> None:
    """A client of the cluster finds its key before, meanwhile and after."""
    with redis_cluster(tmp_path) as cluster:
        with redis.RedisCluster.from_url(cluster.url, decode_responses=True) as client:
            assert client.set("{name}:key", "value")
            slot = client.keyslot("{name}:key")
            old, new, *_ = sorted(cluster.nodes, key=lambda node: node is not cluster.owner(slot))
            with cluster.moving_slot(slot, new):
                with pytest.raises(AskError, match=f":{new.port}"):
                    old.ask("GET", "{name}:key")
                assert client.get("{name}:key") == "value"
            assert client.get("{name}:key") == "value"
        _is_moved(cluster, slot, old, new)


def _is_moved(cluster: RedisCluster, slot: int, old: RedisServer, new: RedisServer) -> None:
    assert cluster.owner(slot) is new
    assert new.ask("GET", "{name}:key") == "value"
    with pytest.raises(MovedError):
        old.ask("GET", "{name}:key")
    cluster.move_slot(slot, old)
    assert old.ask("GET", "{name}:key") == "value"


@pytest.mark.parametrize("mode", ["pass", "slice"])
def test_an_answer_is_whole(proxy: FaultProxy, line: socket.socket, mode: Mode) -> None:
    """However many pieces it comes in."""
    proxy.mode = mode
    assert ping(line) == PONG
    with redis.Redis(port=proxy.port, decode_responses=True) as client:
        assert client.set("key", "value" * 100)
        assert client.get("key") == "value" * 100
    assert proxy.connections == 2
    until(lambda: proxy.open_connections == 1, "the end of the client's connection")


def test_refused_connections_are_accepted_again(proxy: FaultProxy, line: socket.socket) -> None:
    """The open one is reset at once, with nothing sent, and the port stays the same."""
    proxy.mode = "refuse"
    with pytest.raises(ConnectionResetError):
        line.recv(1)
    assert proxy.open_connections == 0
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), 20)
    proxy.mode = "pass"
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
        assert ping(connection) == PONG


def test_bytes_reset_a_connection(proxy: FaultProxy, line: socket.socket) -> None:
    """The one that is open, and a new one."""
    proxy.mode = "reset"
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
        for each in (line, connection):
            with pytest.raises(ConnectionResetError):
                ping(each)


def test_an_answer_resets_a_connection(
    server: RedisServer, proxy: FaultProxy, line: socket.socket
) -> None:
    """What was asked has been done, and nobody hears of it."""
    proxy.mode, proxy.delay = "late", 20
    line.sendall(b"SET key value\r\n")
    until(lambda: server.ask("GET", "key") == "value", "the command")
    proxy.mode = "reset"
    with pytest.raises(ConnectionResetError):
        line.recv(1)


def test_a_black_hole_swallows_a_question(proxy: FaultProxy, line: socket.socket) -> None:
    """The connection stays, and is of use again afterwards."""
    proxy.mode = "blackhole"
    line.sendall(b"PING\r\n")
    assert hears_nothing(line)
    proxy.mode = "pass"
    assert ping(line) == PONG
    assert hears_nothing(line)


def test_a_black_hole_hides_that_a_server_is_gone(
    server: RedisServer, proxy: FaultProxy, line: socket.socket
) -> None:
    """The client hears of it when the network is back."""
    proxy.mode = "blackhole"
    server.kill()
    assert hears_nothing(line)
    proxy.mode = "pass"
    assert line.recv(1) == b""


def test_a_late_answer_is_late(proxy: FaultProxy, line: socket.socket) -> None:
    """It comes whole, after the delay."""
    proxy.mode, proxy.delay = "late", 0.1
    start = time.monotonic()
    assert ping(line) == PONG
    assert time.monotonic() - start >= 0.1


def test_an_answer_that_is_late_comes_when_the_fault_is_over(
    proxy: FaultProxy, line: socket.socket
) -> None:
    """A change takes effect at once, for what is on its way too."""
    proxy.mode, proxy.delay = "late", 3_600
    line.sendall(b"PING\r\n")
    assert hears_nothing(line)
    proxy.mode = "pass"
    assert answer(line) == PONG


def test_garbage_is_no_answer(proxy: FaultProxy, line: socket.socket) -> None:
    """Neither to a client that knows nothing of Redis nor to one that does."""
    proxy.mode = "garbage"
    line.sendall(b"PING\r\n")
    assert line.recv(len(GARBAGE), socket.MSG_WAITALL) == GARBAGE
    with (
        redis.Redis(port=proxy.port) as client,
        pytest.raises(redis.RedisError),
    ):
        client.ping()


def test_no_server_behind_the_proxy_ends_the_connection(server: RedisServer) -> None:
    """And a fault that says nothing of the server goes without one."""
    server.stop()
    with FaultProxy(server.port) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
            assert connection.recv(1) == b""
        proxy.mode = "garbage"
        with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(len(GARBAGE), socket.MSG_WAITALL) == GARBAGE


def test_the_proxy_leaves_nothing_behind(server: RedisServer) -> None:
    """A client that is still there is told."""
    with FaultProxy(server.port) as proxy:
        connection = socket.create_connection(("127.0.0.1", proxy.port), 20)
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
