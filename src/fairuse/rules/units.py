"""Units, as they are counted and as people read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairuse.base.texts import number, translate
from fairuse.rules.amounts import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Unit:
    """The word for one unit and for several, and the decimals it is counted to."""

    one: str
    many: str
    decimals: int = 0
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

    def units(self, counted: int) -> int | float:
        """Turn what is counted into units."""
        return shown(counted, self.decimals)

    def number(self, counted: int, language: str) -> str:
        """Write what is counted as the language does: 2,400.5."""
        return number(self.units(counted), language)

    def name(self, language: str) -> str:
        """Give the word for one unit."""
        return self._word(self.one, language)

    def names(self, counted: int, language: str) -> str:
        """Give the word that follows a number."""
        return self._word(self.one if self.units(counted) == 1 else self.many, language)

    def _word(self, word: str, language: str) -> str:
        """Take the policy's own translation first, then ours."""
        return self.words.get(language, {}).get(word) or translate(language, word)


REQUEST = Unit("request", "requests")
