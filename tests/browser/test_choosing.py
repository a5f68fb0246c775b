"""A customer in a browser: opens the link of a notice, chooses, and sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from tests.browser.support import CHROMIUM_MARKS, DESKTOP, PHONE, chromium
from tests.entry.portal.support import SECRET, asked
from tests.support import SALON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, ViewportSize
    from tests.entry.portal.support import Asked

    from fairuse.base.clock import ManualClock

pytestmark = CHROMIUM_MARKS

CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = color.slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.map((element) => {
    const pair = [rgb(getComputedStyle(element).color), behind(element)].map(light);
    return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), element.textContent];
  });
}"""
"""The contrast of each text with what is behind it (WCAG 2.2, 1.4.3)."""


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests."""
    with chromium() as running:
        yield running


@pytest.fixture
def choosing(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Asked]:
    """Run a gateway whose customer is asked to choose."""
    monkeypatch.setenv("FAIRUSE_SECRET", SECRET)
    with asked(tmp_path, clock) as found:
        yield found


def _opened(browser: Browser, viewport: ViewportSize, problems: list[str], **options: Any) -> Page:
    page = browser.new_context(viewport=viewport, locale="nl-NL", **options).new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    return page


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_customer_chooses(browser: Browser, choosing: Asked, viewport: ViewportSize) -> None:
    """A23, A15: who opens the link, says who they are and chooses sees that it is noted.

    With scripts or without: the phone has none.
    """
    problems: list[str] = []
    page = _opened(browser, viewport, problems, java_script_enabled=viewport is DESKTOP)
    page.goto(choosing.front.url + choosing.path("reduce"))
    assert choosing.choices() == []
    page.get_by_label("Uw naam").fill("Anna Jansen")
    page.get_by_role("button", name="Het gebruik terugbrengen").click()
    assert page.get_by_role("heading", name="Uw keuze is genoteerd").is_visible()
    page.reload()
    assert page.get_by_role("status").is_visible()
    assert [entry.by for entry in choosing.choices()] == ["salon: Anna Jansen"]
    page.get_by_role("link", name="Akkoord met de kosten").click()
    page.get_by_label("Uw naam").fill("Anna Jansen")
    page.get_by_role("button", name="Akkoord met de kosten").click()
    assert page.get_by_text("U koos “Akkoord met de kosten”").is_visible()
    assert choosing.case.state == "accepted"
    assert problems == []  # a style or a form that the page's own policy keeps out is told here
    page.context.close()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("what", ["choice", "usage", "policy", "unexplained", "unknown"])
def test_a_page_can_be_read(
    browser: Browser, choosing: Asked, viewport: ViewportSize, what: str
) -> None:
    """C12, B03: each page fits a phone without scrolling sideways, by day and by night (AA)."""
    problems: list[str] = []
    page = _opened(browser, viewport, problems, extra_http_headers={"X-API-Key": SALON})
    paths = {
        "choice": choosing.path("reduce"),
        "usage": "/fairuse/usage",
        "policy": "/fairuse/policy",
        "unexplained": choosing.unexplained,
        "unknown": "/fairuse/choice/unknown",
    }
    page.goto(choosing.front.url + paths[what])
    assert page.locator("html").get_attribute("lang") == "nl"
    assert page.locator("h1").count() == 1
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= shown
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        contrasts = page.evaluate(CONTRAST)
        assert contrasts
        assert [text for contrast, text in contrasts if contrast < 4.5] == []
    unlabelled = page.locator("input:not([id])").count()
    assert unlabelled == 0
    page.context.close()


def test_the_keyboard_is_enough(browser: Browser, choosing: Asked) -> None:
    """A23: Tab goes to the name, the button and the other options, in the order they are read."""
    problems: list[str] = []
    page = _opened(browser, DESKTOP, problems)
    page.goto(choosing.front.url + choosing.path("reduce"))
    focused = []
    for _ in range(4):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert focused == ["INPUT", "BUTTON", "A", "A"]
    page.get_by_label("Uw naam").fill("Anna Jansen")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.get_by_role("status").is_visible()
    assert len(choosing.choices()) == 1
    page.context.close()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_customer_who_cannot_explain_it_hears_what_to_check(
    browser: Browser, choosing: Asked, viewport: ViewportSize
) -> None:
    """C16, C17: from the choice to who asked for what, the answer, its advice, and back."""
    problems: list[str] = []
    page = _opened(browser, viewport, problems)
    page.goto(choosing.front.url + choosing.path("reduce"))
    assert page.get_by_text("POST /locations/centrum/appointments").is_visible()
    page.get_by_role("link", name="Ik kan het niet verklaren").click()
    page.get_by_label("Uw naam").fill("Anna Jansen")
    page.get_by_role("button", name="Ik kan het niet verklaren").click()
    assert page.get_by_role("heading", name="Uw antwoord is genoteerd").is_visible()
    assert page.get_by_text("malware op uw website").is_visible()
    assert choosing.case.state == "notified"
    page.get_by_role("link", name="Het gebruik terugbrengen").click()
    assert page.get_by_role("button", name="Het gebruik terugbrengen").is_visible()
    assert problems == []
    page.context.close()


def test_a_customer_who_gives_no_name_stays(browser: Browser, choosing: Asked) -> None:
    """A23: the browser itself asks for the name; nothing is sent without it."""
    problems: list[str] = []
    page = _opened(browser, DESKTOP, problems)
    page.goto(choosing.front.url + choosing.path("reduce"))
    page.get_by_role("button").click()
    assert page.get_by_label("Uw naam").evaluate("field => field.validity.valueMissing")
    assert choosing.choices() == []
    page.context.close()
