"""
One task's ledger: its tries' journals, read as one history, written by the present try alone.

Each opening of a ledger is a writer of its own (``TRY-TOKEN``, or ``OWNER.TRY-TOKEN`` where several map
indexes share the ledger) with a journal that nobody else writes: an old try that still runs cannot write over
what its successor wrote, nor can a try that is started twice. Only the thread that opened a ledger uses it.

**Crash windows.** Before a write returns, the entry may or may not be there: an intent that is not there was
not acted on, one that is there but was not acted on is in doubt and found *not taken*. Between an answer and
its settlement the messages are in doubt and found *taken*. Between the check of the owner and the first byte
of a request another try may begin: it sees the intent and waits until the request must be over.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import OutcomeUnknownError, ReplacedError, lay_out
from airflow_provider_p2psms.ledger.digest import Digests
from airflow_provider_p2psms.ledger.exclusive import Epochs, known_lengths
from airflow_provider_p2psms.ledger.history import History, OpenIntent, Receipt, build_history, open_intent
from airflow_provider_p2psms.ledger.journal import Journal, Reader, head_key, is_old
from airflow_provider_p2psms.ledger.records import (
    MOST_DIGESTS,
    MOST_IDS,
    MOST_JOURNALS,
    UNSETTLED,
    Claim,
    Completion,
    Entry,
    Intent,
    Length,
    Opening,
    Settlement,
    Witness,
    head_to_json,
    pack_digests,
    pack_ids,
)
from airflow_provider_p2psms.ledger.stores import Store, epochs_in, writers_in

__all__ = ["History", "Ledger", "OpenIntent", "Receipt", "owner_of", "read_history"]


class Ledger:
    """
    The journal of one try, and the history of those before it.

    :param name: the ledger's name among the store's keys; a resend word has one of its own.
    :param try_number: Airflow's, from 1.
    :param owner: the map index where several share the ledger; a try replaces only those of its owner.
    :param clock: seconds that pass evenly.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        try_number: int = 1,
        owner: str = "",
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._store, self._name, self._try_number, self._owner = store, name, try_number, owner
        self._writer = f"{owner}." * bool(owner) + f"{try_number}-{token_hex(6)}"
        self._journal = Journal(store, name, self._writer)
        self._epochs = Epochs(
            store, name=name, owner=owner, writer=self._writer, refuse=self._refuse_newer, clock=clock
        )
        self._others = list[str]()
        self._intents = self._witnesses = 0

    def open(self, *, must_exist: bool) -> History:
        """
        Begin this try: take the ledger over from earlier tries, and read what they left.

        :param must_exist: whether a later try that finds nothing is to be refused.
        :raises LedgerError: the store cannot be read or written, or what earlier tries wrote is damaged.
        :raises OutcomeUnknownError: an earlier try must have left a ledger, and there is none.
        :raises ReplacedError: a newer try has begun already.
        """
        keys = self._store.keys(self._name)
        own = self._own(writers_in(self._name, keys))
        # An epoch without a journal is of a try that died before it could send anything.
        begun = own or epochs_in(self._name, self._owner, keys)
        if must_exist and self._try_number > 1 and not begun:
            raise self._nothing_there()
        reader = Reader(self._store, self._name)
        # Taken over first, then read: an old try writes its intent first and then finds out whether it is
        # the owner, so that one of the two sees the other.
        writers, known = writers_in(self._name, keys), dict[str, Length]()
        if not self._store.fences:
            known = self._take_epoch(own, reader)
            writers = writers_in(self._name, self._store.keys(self._name)) - {self._writer}
            self._write_tombstones({*self._own(writers), *known})
        journals = read_journals(writers, known, self._store, reader)
        self._begin(journals)
        return build_history(journals, is_own=self._own(journals))

    def is_owner(self) -> bool:
        """
        Whether this try may still send; asked when its intents are durable and before a request leaves.

        The store's own fence makes the question needless.
        """
        if self._store.fences:
            return True
        if self._epochs.is_exclusive:
            return self._epochs.take_next(self._journal.length)
        return self._store.read(self._tombstone(self._writer)) is None

    def intend(
        self,
        digests: Digests,
        *,
        sender: str,
        at: float,
        until: float,
        gateway: str = "",
        account: str = "",
        offset: float = 0.0,
        is_scheduled: bool = False,
        is_witness: bool = False,
    ) -> list[OpenIntent]:
        """
        Note that these messages are about to leave in one request; durable after ``flush``.

        :return: what there is to settle: an intent for every 2,000 messages.
        """
        noted = []
        for some in digests.pieces(MOST_DIGESTS):
            packed = pack_digests(some)
            who = gateway, account, offset or 0
            intent = Intent(self._intents, at, until, sender, packed, *who, is_scheduled, is_witness)
            self._intents += 1
            self._journal.append(intent)
            noted.append(open_intent(self._writer, intent, some))
        return noted

    def settle(
        self,
        doubts: Sequence[OpenIntent],
        digests: Digests,
        ids: Sequence[int],
        *,
        at: float = 0.0,
        offset: float = 0.0,
    ) -> None:
        """
        Note the results of the messages of intents; durable after ``flush``.

        :param digests: the messages whose results are known; all others stay in doubt.
        :param ids: their outbox ids; ``NOT_TAKEN`` for *certainly not taken*, ``ABSENT`` for *believed not
            taken, because a report did not show it*, ``UNSETTLED`` for no result.
        :param at: when the answer came that gave the ids, in Unix seconds; 0 where a report did.
        :param offset: the gateway's clock minus ours then, in seconds.
        """
        intended = Digests.of(doubt.digests.packed for doubt in doubts)
        if intended != digests:  # seldom: else they are the same messages in the same order
            by_digest = dict(zip(digests, ids, strict=True))
            ids = [by_digest.get(digest, UNSETTLED) for digest in intended]
        first = 0
        for doubt in doubts:
            settled = pack_ids(ids[first : first + len(doubt.digests)])
            first += len(doubt.digests)
            self._journal.append(Settlement(doubt.writer, doubt.number, settled, at or 0, offset or 0))

    def claim(
        self,
        doubts: Sequence[OpenIntent],
        *,
        over: float,
        said_taken: bool = False,
        answer_ids: Sequence[int] = (),
    ) -> None:
        """
        Note that the request of these intents is over, and what its answer said; durable after ``flush``.

        :param over: since when, in Unix seconds.
        :param said_taken: whether the gateway said that it took the request.
        :param answer_ids: the ids of an answer that did not add up.
        """
        for doubt in doubts:
            for start in range(0, max(len(answer_ids), 1), MOST_IDS):
                ids = answer_ids[start : start + MOST_IDS]
                packed = pack_ids(ids) if ids else ""
                self._journal.append(Claim(doubt.writer, doubt.number, over, said_taken, packed))

    def note_witness(self, outbox_id: int, *, at: float, cancelled: bool = False) -> None:
        """
        Note a scheduled message to the user's own number; durable after ``flush``.

        :param outbox_id: 0 when it is about to leave, or its id is not known.
        :param at: when it was about to leave, the same in all notes about it, also by later tries.
        :param cancelled: whether it is certain that it will not be sent.
        """
        self._journal.append(Witness(self._witnesses, at, outbox_id, cancelled))
        self._witnesses += 1

    def close(self, completion: Completion) -> None:
        """Note that all was accepted; durable after ``flush``."""
        self._journal.append(completion)

    def flush(self) -> None:
        """
        Make all that was noted durable.

        :raises LedgerError: it may or may not be written: do not act on it.
        """
        self._journal.flush()

    # --- the opening

    def _take_epoch(self, own: Iterable[str], reader: Reader) -> dict[str, Length]:
        """Take over from earlier tries of this owner; return what they are known to have written."""
        self._others = list(own)
        # A number is given anew when a run was deleted and made again: then its own is among the others.
        self._refuse_newer("")
        known = self._epochs.take(reader)
        if not self._epochs.is_exclusive:
            # Two tries that begin at once may both have this epoch: by their heads they see each other.
            head = head_key(self._name, self._writer)
            self._store.write(head, head_to_json(head, Length()))
        return known

    def _write_tombstones(self, writers: Iterable[str]) -> None:
        """Stop tries that take no epochs: of earlier versions, and where nothing is created exclusively."""
        for writer in writers:
            self._store.write(self._tombstone(writer), self._writer)

    def _refuse_newer(self, writer: str) -> None:
        """Stop here if a newer try has begun."""
        self._others += [writer] * bool(writer)
        numbers = {_try_number(other) for other in self._others}
        if self._try_number < max(numbers, default=0) and self._try_number not in numbers:
            raise ReplacedError("A newer try of this task has begun; this one sends nothing.")

    def _begin(self, journals: Mapping[str, Sequence[Entry]]) -> None:
        """Write the journal's opening, which names those that no other one names."""
        named = _named(journals)
        saw = {
            writer: len(entries)
            for writer, entries in journals.items()
            if len(entries) > named.get(writer, 0)
        }
        at, names = time.time(), list(saw)
        for start in range(0, max(len(names), 1), MOST_JOURNALS):
            some = {writer: saw[writer] for writer in names[start : start + MOST_JOURNALS]}
            self._journal.append(Opening(at, some))
            self._journal.flush()
        self._store.register(self._name, self._writer)

    def _own(self, writers: Iterable[str]) -> set[str]:
        return {writer for writer in writers if owner_of(writer) == self._owner}

    def _tombstone(self, writer: str) -> str:
        return f"{self._name}.{writer}.replaced"

    def _nothing_there(self) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            lay_out(
                f"Try {self._try_number} finds no ledger of an earlier try. It sends nothing.",
                "It is not known what was sent: the ledger was deleted, or is kept elsewhere, or that try "
                "died before it began one.",
                "On Airflow 3.4 a clear deletes it, unless “Keep task state and resume” is ticked.",
                options=(
                    "If it is kept elsewhere, let [p2psms] ledger_path name storage that all workers share.",
                    "Else look at the gateway's outbox.",
                    'If nothing was sent, clear the task with on_in_doubt="resend" or resend="WORD".',
                    "If all was sent, mark the task as successful.",
                ),
            )
        )


