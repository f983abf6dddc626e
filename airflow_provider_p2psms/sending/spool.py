"""
Checked messages between the check and their batches: in memory while they are few, then in a nameless file.

What was checked is what is sent, even if the file or query that it came from changes in between; and the rows
are read once, so that generators and cursors serve as well as lists. The file is gone with the process.
"""

import tempfile
from dataclasses import dataclass
from typing import Self

import msgspec

_IN_MEMORY_BYTES = 8 * 2**20


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A message on its way: who gets what, how the ledger knows it, and its place among the fates.

    Nothing of it shows in its ``repr``.
    """

    recipient: str
    text: str
    digest: bytes
    place: int

    def __repr__(self) -> str:
        return "<Entry>"


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one request: the ``number``-th from 0, and where the spool keeps them."""

    number: int
    size: int
    start: int
    length: int


class Spool:
    """Batches of up to ``batch_size`` messages, written once, in order, and read as often as needed."""

    def __init__(self, *, batch_size: int) -> None:
        self.batches: list[Batch] = []
        self._batch_size = batch_size
        self._open: list[Entry] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[Entry])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Append one message."""
        self._open.append(entry)
        if len(self._open) == self._batch_size:
            self.finish()

    def finish(self) -> None:
        """Close the batch that is being filled, if there is one."""
        if self._open:
            start = self._file.tell()
            length = self._file.write(self._encoder.encode(self._open))
            self.batches.append(Batch(len(self.batches), len(self._open), start, length))
            self._open = []

    def read(self, batch: Batch) -> list[Entry]:
        """Return the messages of a batch; one thread alone may add and read."""
        self._file.seek(batch.start)
        return self._decoder.decode(self._file.read(batch.length))
