"""
What became of each message, in the order of the rows: ten bytes a message. And the file that says so.

The file has one line a row handed in, whatever happened to it, so that a pipeline can load it. Columns:
``row,key,outcome,outbox_id,reason``; a group has a line a recipient.
"""

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from operator import lt
from typing import Literal, TextIO

import msgspec

from airflow_provider_p2psms.batch import Batch

OutcomeName = Literal["accepted", "duplicate", "invalid", "refused", "in_doubt"]
HEADER = ("row", "key", "outcome", "outbox_id", "reason")


class Outcome(msgspec.Struct, frozen=True):
    """What became of one message."""

    name: OutcomeName
    outbox_id: int | None = None
    reason: str = ""


class LeftOut(msgspec.Struct, frozen=True, array_like=True):
    """A row that no message is sent for. It stands in front of the message that has its ``place``."""

    place: int
    row: int
    key: str
    name: OutcomeName
    reason: str


NOT_SENT = Outcome("refused", reason="not sent: the send ended before its turn")


class Outcomes:
    """Outcomes by place; a place is handed out for each message, in the order of the rows."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._codes = array("H")
        self._known = [NOT_SENT]
        self._accepted = 0

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, place: int) -> Outcome:
        outbox_id = self._ids[place]
        return Outcome("accepted", outbox_id) if outbox_id else self._known[self._codes[place]]

    def add(self, outbox_ids: Sequence[int]) -> range:
        """Return the next places, one an id: with one that is not 0 the message was accepted before."""
        first = len(self._ids)
        self._accepted += len(outbox_ids) - outbox_ids.count(0)
        self._ids.extend(array("q", outbox_ids))
        self._codes.frombytes(bytes(len(outbox_ids) * self._codes.itemsize))
        return range(first, len(self._ids))

    def accept(self, places: Sequence[int], outbox_ids: Sequence[int]) -> None:
        """Note which messages the gateway has taken: those with an id."""
        if isinstance(places, range) and 0 not in outbox_ids:  # nearly always, and in one step
            self._accepted += self._ids[places.start : places.stop].count(0)
            self._ids[places.start : places.stop] = array("q", list(outbox_ids))
            return
        for place, outbox_id in zip(places, outbox_ids, strict=True):
            if outbox_id:
                self._accepted += not self._ids[place]
                self._ids[place] = outbox_id

    def end(self, places: Sequence[int], outcome: Outcome) -> None:
        """Set the outcome of messages that were not accepted. The last call wins."""
        if outcome not in self._known:
            self._known.append(outcome)
        code = self._known.index(outcome)
        for place in places:
            self._codes[place] = code

    def count(self) -> dict[OutcomeName, int]:
        """Return how many messages have each outcome."""
        counts: dict[OutcomeName, int] = {"accepted": 0, "refused": 0, "in_doubt": 0}
        if len(self._known) == 1:  # one by one, a million take a tenth of a second
            return {**counts, "accepted": self._accepted, NOT_SENT.name: len(self) - self._accepted}
        for outbox_id, code in zip(self._ids, self._codes, strict=True):
            counts["accepted" if outbox_id else self._known[code].name] += 1
        return counts

    def all_accepted(self) -> bool:
        """Whether every message has an id."""
        return self._accepted == len(self)

    def accepted_parts(self, batches: Iterable[Batch]) -> int:
        """Return how many parts the accepted messages of these batches have."""
        is_accepted = self._ids.__getitem__
        return sum(sum(compress(batch.parts, map(is_accepted, batch.places))) for batch in batches)

    def outbox_ids(self) -> list[int]:
        """Return the ids, each once, in the order in which their first messages stand."""
        ids = self._ids.tolist() if self.all_accepted() else list(filter(None, self._ids))
        # Sorting takes next to nothing: those of a request mostly follow each other.
        by_size = sorted(ids)
        is_each_once = all(map(lt, by_size, islice(by_size, 1, None)))
        return ids if is_each_once else list(dict.fromkeys(ids))

    def write(self, stream: TextIO, planned: Iterable[tuple[Batch, Sequence[LeftOut]]]) -> None:
        """Write the outcomes file of all batches, each with the rows that were left out of it."""
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(HEADER)
        for batch, left_out in planned:
            sent, place = self._lines(batch), batch.places[0] if batch else 0
            for each in left_out:
                lines.writerows(islice(sent, each.place - place))
                lines.writerow((each.row, each.key, each.name, "", each.reason))
                place = each.place
            lines.writerows(sent)

    def _lines(self, batch: Batch) -> Iterator[tuple[object, ...]]:
        for row, key, place in zip(batch.rows, batch.keys, batch.places, strict=True):
            outcome = self[place]
            yield row, key, outcome.name, outcome.outbox_id, outcome.reason
