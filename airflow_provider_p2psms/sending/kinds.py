"""
Kinds of messages: which cost the same, and how many there are of each.

A kind is an alphabet, a number of parts and the first digits of the recipient: all that prices depend on. A
message costs one look-up and four bytes here; what is asked of kinds is asked once a send.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import itemgetter
from typing import NamedTuple

# Long enough to tell Iran's operators apart: +98912.
_prefix = itemgetter(slice(6))


class Kind(NamedTuple):
    """``is_ascii`` stands for the language: gateways price Persian and English texts differently."""

    is_ascii: bool
    parts: int
    prefix: str


class Kinds:
    """The kind of each message, by its place among the fates; and a text of each alphabet and length."""

    def __init__(self) -> None:
        self.samples: dict[tuple[bool, int], str] = {}
        self._codes: dict[tuple[bool, int, bytes], int] = {}
        self._of = array("I")

    def add(self, recipients: Sequence[bytes], texts: Sequence[bytes], parts: bytes) -> None:
        """Note the messages at the next places, written in UTF-8."""
        kinds = list(zip(map(bytes.isascii, texts), parts, map(_prefix, recipients), strict=True))
        for kind, text in zip(kinds, texts, strict=True) if not self._codes.keys() >= set(kinds) else ():
            self._codes.setdefault(kind, len(self._codes))
            self.samples.setdefault(kind[:2], text.decode())
        self._of.extend(map(self._codes.__getitem__, kinds))

    def count(self, places: Iterable[bool] | None = None) -> dict[Kind, int]:
        """
        Return how many messages there are of each kind.

        :param places: whether each place counts, from the first on; without it, all do.
        """
        kinds = [Kind(is_ascii, parts, prefix.decode()) for is_ascii, parts, prefix in self._codes]
        counts = Counter(self._of if places is None else compress(self._of, places))
        return {kinds[code]: count for code, count in counts.items()}
