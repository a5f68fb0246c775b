"""The hop to the upstream: connections over asyncio and httptools, a pool of them, and requests."""
