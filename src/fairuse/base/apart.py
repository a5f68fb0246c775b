"""Work in parts, of which none keeps the others from being done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError, PromiseBroken, RecordSpoiled, StoreError
from fairuse.base.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logger(__name__)


@contextmanager
def apart(what: str, **named: str | int) -> Iterator[None]:
    """Do a part of the work; whatever is wrong with it is logged, and the next part is done.

    The log says `what.put_off` where it is done the next time, and `what.failed` where a fault of
    ours ended it. Raises LedgerError: without the ledger no other part could be done.
    """
    put_off, failed = f"{what}.put_off", f"{what}.failed"
    try:
        yield
    except (StoreError, PromiseBroken, RecordSpoiled) as error:
        log.error(put_off, **named, reason=str(error))
    except LedgerError:
        raise
    except Exception:
        log.exception(failed, **named)
