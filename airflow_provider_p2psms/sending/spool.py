"""
Checked messages between the check and their requests: in memory while they are few, then in a nameless file.

What was checked is what is sent, even if the file or query that it came from changes in between; and the rows
are read once, so that generators and cursors serve as well as lists. The file is gone with the process.
"""

import tempfile
from bisect import bisect, bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, not_
from os import SEEK_END
from typing import Self

import msgspec
from msgspec.structs import replace

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.sending.outcomes import LeftOut

_IN_MEMORY_BYTES = 8 * 2**20
_MOST_LEFT_OUT = 10_000  # are in memory


@dataclass(frozen=True, slots=True)
class Request:
    """The messages of one request: the ``number``-th from 0, and how many they are."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a batch and the rows that were left out of it stand in the file."""

    start: int
    size: int
    left_out_size: int
    first_place: int


class Spool:
    """
    All that was planned, in the order of the rows, and the requests for what no earlier try has sent.

    It is written once, and read as often as needed. One thread alone may add and read.

    :param batch_size: the messages of one request. As many are stored together: nearly always they are those
        of one request.
    """

    def __init__(self, *, batch_size: int) -> None:
        self._batch_size = batch_size
        self._open: list[Batch] = []
        self._waiting = 0
        self._left_out: list[LeftOut] = []
        self._stored: list[_Stored] = []
        self._places = 0
        # How many messages are to be sent before each stored batch, and in all.
        self._before = [0]
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, batch: Batch, left_out: Iterable[LeftOut] = ()) -> None:
        """Append messages, and the rows between them that are none."""
        self._open.append(batch)
        self._waiting += len(batch)
        self._left_out += left_out
        if self._waiting >= self._batch_size or len(self._left_out) >= _MOST_LEFT_OUT:
            self._store(rest=self._waiting < self._batch_size)

    def requests(self) -> list[Request]:
        """Return the requests for all messages that are to be sent: up to ``batch_size`` in each."""
        self._store(rest=True)
        total, size = self._before[-1], self._batch_size
        return [Request(at // size, min(size, total - at)) for at in range(0, total, size)]

    def read(self, request: Request) -> Batch:
        """Return the messages of a request."""
        start = request.number * self._batch_size
        end = start + request.size
        found = []
        for at in range(bisect(self._before, start) - 1, bisect_left(self._before, end)):
            batch = self._read(self._stored[at])
            if batch.ids:
                batch = batch.select(list(map(not_, batch.ids)))
            before = self._before[at]
            found.append(batch.cut(max(start - before, 0), min(end - before, len(batch))))
        return Batch.join(found)

    def __iter__(self) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Read all batches, each with the rows that were left out of it."""
        self._store(rest=True)
        for stored in self._stored:
            yield self._read(stored), _left_out.decode(self._file.read(stored.left_out_size))

    def _read(self, stored: _Stored) -> Batch:
        self._file.seek(stored.start)
        batch = Batch.from_bytes(self._file.read(stored.size))
        return replace(batch, places=range(stored.first_place, stored.first_place + len(batch)))

    def _store(self, *, rest: bool) -> None:
        """Store what is waiting; ``rest`` says whether also messages that fill no request."""
        waiting, size = Batch.join(self._open), self._batch_size
        self._open, self._waiting = [], 0
        starts = range(0, max(len(waiting), 1), size)
        for batch in waiting.pieces((start, min(start + size, len(waiting))) for start in starts):
            if rest or len(batch) == size:
                self._write(batch)
            else:
                self._open, self._waiting = [batch], len(batch)

    def _write(self, batch: Batch) -> None:
        end = bisect(self._left_out, self._places + len(batch), key=attrgetter("place"))
        left_out, self._left_out = self._left_out[:end], self._left_out[end:]
        if not (batch or left_out):
            return
        start = self._file.seek(0, SEEK_END)
        size, left_out_size = map(self._file.write, (batch.to_bytes(), _encoder.encode(left_out)))
        self._stored.append(_Stored(start, size, left_out_size, self._places))
        self._places += len(batch)
        self._before.append(self._before[-1] + (batch.ids.count(0) if batch.ids else len(batch)))


_encoder = msgspec.msgpack.Encoder()
_left_out = msgspec.msgpack.Decoder(list[LeftOut])
