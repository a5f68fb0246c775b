"""The page of who can't explain the use, `/fairuse/unexplained/<token>`; POST answers (C17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.entry.portal.deciding import LONGEST_NAME, named
from fairuse.entry.portal.html import send_html
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.portal.links import CasePage
from fairuse.entry.portal.view import Reading, case_view, evidence_view, option_views
from fairuse.rules.choices import UNEXPLAINED_PATH
from fairuse.rules.evidence_texts import advice
from fairuse.stages.advise import advise
from fairuse.stages.bill import charges_so_far
from fairuse.stores.choices import choices_made
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from fairuse.entry.portal.links import Asked
    from fairuse.rules.choices import CaseLinked, Portal
    from fairuse.stages.answer import Answer


class UnexplainedPage(CasePage):
    """Shows where use came from, and takes the answer that nobody can explain it."""

    path = UNEXPLAINED_PATH
    wrong_method = "it is read with GET and answered with POST"

    def _linked(self, token: str, portal: Portal) -> CaseLinked | None:
        return portal.unexplained(token)

    async def _take(self, asked: Asked, name: str, answer: Answer) -> None:
        """Take the answer, and show the advice; who does not say who they are is asked again."""
        case, terms = asked.case, asked.terms
        if not name:
            await self._show(asked, answer, 422)
            return
        if case.state != "closed":
            moment, ledger = self._clock.now().wall, self._ledger
            evidence = await self._evidence.about_case(case, terms, ledger, moment)
            by, head = named(case.account, name), self._configuration.letterhead
            await advise(case, terms, head, evidence, (moment, by, "link"), ledger)
        await self._show(asked, answer, 409 if case.state == "closed" else 200)

    async def _show(self, asked: Asked, answer: Answer, status: int = 200) -> None:
        case, _, terms, language = asked
        at, ledger, account = self._clock.now(), self._ledger, case.account
        moment, reading = at.wall, Reading(terms, at.wall, language, self._configuration.portal)
        [case] = await brought_up_to_date([case], terms, self._counters, at)
        evidence = await self._evidence.about_case(case, terms, ledger, moment)
        so_far = await charges_so_far(case, terms, ledger, moment)
        entries = await entries_of(ledger, case.id)
        made = (await choices_made(ledger, account)).get(case.id, [])
        words = {
            "policy": terms.rules.word(terms.rules.title, language),
            "case": case_view(case, so_far, reading),
            "answered": any(entry.kind == "case.unexplained" for entry in entries),
            "closed": case.state == "closed",
            "advice": advice(language),
            "unnamed": status == 422,
            "longest": LONGEST_NAME,
            "evidence": evidence_view(evidence, language),
            "options": option_views(case, made, reading),
            "contact": self._configuration.letterhead.contact,
        }
        await send_html(answer, language, "unexplained.html", words, status)
