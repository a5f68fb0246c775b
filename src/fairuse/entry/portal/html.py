"""HTML: the templates, with everything in them escaped, and the headers that go with a page.

A page runs no script, loads nothing, and tells nobody where its reader came from: its address may
be a link that chooses something.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from fairuse.base.texts import translate
from fairuse.rules.headers import retry_after
from fairuse.rules.refusal import problem_body

if TYPE_CHECKING:
    from fairuse.base.wire import Headers
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.refusal import Reader, Refusal
    from fairuse.stages.answer import Answer


def wants_html(exchange: Exchange) -> bool:
    """Say whether a person's browser asks: programs that take anything get JSON."""
    for line in exchange.header_lines(b"accept"):
        for item in line.decode("latin-1").lower().split(","):
            kind, *parameters = (part.strip() for part in item.split(";"))
            if kind == "text/html":
                return not any(each in {"q=0", "q=0.0"} for each in parameters)
    return False


async def send_html(
    answer: Answer, language: str, template: str, words: dict[str, object], status: int = 200
) -> None:
    """Send a page; `words` are what its template shows."""
    await answer.whole(status, _headers(language), _render(template, language, words))


async def refuse_in_html(
    answer: Answer, refusal: Refusal, exchange: Exchange, reader: Reader
) -> None:
    """Send a refusal to a person."""
    exchange.rule = refusal.rule
    problem = json.loads(problem_body(refusal, reader))
    headers = _headers(reader.language)
    if refusal.until is not None:
        headers.append(retry_after(refusal.until - exchange.at.wall))
    page = _render("problem.html", reader.language, {"problem": problem})
    await answer.whole(refusal.status, headers, page)


def _headers(language: str) -> Headers:
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-language", language.encode()),
        (b"content-security-policy", _content_policy().encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ]


def _render(template: str, language: str, words: dict[str, object]) -> bytes:
    def text(source: str, **gaps: object) -> str:
        return translate(language, source).format_map(gaps)

    page = _environment().get_template(template)
    written = page.render(words, _=text, language=language, style=_style())
    return written.encode("utf-8", "backslashreplace")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fairuse"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    loader = _environment().loader
    if loader is None:
        raise RuntimeError("the environment of the templates has a loader")
    return loader.get_source(_environment(), "style.css")[0].strip()


@cache
def _content_policy() -> str:
    """Allow the page's own style, and its form to come back here: nothing else."""
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
