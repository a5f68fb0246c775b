"""A fair-use gateway, and the same thing as ASGI middleware."""

from fairuse.entry.gateway import Gateway
from fairuse.entry.middleware import FairUse

__all__ = ["FairUse", "Gateway"]
