"""Reads a thousand at a time: what is done once a chunk costs a row nothing."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

CHUNK = 1_000

_Item = TypeVar("_Item")


def in_chunks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield lists of up to a thousand items; those before an error come before it."""
    stream, failure = iter(items), None
    while failure is None:
        chunk: list[_Item] = []
        try:
            chunk.extend(islice(stream, CHUNK))
        except Exception as err:  # noqa: BLE001 - raised again below, behind what was read
            failure = err
        if chunk:
            yield chunk
        elif failure is None:
            return
    raise failure
