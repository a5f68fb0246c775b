"""Writes the texts of the shipped policies anew: `python -m tests.rendered`. Then read the diff."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from fairuse.base.texts import LANGUAGES
from fairuse.rules.policy import Policy
from fairuse.rules.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
POLICIES = {
    file.stem: tomllib.loads(file.read_text("utf-8"))
    for file in sorted((FOLDER.parents[1] / "config/policies").glob("*.toml"))
}
"""The policies as they are shipped, before they are checked."""


def texts() -> Iterator[tuple[Path, str]]:
    """Give each policy's text in each language, and the file it is kept in."""
    for name, table in POLICIES.items():
        for language in LANGUAGES:
            text = render(Policy.model_validate(table), language)
            yield FOLDER / f"{name}.{language}.md", text


if __name__ == "__main__":
    for path, text in texts():
        path.write_text(text, "utf-8")
