"""
Messages from their check to their receipt: one value, by columns.

A batch is never translated on its way: the check fills it, the plan adds what the ledger knows, the spool
stores it, and requests are cut from it. Columns, because a thousand messages are joined, stored and sent in a
few steps then, and not in thousands.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, pairwise
from typing import Final, TypeAlias

import msgspec

# Between two messages: UTF-8 has no such byte.
BETWEEN: Final = b"\xff"
# Stands in ``ids`` for a message that an earlier try may have sent.
IN_DOUBT: Final = -1


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """
    Some messages in the order of their rows; the n-th values of all columns are one message.

    ``rows`` count the rows handed in from 1, ``keys`` are the values of the key column ("" without one),
    ``messages`` holds recipient (E.164), NUL and text of each in UTF-8, with ``BETWEEN`` them, and ``parts``
    has a byte for each. ``are_simple`` says that ``identity.is_simple`` is known of all texts.

    The plan fills the other columns. By its digest the ledger knows a message; ``digests`` are behind each
    other. ``ids`` has the outbox ids of messages that earlier tries sent, ``IN_DOUBT`` for those that one may
    have sent, and 0 for all others; it is empty if all are 0. ``places`` says where their outcomes stand.

    A struct and no dataclass: bad rows cut a list into many, and one is made in a fraction of the time.
    """

    rows: Sequence[int] = ()
    keys: Sequence[str] = ()
    messages: bytes = b""
    parts: bytes = b""
    are_simple: bool = False
    digests: bytes = b""
    ids: Sequence[int] = ()
    places: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} messages>"

    def split(self) -> list[bytes]:
        """Return the messages one by one."""
        return self.messages.split(BETWEEN) if self.messages else []

    def columns(self) -> tuple[list[bytes], list[bytes]]:
        """Return the recipients and the texts."""
        return split_messages(self.messages)

    def cut(self, start: int, end: int) -> "Batch":
        """Return a slice."""
        return next(self.pieces([(start, end)]))

    def pieces(self, bounds: Iterable[tuple[int, int]]) -> Iterator["Batch"]:
        """Yield slices."""
        messages, width = list[bytes](), self._width
        for start, end in bounds:
            if (start, end) == (0, len(self)):  # nothing is taken apart for this
                yield self
                continue
            messages = messages or self.split()
            yield Batch(
                rows=self.rows[start:end],
                keys=self.keys[start:end],
                messages=BETWEEN.join(messages[start:end]),
                parts=self.parts[start:end],
                are_simple=self.are_simple,
                digests=self.digests[start * width : end * width],
                ids=self.ids[start:end],
                places=self.places[start:end],
            )

    def select(self, wanted: Sequence[object]) -> "Batch":
        """Return those at whose place something true stands."""
        width = self._width
        digests = (self.digests[end - width : end] for end in range(width, len(self.digests) + 1, width or 1))
        return Batch(
            rows=list(compress(self.rows, wanted)),
            keys=list(compress(self.keys, wanted)),
            messages=BETWEEN.join(compress(self.split(), wanted)),
            parts=bytes(compress(self.parts, wanted)),
            are_simple=self.are_simple,
            digests=b"".join(compress(digests, wanted)),
            ids=list(compress(self.ids, wanted)),
            places=list(compress(self.places, wanted)),
        )

    @classmethod
    def join(cls, batches: Iterable["Batch"]) -> "Batch":
        """Put several behind each other."""
        each = [batch for batch in batches if batch]
        if len(each) == 1:
            return each[0]
        has_ids = any(batch.ids for batch in each)
        return cls(
            rows=_join_runs([batch.rows for batch in each]),
            keys=list(chain.from_iterable(batch.keys for batch in each)),
            messages=BETWEEN.join(batch.messages for batch in each),
            parts=b"".join(batch.parts for batch in each),
            are_simple=all(batch.are_simple for batch in each),
            digests=b"".join(batch.digests for batch in each),
            ids=[outbox_id for batch in each for outbox_id in batch.ids or bytes(len(batch))]
            if has_ids
            else (),
            places=_join_runs([batch.places for batch in each]),
        )

    def to_bytes(self) -> bytes:
        """Write all but ``places``."""
        rows = self.rows.start if isinstance(self.rows, range) else self.rows
        keys = self.keys if any(self.keys) else ()
        return _encoder.encode(
            (rows, keys, self.messages, self.parts, self.are_simple, self.digests, self.ids)
        )

    @classmethod
    def from_bytes(cls, content: bytes | memoryview) -> "Batch":
        """Read what ``to_bytes`` has written."""
        rows, keys, messages, parts, are_simple, digests, ids = _decoder.decode(content)
        size = len(parts)
        return cls(
            rows=range(rows, rows + size) if isinstance(rows, int) else rows,
            keys=keys or [""] * size,
            messages=messages,
            parts=parts,
            are_simple=are_simple,
            digests=digests,
            ids=ids,
        )

    @property
    def _width(self) -> int:
        return len(self.digests) // len(self) if self else 0


def join_messages(recipients: Iterable[bytes], texts: Iterable[bytes]) -> bytes:
    """Write messages as they stand in a batch."""
    return BETWEEN.join(map(b"\0".join, zip(recipients, texts, strict=True)))


def split_messages(messages: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the recipients and the texts of messages that are written as in a batch."""
    cells = messages.replace(BETWEEN, b"\0").split(b"\0") if messages else []
    return cells[::2], cells[1::2]


def _join_runs(pieces: Sequence[Sequence[int]]) -> Sequence[int]:
    """Put numbers behind each other; those that follow each other, as nearly all do, stay a range."""
    runs = [piece for piece in pieces if isinstance(piece, range)]
    if runs and len(runs) == len(pieces) and all(one.stop == next_.start for one, next_ in pairwise(runs)):
        return range(runs[0].start, runs[-1].stop)
    return list(chain.from_iterable(pieces))


# Rows that follow each other are written as the first of them, and keys only if there are any.
_Packed: TypeAlias = tuple[int | list[int], list[str], bytes, bytes, bool, bytes, list[int]]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)
