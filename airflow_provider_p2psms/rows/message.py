"""A message as the check of one row makes it. Number and text show in no ``repr``."""

from collections.abc import Iterable, Iterator

import msgspec

from airflow_provider_p2psms.batch import Batch, join_messages


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


def to_batch(messages: Iterable[Message]) -> Batch:
    """Put messages, at least one, into columns."""
    rows, recipients, texts, parts, keys = zip(*map(msgspec.structs.astuple, messages), strict=True)
    return Batch(
        rows=rows,
        keys=keys,
        messages=join_messages(encode_all(recipients), encode_all(texts)),
        parts=bytes(parts),
    )


def messages_of(batch: Batch) -> Iterator[Message]:
    """Yield the messages of a batch."""
    recipients, texts = (map(bytes.decode, column) for column in batch.columns())
    return map(Message, batch.rows, recipients, texts, batch.parts, batch.keys)


def encode_all(texts: Iterable[str]) -> list[bytes]:
    """Write each in UTF-8."""
    return list(map(str.encode, texts))
