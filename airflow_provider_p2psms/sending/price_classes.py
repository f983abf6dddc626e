"""
Price classes of messages: which cost the same, and how many there are of each.

A price class is an alphabet, a number of parts and the first digits of the recipient: all that prices depend
on.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import compress
from operator import itemgetter, not_
from typing import NamedTuple

from airflow_provider_p2psms.batch import Batch

# Long enough to tell Iran's operators apart: +98912.
_prefix = itemgetter(slice(6))


class PriceClass(NamedTuple):
    """``is_ascii`` stands for the language: gateways price Persian and English texts differently."""

    is_ascii: bool
    parts: int
    prefix: str


class PriceClasses:
    """
    How many messages have each price class: of ``all`` messages, and of those ``left`` to be sent.

    ``samples`` has a text of each alphabet and length, for the question what it costs.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.samples: dict[tuple[bool, int], str] = {}
        all_, left = Counter[tuple[tuple[bool, int], bytes]](), Counter[tuple[tuple[bool, int], bytes]]()
        for batch in batches:
            recipients, texts = batch.columns()
            kinds = list(zip(map(bytes.isascii, texts), batch.parts, strict=True))
            for kind in dict.fromkeys(kinds):
                if kind not in self.samples:
                    self.samples[kind] = texts[kinds.index(kind)].decode()
            classes = list(zip(kinds, map(_prefix, recipients), strict=True))
            all_.update(classes)
            left.update(compress(classes, map(not_, batch.ids)) if batch.ids else classes)
        self.all, self.left = _named(all_), _named(left)


def _named(counts: Counter[tuple[tuple[bool, int], bytes]]) -> dict[PriceClass, int]:
    return {PriceClass(*kind, prefix.decode()): count for (kind, prefix), count in counts.items()}
