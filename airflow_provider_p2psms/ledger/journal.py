"""
One try's journal: written by that try alone, read by all later ones, who notice what is missing of it.

A journal is the records ``NAME.WRITER.0``, ``.1``, … (its segments, each full) and ``NAME.WRITER.head``. The
head says how many segments and entries there are, and holds the last entries: so most writes are of one
record. Each record has a checksum. The head is written after new segments. If a crash comes in between, it
still holds the first of their entries, and counts less than there is, never more. In journals of format 2 the
head holds no entries; those of format 1 have no head and no checksums.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.records import (
    Entry,
    Length,
    Opening,
    damage,
    from_json,
    head_from_json,
    head_to_json,
    seal,
    size,
    unseal,
)
from airflow_provider_p2psms.ledger.stores import Store

T = TypeVar("T")

_POLL_S = 0.2
# TRY-TOKEN with a token of eight digits; since format 2 it has twelve, and the map index may stand before it.
_OLD_WRITER = re.compile(r"\d+-[0-9a-f]{8}")


class Journal:
    """The journal that the present try writes."""

    def __init__(self, store: Store, name: str, writer: str) -> None:
        self._store, self._name, self._writer = store, name, writer
        self._most_bytes = store.most_bytes
        # Segments that are full and not durable yet, and the entries of the head.
        self._full: list[list[Entry]] = []
        self._last: list[Entry] = []
        self._size = 0
        self._unwritten = False
        # What is durable, and how many of its entries are in segments.
        self.length, self._entries = Length(), 0

    def append(self, entry: Entry) -> None:
        """Add an entry; durable after ``flush``."""
        length = size(entry)
        if self._last and self._size + length > self._most_bytes:
            self._full.append(self._last)
            self._last, self._size = [], 0
        self._last.append(entry)
        self._size += length
        self._unwritten = True

    def flush(self) -> None:
        """
        Make all entries durable.

        :raises LedgerError: they may or may not be written: do not act on them.
        """
        if not self._unwritten:
            return
        records, before, segments = {}, self._entries, self.length.segments
        for number, entries in enumerate(self._full, segments):
            key = segment_key(self._name, self._writer, number)
            records[key] = seal(key, number, before, entries)
            before += len(entries)
        length = Length(segments + len(self._full), before + len(self._last))
        head = head_key(self._name, self._writer)
        self._store.write_all(records | {head: head_to_json(head, length, self._last)})
        self.length, self._entries = length, before
        self._full = []
        self._unwritten = False


class Reader:
    """
    Reads journals whole, or says what is missing.

    A mount may remember for a while that a file is absent, or what it held before: so what is missing is
    looked for again, for ``store.patience_s`` seconds in all.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._name = store, name
        self._clock, self._sleep = clock, sleep
        self._until: float | None = None

    def read(self, writer: str, *, least: Length, is_there: bool) -> list[Entry]:
        """
        Return all entries of a journal.

        :param least: what it is known to have held.
        :param is_there: whether there are records of it.
        :raises LedgerError: some of that is not there, or was changed; or the store cannot be read.
        """
        return self.patiently(lambda: self._read(writer, least, is_there=is_there))

    def patiently(self, look: Callable[[], T]) -> T:
        """Look again and again while what is looked for is missing."""
        while True:
            try:
                return look()
            except LedgerError:
                if self._until is None:
                    self._until = self._clock() + self._store.patience_s
                if self._clock() >= self._until:
                    raise
            self._sleep(_POLL_S)

    def _read(self, writer: str, least: Length, *, is_there: bool) -> list[Entry]:
        # The head first: what it counts is there already, and more may come in meanwhile.
        head = None if is_old(writer) else self._read_head(writer)
        length, last = head or (Length(), [])
        count = max(length.entries, least.entries)
        entries, segments, reason = list[Entry](), 0, "it is missing"
        while (segment := self._read_segment(writer, segments)) is not None:
            before, some = segment
            # Of an unfinished write some segments may be there and others not: it was not acted on.
            if before != len(entries) and not is_old(writer):
                reason = "it does not follow those before it: one of them is an older copy"
                break
            entries += some
            segments += 1
        must_have = max(length.segments, least.segments, bool(count) and is_old(writer))
        if segments < must_have:
            raise damage(self._store.where(segment_key(self._name, writer, segments)), reason)
        if head is None and not is_old(writer) and (is_there or entries or count) and not _is_begun(entries):
            raise damage(self._store.where(head_key(self._name, writer)), "it is missing")
        # After a crash the segments may hold what the head holds, and more than it counts.
        if (covered := len(entries) - (length.entries - len(last))) >= 0:
            entries += last[covered:]
        if len(entries) < count:
            in_head = last or not segments
            key = head_key(self._name, writer) if in_head else segment_key(self._name, writer, segments - 1)
            told = f"its journal had {count:,} entries, and has {len(entries):,}"
            raise damage(self._store.where(key), told)
        return entries

    def _read_head(self, writer: str) -> tuple[Length, list[Entry]] | None:
        key = head_key(self._name, writer)
        return self._store.parse(key, partial(head_from_json, key))

    def _read_segment(self, writer: str, number: int) -> tuple[int, list[Entry]] | None:
        key = segment_key(self._name, writer, number)
        if is_old(writer):
            return self._store.parse(key, lambda value: (0, from_json(value)))
        return self._store.parse(key, partial(unseal, key, number))


def _is_begun(entries: list[Entry]) -> bool:
    """Whether a try that wrote this may have died before it wrote a head."""
    return bool(entries) and all(isinstance(entry, Opening) for entry in entries)


def is_old(writer: str) -> bool:
    """Whether a journal is of format 1."""
    return _OLD_WRITER.fullmatch(writer) is not None


def segment_key(name: str, writer: str, number: int) -> str:
    """Return the key of a segment."""
    return f"{name}.{writer}.{number}"


def head_key(name: str, writer: str) -> str:
    """Return the key of a head."""
    return f"{name}.{writer}.head"
