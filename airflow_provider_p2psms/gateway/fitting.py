"""
Which of our texts a text of the report may be, the closest first.

A report may show a text as it was sent, with something before or after it, or shortened.
"""

from bisect import bisect_left
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

_LEAST_SHORTENED = 10
# A text of fewer letters stands in many others: it has to stand at one of their ends.
_LEAST_INSIDE = 10
_LAST = "\U0010ffff"


class Closeness(IntEnum):
    """How close a shown text is to one of ours."""

    SAME = 0
    CONTAINED = 1
    SHORTENED = 2


class Fit(NamedTuple):
    """Our texts that are equally close to a shown one."""

    closeness: Closeness
    texts: tuple[str, ...]


class Texts:
    """
    Our texts, in the form that ``identity.fold`` gives.

    A million comparisons of two texts would take seconds: texts that ours may be contained in are looked up
    by each length that ours have, shortened ones in a sorted list.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._sorted = sorted(filter(None, set(texts)))
        self._all = frozenset(self._sorted)
        self._lengths = sorted({len(text) for text in self._all}, reverse=True)

    def find(self, shown: str) -> list[Fit]:
        """
        Return our texts that a shown one may be, the closest first.

        The longest that it contains is closer than a shorter one.
        """
        fits = [Fit(Closeness.SAME, (shown,))] if shown in self._all else []
        fits.extend(
            Fit(Closeness.CONTAINED, contained)
            for length in self._lengths
            if length < len(shown) and (contained := self._contained(shown, length))
        )
        if shortened := self._shortened(shown):
            fits.append(Fit(Closeness.SHORTENED, shortened))
        return fits

    def _contained(self, shown: str, length: int) -> tuple[str, ...]:
        last = len(shown) - length
        starts = range(last + 1) if length >= _LEAST_INSIDE else (0, last)
        return tuple({shown[start : start + length] for start in starts} & self._all)

    def _shortened(self, shown: str) -> tuple[str, ...]:
        start = shown.rstrip(".")
        if len(start) < _LEAST_SHORTENED:
            return ()
        first, end = (bisect_left(self._sorted, each) for each in (start, start + _LAST))
        return tuple(text for text in self._sorted[first:end] if text not in {start, shown})
