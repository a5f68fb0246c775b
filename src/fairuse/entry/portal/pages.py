"""The customer's pages by their paths: those of an account, and those that anybody may open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.entry.portal.cases import CASES_PATH, CasesPage
from fairuse.entry.portal.choice import ChoicePage
from fairuse.entry.portal.policy import PolicyPage
from fairuse.entry.portal.unexplained import UnexplainedPage
from fairuse.entry.portal.usage import UsageForPeople
from fairuse.entry.usage import UsagePage
from fairuse.rules.choices import CHOICE_PATH, POLICY_PATH, UNEXPLAINED_PATH
from fairuse.rules.refusal import USAGE_PATH

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.endpoints import OpenPage, Page
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.evidence import EvidenceCollector
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters


class Pages:
    """Finds the page of a path."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        counters: Counters,
        blocks: Blocks,
        ledger: Ledger,
        callers: RecentEvents,
        evidence: EvidenceCollector,
    ) -> None:
        usage = UsagePage(clock, counters, blocks, ledger)
        self._usage = UsageForPeople(clock, configuration, counters, blocks, ledger, usage)
        self._cases = CasesPage(clock, configuration, counters, ledger)
        self._policy = PolicyPage(configuration, callers)
        self._choice = ChoicePage(clock, configuration, counters, ledger, callers, evidence)
        self._unexplained = UnexplainedPage(
            clock, configuration, counters, ledger, callers, evidence
        )

    def of_account(self, path: str) -> Page | None:
        """Give the page of an account; None for a path that is not ours."""
        if path == USAGE_PATH:
            return self._usage
        if path == POLICY_PATH:
            return self._policy.of_account
        return self._cases if (path + "/").startswith(f"{CASES_PATH}/") else None

    def open_to_all(self, path: str) -> OpenPage | None:
        """Give a page that needs no API key, because its address is the key."""
        if path.startswith(f"{POLICY_PATH}/"):
            return self._policy.by_link
        if path.startswith(f"{UNEXPLAINED_PATH}/"):
            return self._unexplained
        return self._choice if path.startswith(f"{CHOICE_PATH}/") else None
