"""The policy as its customers read it: `/fairuse/policy`, and `/fairuse/policy/<token>` by a link.

A link names the version that it is about, such as the one that a case was opened under (B03, D25).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from fairuse.base.texts import marked as _
from fairuse.base.texts import translate
from fairuse.entry.portal.html import send_html, wants_html
from fairuse.entry.portal.links import shown
from fairuse.entry.refusals import only_read
from fairuse.rules.choices import POLICY_PATH
from fairuse.rules.reader import language_of
from fairuse.rules.refusal import Refusal
from fairuse.rules.render import render
from fairuse.stages.identify import too_many

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.terms import Terms
    from fairuse.stages.answer import Answer
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


class PolicyPage:
    """Shows an account its policy: in force, or the version of a link, saying which it is."""

    def __init__(self, configuration: Configuration, callers: RecentEvents) -> None:
        self._configuration = configuration
        self._callers = callers

    async def of_account(
        self, exchange: Exchange, subject: Subject, _receive: Receive, answer: Answer, /
    ) -> Refusal | None:
        """Answer with the policy in force."""
        if refusal := only_read(exchange, "a policy is"):
            return refusal
        await self._show(exchange, subject.terms, subject.terms.version, answer)
        return None

    async def by_link(
        self, exchange: Exchange, config: Config, _receive: Receive, answer: Answer, /
    ) -> Refusal | None:
        """Answer with the version of a link, which is the key; or give the refusal to a program."""
        refusal = await self._linked(exchange, config, answer)
        return await shown(refusal, exchange, config, answer)

    async def _linked(self, exchange: Exchange, config: Config, answer: Answer) -> Refusal | None:
        portal = self._configuration.portal
        token = exchange.path.removeprefix(f"{POLICY_PATH}/")
        linked = portal.policy_linked(token) if portal is not None else None
        # Who holds a link has a bucket of the link: others at the address can't empty it.
        name = () if linked is None else (f"policy {linked.account}",)
        if refusal := too_many(exchange, config, self._callers, *name):
            return refusal
        terms = config.accounts.get(linked.account) if linked is not None else None
        if linked is None or terms is None:
            return Refusal("unknown-link", "policy")
        if refusal := only_read(exchange, "a policy is"):
            return refusal
        await self._show(exchange, terms, linked.version, answer)
        return None

    async def _show(self, exchange: Exchange, terms: Terms, version: str, answer: Answer) -> None:
        language = language_of(exchange, terms.language)
        found = None if version == terms.version else self._configuration.policy_of(version)
        text = render(found or terms.rules, language)
        says = _IN_FORCE if version == terms.version else _GONE if found is None else _OTHER
        which = translate(language, says).format(
            account=terms.account, version=version, in_force=terms.version
        )
        if not wants_html(exchange):
            headers = [
                (b"content-type", b"text/markdown; charset=utf-8"),
                (b"content-language", language.encode()),
            ]
            await answer.whole(200, headers, f"{text}\n{which}\n".encode())
            return
        words: dict[str, object] = {
            "title": text.partition("\n")[0].lstrip("# "),
            "which": which,
            "text": _html(text),
            "contact": self._configuration.letterhead.contact,
        }
        await send_html(answer, language, "policy.html", words)


@lru_cache(maxsize=64)
def _html(text: str) -> str:
    """Give a policy's text as HTML; what looks like HTML in it stays text."""
    return str(_MARKDOWN.render(text))


_IN_FORCE = _("This policy ({version}) is in force for account {account}.")
_OTHER = _("This is {version}. For account {account}, {in_force} is in force now.")
_GONE = _(
    "You asked for {version}, which is not kept any more. This is {in_force}, in force for account"
    " {account}."
)
