"""
Checked messages between the check and their batches: in memory while they are few, then in a nameless file.

What was checked is what is sent, even if the file or query that it came from changes in between; and the rows
are read once, so that generators and cursors serve as well as lists. The file is gone with the process.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, compress, pairwise
from operator import attrgetter, iadd, itemgetter
from typing import Any, Self

import msgspec

from airflow_provider_p2psms.gateway import request
from airflow_provider_p2psms.ledger.digest import Digests

_IN_MEMORY_BYTES = 8 * 2**20


def write_messages(recipients: Iterable[bytes], texts: Iterable[bytes]) -> list[bytes]:
    """Write messages as the ledger knows them: recipient, NUL, text. No text that was checked has a NUL."""
    return list(map(b"\0".join, zip(recipients, texts, strict=True)))


class Entries(msgspec.Struct, frozen=True):
    """
    Messages on their way, by columns: what is sent, how the ledger knows it, and its place among the fates.

    Columns, because a thousand are joined and cut in a few steps then, and not in thousands. ``written`` is
    from ``write_messages``, ``texts`` are those in it. Nothing of them shows in their ``repr``.
    """

    written: Sequence[bytes] = ()
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
        parts = list(parts)
        written, texts, digests = (
            reduce(iadd, map(attrgetter(name), parts), list[Any]())
            for name in ("written", "texts", "digests")
        )
        return cls(written, texts, digests, _join_places([part.places for part in parts]))

    def _each(self, change: Callable[[Any], Any]) -> "Entries":
        return Entries(change(self.written), change(self.texts), change(self.digests), change(self.places))


def _join_places(pieces: Sequence[Sequence[int]]) -> Sequence[int]:
    """Put places behind each other; those that follow each other, as nearly all do, stay a range."""
    runs = [piece for piece in pieces if isinstance(piece, range)]
    if runs and len(runs) == len(pieces) and all(one.stop == next_.start for one, next_ in pairwise(runs)):
        return range(runs[0].start, runs[-1].stop)
    return list(chain.from_iterable(pieces))


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """
    The messages of one request, each column in one piece: so they are kept, and read again in no time.

    ``written`` is as of ``request.write_single_groups``; ``is_personal`` says that no two have the same text.
    ``packed`` are the digests. Of places that follow each other only the ``first`` is kept.
    """

    written: bytes = b""
    is_personal: bool = True
    packed: bytes = b""
    first: int = 0
    scattered: list[int] | None = None

    @classmethod
    def of(cls, entries: Entries) -> Self:
        """Put messages into one piece."""
        places = entries.places
        run = range(places[0], places[0] + len(places)) if places else range(0)
        scattered = None if places == run or list(places) == list(run) else list(places)
        is_personal = len(set(entries.texts)) == len(places)
        written = request.BETWEEN.join(entries.written)
        return cls(written, is_personal, b"".join(entries.digests), run.start, scattered)

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

    def columns(self) -> tuple[list[bytes], list[bytes]]:
        """Return the recipients and the texts, in UTF-8."""
        return request.split_messages(self.written)

    def select(self, wanted: Sequence[object]) -> "Parcel":
        """Return those at whose place something true stands."""
        recipients, texts = self.columns()
        entries = Entries(write_messages(recipients, texts), texts, list(self.digests), self.places)
        return Parcel.of(entries.select(wanted))


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
            length = self._file.write(self._encoder.encode(Parcel.of(entries)))
            self.batches.append(Batch(len(self.batches), len(entries), start, length))
            done += len(entries)
        rest = waiting.cut(done, len(waiting))
        self._open, self._waiting = [rest] if rest else [], len(rest)
