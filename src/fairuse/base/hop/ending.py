"""How the fields of an answer say where its body ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.errors import UpstreamBroken

if TYPE_CHECKING:
    from fairuse.base.wire import Headers


def delimited(headers: Headers) -> bool:
    """Say whether the body ends with the connection. Raises UpstreamBroken (F-10)."""
    lengths = codings = 0
    for name, value in headers:
        if name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            codings += 1
            if value.strip(b" \t").lower() != b"chunked":
                raise UpstreamBroken("the only transfer coding understood is chunked")
    if lengths + codings > 1:
        raise UpstreamBroken("the length of the answer is given more than once")
    return not lengths and not codings
