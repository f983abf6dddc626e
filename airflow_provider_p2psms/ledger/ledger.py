"""
One task's ledger: its tries' journals, read as one history, written by the present try alone.

Each opening of a ledger has a slot of its own (``TRY-TOKEN``) and writes records that nobody else writes
(``NAME.SLOT.0``, ``.1``, …): an old try that still runs cannot write over what its successor wrote, nor can a
try that is started twice. Only the thread that opened a ledger uses it.

**Crash windows.** Before a write returns, the entry may or may not be there: an intent that is not there was
not acted on, one that is there but was not acted on is in doubt and found *not taken*. Between an answer and
its settlement the messages are in doubt and found *taken*. Between the check of the owner and the first byte
of a request another try may begin: it sees the intent and waits until the request must be over.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from secrets import token_hex

from airflow_provider_p2psms.errors import LedgerError, OutcomeUnknownError, ReplacedError
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digests
from airflow_provider_p2psms.ledger.records import (
    MOST_BYTES,
    MOST_DIGESTS,
    NOT_TAKEN,
    UNSETTLED,
    Closing,
    Entry,
    Intent,
    Settlement,
    from_json,
    pack_digests,
    pack_ids,
    size,
    to_json,
)
from airflow_provider_p2psms.ledger.stores import Store


@dataclass(frozen=True, slots=True)
class Doubt:
    """
    Messages of an intent that nothing has settled: they may have been taken between ``at`` and ``until``.

    ``slot`` and ``number`` name the intent; ``digests`` are its messages, in its order, and ``NO_DIGEST`` for
    those that are settled.
    """

    slot: str
    number: int
    at: float
    until: float
    sender: str
    digests: Digests = field(repr=False)


@dataclass(slots=True)
class History:
    """
    What earlier tries left.

    ``accepted`` holds the ids of messages by their digests, ``not_taken`` the messages that were about to
    leave and were certainly not taken, ``doubts`` what is open, and ``closing`` the end of a send that was
    accepted whole.
    """

    accepted: dict[bytes, int] = field(default_factory=dict)
    not_taken: set[bytes] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)
    closing: Closing | None = None


class Ledger:
    """
    The journal of one try, and the history of those before it.

    :param name: the ledger's name among the store's keys; a resend word has one of its own.
    :param try_number: Airflow's, from 1.
    """

    def __init__(self, store: Store, *, name: str, try_number: int = 1) -> None:
        self._store, self._name, self._try_number = store, name, try_number
        self._slot = f"{try_number}-{token_hex(4)}"
        # All segments before the first of these are durable and full; the last of these is being filled.
        self._segments: list[list[Entry]] = [[]]
        self._first_segment = 0
        self._size = 0
        self._unwritten = False
        self._intents = 0

    def open(self, *, must_exist: bool) -> History:
        """
        Begin this try: take the ledger over from earlier tries, and read what they left.

        :param must_exist: whether a later try that finds nothing is to be refused.
        :raises LedgerError: the store cannot be read or written.
        :raises OutcomeUnknownError: an earlier try must have left a ledger, and there is none.
        :raises ReplacedError: a newer try has begun already.
        """
        if (
            must_exist
            and self._try_number > 1
            and not (self._store.remembers or self._store.slots(self._name))
        ):
            raise OutcomeUnknownError(
                f"This is try {self._try_number}, and no earlier try has left a ledger where it must be: it "
                "is on another machine, or deleted, or that try died before it began one. Nobody knows what "
                "was sent, and nothing was sent now. Let [p2psms] ledger_path name storage that all workers "
                "share. To send without the ledger, look at the gateway's outbox first; then clear the task "
                'with on_in_doubt="resend".'
            )
        others = self._store.announce(self._name, self._slot)
        # Replaced first, then read: an old try writes its intent first and then reads whether it was
        # replaced, so that one of the two sees the other.
        self._replace(others)
        return self._read(others)

    def is_owner(self) -> bool:
        """Whether this try may still send. The store's own fence makes the question needless."""
        return self._store.fences or self._store.read(self._mark(self._slot)) is None

    def intend(self, digests: Digests, *, sender: str, at: float, until: float) -> list[Doubt]:
        """
        Note that these messages are about to leave in one request; durable after ``flush``.

        :return: what there is to settle: an intent for every 2,000 messages.
        """
        noted = []
        for some in digests.pieces(MOST_DIGESTS):
            doubt = Doubt(self._slot, self._intents, at, until, sender, some)
            self._append(Intent(doubt.number, at, until, sender, pack_digests(some)))
            self._intents += 1
            noted.append(doubt)
        return noted

    def settle(self, doubts: Sequence[Doubt], digests: Digests, ids: Sequence[int]) -> None:
        """
        Note what came of the messages of intents; durable after ``flush``.

        :param digests: the messages of which it is known what came; all else stays in doubt.
        :param ids: their outbox ids, and 0 for *certainly not taken*.
        """
        intended = Digests.of(doubt.digests.packed for doubt in doubts)
        if intended != digests:  # seldom: else they are the same messages in the same order
            by_digest = dict(zip(digests, ids, strict=True))
            ids = [by_digest.get(digest, UNSETTLED) for digest in intended]
        each = iter(ids)
        for doubt in doubts:
            settled = islice(each, len(doubt.digests))
            self._append(Settlement(doubt.slot, doubt.number, pack_ids(settled)))

    def close(self, closing: Closing) -> None:
        """Note that all was accepted; durable after ``flush``."""
        self._append(closing)

    def flush(self) -> None:
        """
        Make all that was noted durable.

        :raises LedgerError: it may or may not be written: do not act on it.
        """
        if not self._unwritten:
            return
        self._store.write_all(
            {
                self._key(self._slot, self._first_segment + place): to_json(entries)
                for place, entries in enumerate(self._segments)
            }
        )
        self._first_segment += len(self._segments) - 1
        self._segments = self._segments[-1:]
        self._unwritten = False

    # --- the journal

    def _append(self, entry: Entry) -> None:
        length = size(entry)
        if self._segments[-1] and self._size + length > MOST_BYTES:
            self._segments.append([])
            self._size = 0
        self._segments[-1].append(entry)
        self._size += length
        self._unwritten = True

    def _key(self, slot: str, segment: int) -> str:
        return f"{self._name}.{slot}.{segment}"

    def _mark(self, slot: str) -> str:
        return f"{self._name}.{slot}.replaced"

    def _replace(self, others: list[str]) -> None:
        """Stop other tries, where the store does not do it; stop here if they are newer."""
        if self._store.fences:
            return
        numbers = {int(slot.partition("-")[0]) for slot in others}
        # A number is given anew when a run was deleted and made again: then its own is among the others.
        if self._try_number < max(numbers, default=0) and self._try_number not in numbers:
            raise ReplacedError("A newer try of this task has begun; this one sends nothing.")
        for slot in others:
            self._store.write(self._mark(slot), self._slot)

    def _journal(self, slot: str) -> Iterator[Entry]:
        segment = 0
        while (record := self._store.read(self._key(slot, segment))) is not None:
            yield from from_json(record)
            segment += 1

    def _read(self, slots: Iterable[str]) -> History:
        history, doubts, settlements = History(), dict[tuple[str, int], Doubt](), list[Settlement]()
        for slot in slots:
            for entry in self._journal(slot):
                match entry:
                    case Intent():
                        doubts[slot, entry.number] = Doubt(
                            slot, entry.number, entry.at, entry.until, entry.sender, entry.unpack()
                        )
                    case Settlement():
                        settlements.append(entry)
                    case Closing():
                        history.closing = entry
        for settlement in settlements:
            doubts[settlement.slot, settlement.number] = _settled(history, doubts, settlement)
        history.doubts = _open_doubts(history, list(doubts.values()))
        return history


