"""What leaves this room: checked messages, one by one or in blocks. Numbers and texts show in no ``repr``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

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
    """Messages that stand together, by columns: the n-th values of all five are one message."""

    rows: Sequence[int]
    recipients: Sequence[str] = field(repr=False)
    texts: Sequence[str] = field(repr=False)
    parts: Sequence[int] = field(repr=False)
    keys: Sequence[str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Message]:
        return map(Message, self.rows, self.recipients, self.texts, self.parts, self.keys)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Block":
        """Put messages, at least one, into columns."""
        columns = zip(
            *((each.row, each.recipient, each.text, each.parts, each.key) for each in messages), strict=True
        )
        return cls(*columns)