def read_history(store: Store, name: str) -> tuple[History, dict[str, list[Entry]]]:
    """
    Read a ledger without taking part in it: its history, and the entries of its journals by their writers.

    :raises LedgerError: it cannot be read, or it is damaged.
    """
    keys = store.keys(name)
    journals = read_journals(
        writers_in(name, keys), known_lengths(store, name, keys), store, Reader(store, name)
    )
    return build_history(journals, is_own=set(journals)), journals


def read_journals(
    writers: set[str], known: Mapping[str, Length], store: Store, reader: Reader
) -> dict[str, list[Entry]]:
    """
    Read journals, in the order of their owners and tries.

    :param writers: those of which there are records.
    :param known: what journals held, as epochs say; those that openings name are read, too.
    """
    journals, left = dict[str, list[Entry]](), {writer: Length() for writer in writers} | dict(known)

    def read(writer: str) -> list[Entry]:
        # A try of format 1 in Airflow's store is on the list before it has written anything.
        return reader.read(writer, least=left[writer], is_there=writer in writers and not is_old(writer))

    while left:
        journals |= zip(left, store.each(read, left), strict=True)
        left = {
            writer: Length(0, entries)
            for writer, entries in _named(journals).items()
            if len(journals.get(writer, ())) < entries
        }
    return {writer: journals[writer] for writer in sorted(journals, key=_order) if journals[writer]}


def _named(journals: Mapping[str, Sequence[Entry]]) -> dict[str, int]:
    """Return which journals the openings of others name, and how many entries those had at least."""
    named = dict[str, int]()
    for entries in journals.values():
        for entry in entries:
            if isinstance(entry, Opening):
                named |= {writer: max(count, named.get(writer, 0)) for writer, count in entry.saw.items()}
    return named


def owner_of(writer: str) -> str:
    """Return the owner of a journal: a map index, or "" in a ledger that is not shared."""
    return writer.rpartition(".")[0]


def _try_number(writer: str) -> int:
    return int(writer.rpartition(".")[2].partition("-")[0])


def _order(writer: str) -> tuple[str, int, str]:
    return owner_of(writer), _try_number(writer), writer
