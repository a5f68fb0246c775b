"""What every part of a policy's text is written with: its own words, in the customer's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import translate

if TYPE_CHECKING:
    from fairuse.rules.policy import Policy


class Words:
    """Says things about one policy in one language."""

    def __init__(self, policy: Policy, language: str) -> None:
        self.policy = policy
        self.language = language

    def say(self, text: str, **words: str) -> str:
        """Translate a text and fill its gaps."""
        return translate(self.language, text).format_map(words)

    def word(self, text: str) -> str:
        """Give what the policy calls something."""
        return self.policy.word(text, self.language)
