"""What the pages of links share: the case of a link, its reader, and the form that is sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fairuse.base.texts import preferred
from fairuse.entry.bodies import whole_body
from fairuse.rules.cross_site import by_another_site
from fairuse.rules.refusal import Refusal
from fairuse.stores.casebook import case_numbered

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.rules.choices import Portal
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger

MAX_FORM = 4_096


async def case_of_link(number: int, account: str, ledger: Ledger) -> Case | None:
    """Find the case of a link; None where it is gone, or somebody else's."""
    case = await case_numbered(ledger, number)
    return case if case is not None and case.account == account else None


def language_of(exchange: Exchange, terms: Terms) -> str:
    """Give the language that a reader wants, or the account's."""
    wanted = (exchange.header(b"accept-language") or b"").decode("latin-1")
    return preferred(wanted, terms.language)


def sent_by_another_site(exchange: Exchange, portal: Portal | None) -> bool:
    """Say whether a form was sent from a page that is not ours."""
    fetch_site, origin = map(exchange.header_lines, (b"sec-fetch-site", b"origin"))
    return portal is not None and by_another_site(fetch_site, origin, portal.url)


async def name_sent(receive: Receive) -> str | Refusal:
    """Read who sends a form, "" where they don't say; or give the refusal."""
    try:
        body = await whole_body(receive, MAX_FORM)
        form = parse_qs((body or b"").decode(), max_num_fields=8)
    except ValueError:
        return Refusal("ambiguous-request", "http", "the form can't be read")
    if body is None:
        return Refusal("too-large", "http", str(MAX_FORM))
    return form.get("name", [""])[0].strip()
