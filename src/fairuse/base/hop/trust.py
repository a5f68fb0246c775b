"""Whom to believe to be the upstream, and how to say who we are."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Trust the machine's authorities, or those of a file alone; names are always verified.

    Raises OSError, with the file's name, where one can't be used.
    """
    context = ssl.create_default_context()
    if ca is not None:
        context = _bare()
        _use(ca, lambda: context.load_verify_locations(ca))
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        # First alone, so that what is wrong afterwards is wrong with the key. No password: nobody
        # is there to be asked for one.
        _use(certificate, lambda: _bare().load_verify_locations(certificate))
        _use(key or certificate, lambda: context.load_cert_chain(certificate, key, password=""))
    return context


def _bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _use(path: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise OSError(0, f"holds nothing that can be used ({error.reason})", str(path)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or str(path)) from None
