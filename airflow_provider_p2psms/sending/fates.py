"""What became of each message that is to be sent, in the order of the rows: nine bytes a message."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Literal

import msgspec

Outcome = Literal["accepted", "duplicate", "invalid", "refused", "in_doubt"]


class Fate(msgspec.Struct, frozen=True):
    """What became of one message."""

    outcome: Outcome
    outbox_id: int | None = None
    reason: str = ""


NOT_SENT = Fate("refused", reason="not sent: the send ended before its turn")


class Fates:
    """Fates by place; a place is handed out for each message, in the order of the rows."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._kinds = array("H")
        self._known = [NOT_SENT]
        self._accepted = 0

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, place: int) -> Fate:
        outbox_id = self._ids[place]
        return Fate("accepted", outbox_id) if outbox_id else self._known[self._kinds[place]]

    def add(self, outbox_ids: Sequence[int]) -> range:
        """Return the next places, one an id: with one that is not 0 the message was accepted before."""
        first = len(self._ids)
        self._accepted += len(outbox_ids) - outbox_ids.count(0)
        self._ids.extend(array("q", outbox_ids))
        self._kinds.frombytes(bytes(len(outbox_ids) * self._kinds.itemsize))
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

    def end(self, places: Sequence[int], fate: Fate) -> None:
        """Note what else became of some messages; a later word counts."""
        if fate not in self._known:
            self._known.append(fate)
        kind = self._known.index(fate)
        for place in places:
            self._kinds[place] = kind

    def count(self) -> dict[Outcome, int]:
        """Return how many messages have each outcome."""
        counts: dict[Outcome, int] = {"accepted": 0, "refused": 0, "in_doubt": 0}
        if len(self._known) == 1:  # one by one, a million take a tenth of a second
            return {**counts, "accepted": self._accepted, NOT_SENT.outcome: len(self) - self._accepted}
        for outbox_id, kind in zip(self._ids, self._kinds, strict=True):
            counts["accepted" if outbox_id else self._known[kind].outcome] += 1
        return counts

    def all_accepted(self) -> bool:
        """Whether every message has an id."""
        return self._accepted == len(self)

    def are(self, outcome: Outcome) -> Iterator[bool]:
        """Say of each place whether its message has this outcome."""
        is_outcome = [fate.outcome == outcome for fate in self._known]
        if outcome == "accepted":
            return map(bool, self._ids)
        return (
            not outbox_id and is_outcome[kind] for outbox_id, kind in zip(self._ids, self._kinds, strict=True)
        )

    def outbox_ids(self) -> list[int]:
        """Return the ids, each once, in the order in which their first messages stand."""
        ids = self._ids.tolist() if self.all_accepted() else list(filter(None, self._ids))
        # Sorting takes next to nothing: those of a request mostly follow each other.
        by_size = sorted(ids)
        is_each_once = all(map(lt, by_size, islice(by_size, 1, None)))
        return ids if is_each_once else list(dict.fromkeys(ids))
