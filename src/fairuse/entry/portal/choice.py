"""The page of a choice, `/fairuse/choice/<token>`: only POST chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import marked as _
from fairuse.base.texts import translate
from fairuse.entry.portal.deciding import LONGEST_NAME, decide, named
from fairuse.entry.portal.html import send_html
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.portal.links import CasePage
from fairuse.entry.portal.view import Reading, case_view, evidence_view, option_views
from fairuse.rules.choice_texts import meaning
from fairuse.rules.choices import CHOICE_PATH, CHOSEN, TITLES, Choice, open_options
from fairuse.rules.ladder import WrongStep
from fairuse.stages.bill import charges_so_far
from fairuse.stores.casebook import case_numbered
from fairuse.stores.choices import choices_made

if TYPE_CHECKING:
    from fairuse.entry.portal.links import Asked
    from fairuse.rules.choices import CaseLinked, Portal
    from fairuse.stages.answer import Answer


class ChoicePage(CasePage):
    """Shows a case and the option of a link, and makes the choice."""

    path = CHOICE_PATH
    wrong_method = "a choice is read with GET and made with POST"

    def _linked(self, token: str, portal: Portal) -> CaseLinked | None:
        return portal.chosen(token)

    async def _take(self, asked: Asked, name: str, answer: Answer) -> None:
        """Make the choice, and show it; who does not say who they are is asked again."""
        if not name:
            await self._show(asked, answer, status=422, unnamed=True)
            return
        case, option, terms, _ = asked
        made = Choice(option, self._clock.now().wall, named(case.account, name), "link")
        operators = self._configuration.current.settings.notices.operators
        try:
            case = await decide(case, made, terms.rules.ladder, self._ledger, operators)
        except WrongStep:
            case = await case_numbered(self._ledger, case.id) or case
            await self._show(asked._replace(case=case), answer, status=409)
            return
        await self._show(asked._replace(case=case), answer)

    async def _show(
        self, asked: Asked, answer: Answer, status: int = 200, *, unnamed: bool = False
    ) -> None:
        """Show the case, and what the link chooses or what was chosen already."""
        case, option, terms, language = asked
        made = (await choices_made(self._ledger, case.account)).get(case.id, [])
        at, portal = self._clock.now(), self._configuration.portal
        moment = at.wall
        [case] = await brought_up_to_date([case], terms, self._counters, at)
        so_far = await charges_so_far(case, terms, self._ledger, moment)
        reading = Reading(terms, moment, language, portal)
        evidence = await self._evidence.about_case(case, terms, self._ledger, moment)
        possible = open_options(case, terms.rules.ladder, made, moment)
        title = translate(language, TITLES[option])
        words = {
            "title": title,
            "policy": terms.rules.word(terms.rules.title, language),
            "case": case_view(case, so_far, reading),
            "meaning": meaning(option, case, terms, made, moment, language),
            "can_choose": option in possible,
            "made": _made(asked, made[-1].option, reading.at(made[-1].at)) if made else "",
            "is_made": bool(made) and made[-1].option == option,
            "holds": CHOSEN[option] == case.state,
            "unnamed": unnamed,
            "longest": LONGEST_NAME,
            "others": [each for each in option_views(case, made, reading) if each.title != title],
            "evidence": evidence_view(evidence, language),
            "unexplained": None if portal is None else portal.unexplained_token(case),
            "contact": self._configuration.letterhead.contact,
        }
        await send_html(answer, language, "choice.html", words, status)


def _made(asked: Asked, option: str, moment: str) -> str:
    """Say what was chosen, and when."""
    title = translate(asked.language, TITLES.get(option, option))
    text = translate(asked.language, _("You chose “{option}” on {moment}."))
    return text.format(option=title, moment=moment)
