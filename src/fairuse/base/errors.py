"""The errors that leave the part of the package that raises them.

FairUseError
├── ConfigurationError      the operator's files; carries the findings
├── LedgerError             the ledger can't be opened or used
│   ├── InDoubt                 what was written may be there or not; it finds out which
│   └── RecordSpoiled           an entry of the record was changed by somebody
├── NotPossible             what an operator asked for can't be done
├── ChargeError             a charge can't be made or waived as it was asked for
├── PromiseBroken           what was about to be done would break a promise; carries which
├── StoreError              the store of counters can't be asked
│   └── StoreMisconfigured      it answers, and does not let us in
├── DeliveryFailed          a notice could not be delivered; says whether it is for good
├── DemoError               the demo can't find or start what it shows
└── UpstreamError           the upstream's fault; carries the status to answer
    ├── UpstreamUnreachable     502
    ├── UpstreamBroken          502
    ├── UpstreamBusy            503
    ├── GatewayStopping         503
    └── UpstreamTimeout         504
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class FairUseError(Exception):
    """Whatever goes wrong in a way a caller may want to handle."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong in the configuration: the file, the key in it ("" for the whole), why."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class ConfigurationError(FairUseError):
    """The configuration can't be used; `findings` says everything that is wrong with it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


class LedgerError(FairUseError):
    """The ledger can't be opened or used."""


class InDoubt(LedgerError):
    """The connection was lost while something was committed.

    `committed` finds out whether it was; it raises LedgerError while nobody can tell.
    """

    def __init__(self, why: str, committed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(why)
        self.committed = committed


class PromiseBroken(FairUseError):
    """What was about to be done would break a promise, and was not done."""

    def __init__(self, promise: str, why: str) -> None:
        super().__init__(f"{promise}: {why}")
        self.promise = promise
        self.why = why


class RecordSpoiled(LedgerError):
    """An entry of the record can't be read: somebody has changed it (S20)."""


class NotPossible(FairUseError):
    """What an operator asked for can't be done; the message says why."""


class ChargeError(FairUseError):
    """A charge can't be made, or waived, as it was asked for."""


class StoreError(FairUseError):
    """The store of counters can't be asked."""


class StoreMisconfigured(StoreError):
    """The store of counters answers, and does not let us in, or not as it is configured."""


class DeliveryFailed(FairUseError):
    """A notice was not delivered. Its text holds no secret; `for_good`: no use to try again."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class DemoError(FairUseError):
    """The demo can't find or start what it shows."""


class UpstreamError(FairUseError):
    """The upstream did not answer as it should; `status` is what the client is told."""

    status: ClassVar[int] = 502
    kind: ClassVar[str] = "upstream-broken"


class UpstreamUnreachable(UpstreamError):
    """No connection to the upstream could be made."""

    kind = "upstream-unreachable"


class UpstreamBroken(UpstreamError):
    """The upstream spoke no HTTP, or stopped in the middle of it."""


class UpstreamBusy(UpstreamError):
    """No connection to the upstream came free in time."""

    status = 503
    kind = "upstream-busy"


class GatewayStopping(UpstreamError):
    """The gateway stopped before the upstream answered."""

    status = 503
    kind = "gateway-stopping"


class UpstreamTimeout(UpstreamError):
    """The upstream took longer than it may."""

    status = 504
    kind = "upstream-timeout"
