"""
Fencing for storage that does not stop an old try: epochs, taken by exclusive creation.

Epochs are records ``NAME.turn.0``, ``.1``, … (``NAME.OWNER.turn.N`` for each map index). A try takes the next
free epoch when it opens the ledger, and the one after its last before a request leaves. If another try has
taken that one, this try was replaced. Nobody looks for a record that a mount may remember as absent: the
storage itself decides who creates a record.

So one of two tries always sees the other. The old one makes its intent durable and then takes an epoch; the
new one takes an epoch and then reads. If the old one's epoch is first, the new one finds the intent, and the
epoch says how much it has to find. If the new one's is first, the old one cannot take it and sends nothing.

An epoch may be removed when no try can take it for free any more. A try starts from the last epoch in a
listing of the folder. Such a listing is at most ``FRESH_S`` old: mounts remember one for a minute. All epochs
that were taken since are still there, so the try that starts from an old listing finds them taken.
"""

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.journal import Reader
from airflow_provider_p2psms.ledger.records import Length, damage, epoch_from_json, epoch_to_json
from airflow_provider_p2psms.ledger.stores import EMPTY, Store, epochs_in, last_epochs

# For so long at least an epoch stays. A try that lists epochs and takes one in more than half of it starts
# anew.
FRESH_S = 600.0


class _Epoch(NamedTuple):
    writer: str
    length: Length


# Its creator has not written it yet, or died before.
_UNWRITTEN = _Epoch("", Length())


class Epochs:
    """
    The epochs of one try.

    Where the storage has no exclusive creation, an epoch is an ordinary record, and fences nobody; then
    ``is_exclusive`` is false and the ledger falls back on owner records.

    :param refuse: raises ``ReplacedError`` for the writer of a newer try.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        owner: str,
        writer: str,
        refuse: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._name, self._owner, self._writer = store, name, owner, writer
        self._refuse, self._clock = refuse, clock
        self._last = -1
        # The epochs that may be removed one day, the oldest first, and when they were known to be there.
        self._earlier = deque[tuple[int, float]]()
        self.is_exclusive = True

    def take(self, reader: Reader) -> dict[str, Length]:
        """
        Take the next free epoch.

        :return: what journals of this owner are known to hold.
        :raises ReplacedError: a newer try has begun already.
        :raises LedgerError: the store cannot be read or written.
        """
        while True:
            began = self._clock()
            numbers = epochs_in(self._name, self._owner, self._store.keys(self._name))
            last = numbers[-1] if numbers else -1
            below = self._look(last, reader) if numbers else None
            while not self._create(last + 1, Length()):
                last += 1
                below = self._look(last, reader)
            # A process that stood still in between may have taken an epoch that was removed meanwhile.
            if self._clock() - began < FRESH_S / 2:
                break
        self._last = last + 1
        self._earlier.extend((number, began) for number in numbers)
        return _known(below, last, self._read)

    def take_next(self, length: Length) -> bool:
        """
        Take one more epoch before a request leaves.

        :param length: what this try's journal holds durably.
        :return: whether this try is still the owner.
        """
        if not self._create(self._last + 1, length):
            return False
        now = self._clock()
        self._earlier.append((self._last, now))
        self._last += 1
        if now - self._earlier[0][1] > FRESH_S:
            self._remove_old(now)
        return True

    def _create(self, number: int, length: Length) -> bool:
        key = self._key(number)
        value = epoch_to_json(key, self._writer, length)
        created = self._store.create(key, value)
        if created is None:
            self.is_exclusive = False
            self._store.write(key, value)
            return True
        # A mount may try again what it has done already, and find its own work.
        return created or ((epoch := self._read(number)) is not None and epoch.writer == self._writer)

    def _look(self, number: int, reader: Reader) -> _Epoch:
        """Read an epoch that is there, and wait until its creator has written it."""

        def look() -> _Epoch:
            epoch = self._read(number)
            if epoch is None:
                raise damage(self._store.where(self._key(number)), "it is missing")
            if epoch == _UNWRITTEN:
                raise LedgerError(
                    "Another try is taking over this ledger, and its record is not complete yet."
                )
            return epoch

        try:
            epoch = reader.patiently(look)
        except LedgerError:
            # A try that died in between has done nothing since.
            if self._read(number) != _UNWRITTEN:
                raise
            return _UNWRITTEN
        self._refuse(epoch.writer)
        return epoch

    def _read(self, number: int) -> _Epoch | None:
        return _read(self._store, self._name, self._owner, number)

    def _remove_old(self, now: float) -> None:
        old = []
        while self._earlier and now - self._earlier[0][1] > FRESH_S:
            old.append(self._key(self._earlier.popleft()[0]))
        self._store.remove(old)

    def _key(self, number: int) -> str:
        return _key(self._name, self._owner, number)


def known_lengths(store: Store, name: str, keys: Collection[str]) -> dict[str, Length]:
    """
    Return what the epochs of a ledger say that its journals hold.

    :param keys: those of the ledger's records.
    :raises LedgerError: the store cannot be read, or an epoch was changed.
    """
    known = dict[str, Length]()
    for owner, last in last_epochs(name, keys).items():
        read = partial(_read, store, name, owner)
        known |= _known(read(last), last, read)
    return known


def _known(epoch: _Epoch | None, number: int, read: Callable[[int], _Epoch | None]) -> dict[str, Length]:
    """Read epochs downwards, from this one, until one whose try has seen, or written, what was there."""
    known = dict[str, Length]()
    while epoch is not None:  # else it is the first one, or those below were removed
        if epoch.writer:
            known[epoch.writer] = max(epoch.length, known.get(epoch.writer, Length()))
        if epoch.length.entries:
            break
        number -= 1
        epoch = read(number) if number >= 0 else None
    return known


def _read(store: Store, name: str, owner: str, number: int) -> _Epoch | None:
    key = _key(name, owner, number)
    return store.parse(
        key, lambda value: _UNWRITTEN if value == EMPTY else _Epoch(*epoch_from_json(key, value))
    )


def _key(name: str, owner: str, number: int) -> str:
    return f"{name}.{owner}.turn.{number}" if owner else f"{name}.turn.{number}"
