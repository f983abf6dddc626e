"""
Checked messages between the check and their batches: in memory while they are few, then in a nameless file.

What was checked is what is sent, even if the file or query that it came from changes in between; and the rows
are read once, so that generators and cursors serve as well as lists. The file is gone with the process.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, compress, repeat
from operator import iadd, itemgetter
from typing import Any, Self

import msgspec

from airflow_provider_p2psms.ledger.digest import Digests

_IN_MEMORY_BYTES = 8 * 2**20


class Entries(msgspec.Struct, frozen=True, array_like=True):
    """
    Messages on their way, by columns: who gets what, how the ledger knows it, and its place among the fates.

    Columns, because a batch of a thousand is written, read and grouped in a few steps then, and not in
    thousands. Recipients and texts are in UTF-8. Nothing of them shows in their ``repr``.
    """

    recipients: Sequence[bytes] = ()
    texts: Sequence[bytes] = ()
    digests: Sequence[bytes] = ()
    places: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        return f"<Entries of {len(self)} messages>"

    def select(self, wanted: Sequence[object]) -> "Entries":
        """Return those at whose place something true stands."""
        return self._each(lambda column: list(compress(column, wanted)))

    def cut(self, start: int, end: int) -> "Entries":
        """Return a slice."""
        return self._each(itemgetter(slice(start, end)))

    @classmethod
    def join(cls, parts: Iterable["Entries"]) -> "Entries":
        """Put several behind each other."""
        columns = zip(*map(msgspec.structs.astuple, parts), strict=True)
        return cls(*(reduce(iadd, column, list[Any]()) for column in columns))

    def _each(self, change: Callable[[Any], Any]) -> "Entries":
        return Entries(change(self.recipients), change(self.texts), change(self.digests), change(self.places))


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """
    The messages of one request, written: most of them leave as they are and are never read again.

    ``content`` is what goes over the wire, and its answer has ``ids_due`` ids: one a message, or one for each
    of the groups whose ``sizes`` stand there. ``digests`` and ``places`` are the messages' in that order; of
    places that follow each other only the ``first`` is kept.
    """

    content: bytes = b""
    ids_due: int = 0
    sizes: list[int] | None = None
    packed: bytes = b""
    first: int = 0
    scattered: list[int] | None = None

    @classmethod
    def of(
        cls, content: bytes, sizes: list[int] | None, digests: Iterable[bytes], places: Sequence[int]
    ) -> Self:
        """Put together what was written of messages, and how they are known."""
        run = range(places[0], places[0] + len(places)) if places else range(0)
        scattered = None if places == run or list(places) == list(run) else list(places)
        ids_due = len(places if sizes is None else sizes)
        return cls(content, ids_due, sizes, b"".join(digests), run.start, scattered)

    @property
    def digests(self) -> Digests:
        """How the ledger knows the messages."""
        return Digests(self.packed)

    @property
    def places(self) -> Sequence[int]:
        """Their places among the fates."""
        return range(self.first, self.first + len(self)) if self.scattered is None else self.scattered

    def __len__(self) -> int:
        return len(self.digests)

    def __repr__(self) -> str:
        return f"<Parcel of {len(self)} messages>"

    def ids(self, outbox_ids: Sequence[int]) -> Sequence[int]:
        """Return each message's id, given those of the answer."""
        if self.sizes is None:
            return outbox_ids
        return list(chain.from_iterable(map(repeat, outbox_ids, self.sizes)))


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one request: the ``number``-th from 0, and where the spool keeps them."""

    number: int
    size: int
    start: int
    length: int


class Spool:
    """
    Batches of up to ``batch_size`` messages, written once, in order, and read as often as needed.

    :param pack: writes the messages of a batch (see ``Form``).
    """

    def __init__(self, *, batch_size: int, pack: Callable[[Entries], Parcel]) -> None:
        self.batches: list[Batch] = []
        self._batch_size, self._pack = batch_size, pack
        self._open: list[Entries] = []
        self._waiting = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Parcel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, entries: Entries) -> None:
        """Append messages."""
        self._open.append(entries)
        self._waiting += len(entries)
        if self._waiting >= self._batch_size:
            self._write(least=self._batch_size)

    def finish(self) -> None:
        """Close the batch that is being filled, if there is one."""
        self._write(least=1)

    def read(self, batch: Batch) -> Parcel:
        """Return a batch; one thread alone may add and read."""
        self._file.seek(batch.start)
        return self._decoder.decode(self._file.read(batch.length))

    def _write(self, *, least: int) -> None:
        waiting = self._open[0] if len(self._open) == 1 else Entries.join(self._open)
        done = 0
        while len(waiting) - done >= least:
            entries = waiting.cut(done, done + self._batch_size)
            start = self._file.tell()
            length = self._file.write(self._encoder.encode(self._pack(entries)))
            self.batches.append(Batch(len(self.batches), len(entries), start, length))
            done += len(entries)
        rest = waiting.cut(done, len(waiting))
        self._open, self._waiting = [rest] if rest else [], len(rest)