def _open_doubts(history: History, doubts: list[Doubt]) -> list[Doubt]:
    """
    Return what is in question, each message once: with the last request that may carry it.

    A later try makes an intent for a message that an earlier one's open intent names in two cases: it was
    told to send it again, or the earlier one was written after that try had been replaced, so that no request
    followed. Were it in question twice, it would be looked for twice, found once, and sent again.
    """
    still_open, seen = list[Doubt](), set[bytes]()
    for doubt in sorted(doubts, key=lambda doubt: doubt.until, reverse=True):
        still = [
            NO_DIGEST if digest in seen or digest in history.accepted else digest for digest in doubt.digests
        ]
        seen.update(still)
        if set(still) != {NO_DIGEST}:
            still_open.append(replace(doubt, digests=Digests.of(still)))
    return still_open[::-1]


def _settled(history: History, doubts: dict[tuple[str, int], Doubt], settlement: Settlement) -> Doubt:
    """Note in the history what a settlement says; return what stays open of its intent."""
    doubt = doubts.get((settlement.slot, settlement.number))
    if doubt is None:
        raise LedgerError("The ledger settles an intent that it does not hold: a record is missing.")
    still, ids = list(doubt.digests), settlement.unpack()
    if len(ids) != len(still):
        raise LedgerError("The ledger settles more or fewer messages than it intended: a record was changed.")
    if min(ids) > NOT_TAKEN and NO_DIGEST not in still:  # as nearly always
        history.accepted.update(zip(still, ids, strict=True))
        return replace(doubt, digests=Digests(NO_DIGEST * len(still)))
    for place, outbox_id in enumerate(ids):
        if outbox_id == UNSETTLED or still[place] == NO_DIGEST:
            continue
        if outbox_id == NOT_TAKEN:
            history.not_taken.add(still[place])
        else:
            history.accepted[still[place]] = outbox_id
        still[place] = NO_DIGEST
    return replace(doubt, digests=Digests.of(still))
