"""Takes out of the gateway's words what may stand in no error, log or result: it may quote what it got."""

import re
from collections.abc import Iterable

_DIGITS = re.compile(r"\+?\d[\d \-()]{3,}\d")
_LONGEST = 300


class Redactor:
    """
    Redacts words: no numbers, no private texts, at most 300 characters.

    :param private: texts of ours that the words may quote.
    """

    def __init__(self, private: Iterable[str]) -> None:
        self._private = sorted(set(private), key=len, reverse=True)

    def __call__(self, words: str) -> str:
        """Return the words as they may be shown."""
        for text in self._private:
            words = words.replace(text, "…")
        return _DIGITS.sub("…", words)[:_LONGEST]
