"""
Price classes of messages: which cost the same, and how many there are of each.

A price class is an alphabet, a number of parts and the first digits of the recipient: all that prices depend
on. A message takes one look-up and four bytes here; what is asked of the classes is asked once a send.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import itemgetter
from typing import NamedTuple

# Long enough to tell Iran's operators apart: +98912.
_prefix = itemgetter(slice(6))


class PriceClass(NamedTuple):
    """``is_ascii`` stands for the language: gateways price Persian and English texts differently."""

    is_ascii: bool
    parts: int
    prefix: str


class PriceClasses:
    """
    The price class of each message, by its place among the fates.

    ``samples`` has a text of each alphabet and length, for the question what it costs.
    """

    def __init__(self) -> None:
        self.samples: dict[tuple[bool, int], str] = {}
        self._codes: dict[tuple[bool, int, bytes], int] = {}
        self._of = array("I")

    def add(self, recipients: Sequence[bytes], texts: Sequence[bytes], parts: bytes) -> None:
        """Note the messages at the next places, written in UTF-8."""
        classes = list(zip(map(bytes.isascii, texts), parts, map(_prefix, recipients), strict=True))
        if not self._codes.keys() >= set(classes):
            for each, text in zip(classes, texts, strict=True):
                self._codes.setdefault(each, len(self._codes))
                self.samples.setdefault(each[:2], text.decode())
        self._of.extend(map(self._codes.__getitem__, classes))

    def count(self, places: Iterable[bool] | None = None) -> dict[PriceClass, int]:
        """
        Return how many messages there are of each price class.

        :param places: whether each place counts, from the first on; without it, all do.
        """
        classes = [PriceClass(is_ascii, parts, prefix.decode()) for is_ascii, parts, prefix in self._codes]
        counts = Counter(self._of if places is None else compress(self._of, places))
        return {classes[code]: count for code, count in counts.items()}
