"""What leaves this room: checked messages, one by one or in blocks. Numbers and texts show in no ``repr``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """
    One text for one recipient, checked.

    ``row`` counts the rows handed in from 1; the recipients of one gateway-shaped group share their row.
    ``recipient`` is E.164 (``+989120000000``), ``text`` is never altered, ``parts`` is the number of SMS
    parts that it is estimated to take, and ``key`` is the value of the key column as text ("" without one).

    A struct and no dataclass: there may be a million, and one is made in a fifth of the time.
    """

    row: int
    recipient: str
    text: str
    parts: int
    key: str = ""

    def __repr__(self) -> str:
        return f"Message(row={self.row}, parts={self.parts})"


@dataclass(frozen=True, slots=True)
class Block:
    """
    Messages that stand together, by columns: the n-th values of all five are one message.

    Recipients and texts are in UTF-8: as such they are digested, kept and sent, and nobody reads them on that
    way. ``parts`` has a byte for each. ``are_simple``: whether ``identity.is_simple`` is known of all
    texts.
    """

    rows: Sequence[int]
    recipients: Sequence[bytes] = field(repr=False)
    texts: Sequence[bytes] = field(repr=False)
    parts: bytes = field(repr=False)
    keys: Sequence[str] = field(repr=False)
    are_simple: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Message]:
        recipients, texts = map(bytes.decode, self.recipients), map(bytes.decode, self.texts)
        return map(Message, self.rows, recipients, texts, self.parts, self.keys)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Block":
        """Put messages, at least one, into columns."""
        rows, recipients, texts, parts, keys = zip(*map(msgspec.structs.astuple, messages), strict=True)
        return cls(rows, encode_all(recipients), encode_all(texts), bytes(parts), keys)

    def cut(self, start: int, end: int, *, first: int) -> "Block":
        """Return a slice, its rows numbered from the first one on."""
        return Block(
            range(first, first + end - start),
            self.recipients[start:end],
            self.texts[start:end],
            self.parts[start:end],
            self.keys[start:end],
            self.are_simple,
        )

    def select(self, wanted: Sequence[object]) -> "Block":
        """Return those at whose place something true stands."""
        return Block(
            list(compress(self.rows, wanted)),
            list(compress(self.recipients, wanted)),
            list(compress(self.texts, wanted)),
            bytes(compress(self.parts, wanted)),
            list(compress(self.keys, wanted)),
            self.are_simple,
        )


def encode_all(texts: Iterable[str]) -> list[bytes]:
    """Write each in UTF-8."""
    return list(map(str.encode, texts))
