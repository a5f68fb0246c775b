"""What is measured of the service, for Prometheus; labels come from closed sets alone (F-45).

The metrics live in the registry of `prometheus_client`, so an app that mounts the middleware shows
them with its own; `[metrics]` has the server show them.
"""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge

_REQUESTS = Counter("fairuse_requests", "Requests by what became of them.", ["outcome"])
DECIDED_ALONE = Counter(
    "fairuse_decided_alone", "Requests decided without the store of counters, which was away."
)
STORE_OUTAGES = Counter(
    "fairuse_counter_store_outages", "How often the store of counters went away."
)
STORE_AWAY = Gauge(
    "fairuse_counter_store_away",
    "1 while the store of counters can't be asked.",
    multiprocess_mode="livemax",
)
LEDGER_FAILING = Gauge(
    "fairuse_ledger_failing",
    "1 while the ledger can't be written.",
    multiprocess_mode="livemax",
)
TALLIES = Gauge(
    "fairuse_tallies", "Counts that are remembered in memory.", multiprocess_mode="livesum"
)
UNEXPIRED_EVICTIONS = Counter(
    "fairuse_unexpired_evictions", "Counts that were forgotten before their window was over."
)
TURNED_AWAY = Counter(
    "fairuse_tallies_turned_away", "Counts that were not remembered, because there was no room."
)

_FAULTS = Counter(
    "fairuse_faults", "Faults of the gateway, by what became of the request.", ["became"]
)
_DELIVERIES = Counter(
    "fairuse_deliveries", "Attempts to deliver a notice, by what became of them.", ["outcome"]
)
NOTICES_OVERDUE = Gauge(
    "fairuse_notices_overdue",
    "Notices that should have been delivered by now and are not.",
    multiprocess_mode="livemax",
)
REVIEWS_DUE = Gauge(
    "fairuse_reviews_due",
    "Measures whose day has come on which somebody looks at them again.",
    multiprocess_mode="livemax",
)

UNDER_WAY = Gauge(
    "fairuse_requests_under_way",
    "Requests that were let in and are not answered yet.",
    multiprocess_mode="livesum",
)
OVERLOADED = Gauge(
    "fairuse_overloaded", "1 while the platform is overloaded.", multiprocess_mode="livemax"
)
OVERLOADS = Counter("fairuse_overloads", "How often the platform came to be overloaded.")


@lru_cache(maxsize=64)
def requests(outcome: str) -> Counter:
    """Give the counter of an outcome: "served", or a kind of refusal."""
    return _REQUESTS.labels(outcome)


@lru_cache(maxsize=8)
def faults(became: str) -> Counter:
    """Give the counter of faults by what became of the request: "served" or "refused"."""
    return _FAULTS.labels(became)


@lru_cache(maxsize=8)
def deliveries(outcome: str) -> Counter:
    """Give the counter of an outcome: "delivered", "failed" or "dead"."""
    return _DELIVERIES.labels(outcome)
