"""Shows the metrics to Prometheus, on a listener of their own: they are the operator's alone."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from fairuse.base.errors import FairUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from fairuse.rules.settings import Metrics

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers put what they measured; `prometheus_client` looks for this when it is imported."""


@contextmanager
def exposed(settings: Metrics, workers: int) -> Iterator[None]:
    """Show the metrics of this process, or of its workers together.

    Raises FairUseError where the listener is taken.
    """
    if settings.port is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="fairuse-metrics-") as folder:
        registry = REGISTRY
        if workers > 1:
            os.environ[FOLDER] = folder
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        server, thread = _listening(settings, registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            os.environ.pop(FOLDER, None)


def _listening(settings: Metrics, registry: CollectorRegistry) -> tuple[WSGIServer, Thread]:
    try:
        return start_http_server(settings.port or 0, settings.host, registry)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise FairUseError(f"can't show the metrics on {where}: {error.strerror}") from error


def forget_worker(pid: int) -> None:
    """Drop what a worker that is gone said of its present state."""
    if FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
