"""What earlier tries left: their journals' entries, made into one history. Knows no store."""

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digests
from airflow_provider_p2psms.ledger.journal import is_old
from airflow_provider_p2psms.ledger.records import (
    ABSENT,
    FORMAT,
    NOT_TAKEN,
    OLD_FORMAT,
    UNSETTLED,
    Claim,
    Completion,
    Entry,
    Intent,
    Settlement,
    Witness,
)

# Ids for the calibration of the report's clock: of so many settlements, two each.
_MOST_RECEIPTS = 4


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """
    Messages of an intent that nothing has settled: they may have been taken between ``at`` and ``until``.

    ``writer`` and ``number`` name the intent; ``digests`` are its messages, in its order, and ``NO_DIGEST``
    for those that are settled. ``gateway`` and ``account`` name who may have taken them; both are empty in a
    ledger of format 1, whose digests are of another form, too. ``offset`` is the gateway's clock minus ours
    when the intent was written, in seconds. ``over`` is when the request was known to be over, ``None``
    if it is not; ``said_taken`` and ``answer_ids`` are what its answer said.
    """

    writer: str
    number: int
    at: float
    until: float
    sender: str
    digests: Digests = field(repr=False)
    gateway: str = ""
    account: str = ""
    offset: float = 0.0
    is_scheduled: bool = False
    is_witness: bool = False
    over: float | None = None
    said_taken: bool = False
    answer_ids: tuple[int, ...] = ()
    format: int = FORMAT

    def only(self, are_open: Iterable[bool]) -> "OpenIntent | None":
        """Return it with those of its messages that are still open; ``None`` if none is."""
        each = zip(self.digests, are_open, strict=True)
        digests = [digest if is_open else NO_DIGEST for digest, is_open in each]
        return None if set(digests) == {NO_DIGEST} else replace(self, digests=Digests.of(digests))


class Receipt(NamedTuple):
    """
    An outbox id that an answer gave.

    Its request left at ``at`` at the earliest and its answer was settled at ``until``, in Unix seconds of our
    clock; ``offset`` is the gateway's clock minus ours.
    """

    outbox_id: int
    at: float
    until: float
    offset: float
    is_scheduled: bool


@dataclass(slots=True)
class History:
    """
    What earlier tries left, of all owners of the ledger.

    ``accepted`` holds the ids of messages by their digests, ``not_taken`` the messages that were about to
    leave and were certainly not taken, ``absent`` those that are believed not taken because a report did not
    show them, ``doubts`` what is open, and ``completion`` the end of a send of this owner that was accepted
    whole. ``origins`` are gateway and account of all intents that name one and had a message accepted or
    open. ``receipts`` are a few of the latest ids, the newest last. ``witnesses`` are id and time of those
    that are not cancelled; the id is 0 where it is not known. ``first_at`` is when the first intent was
    written, in Unix seconds by the gateway's clock as far as it was known then. ``has_old`` says that some
    intents are of format 1.
    """

    accepted: dict[bytes, int] = field(default_factory=dict)
    not_taken: set[bytes] = field(default_factory=set)
    absent: set[bytes] = field(default_factory=set)
    doubts: list[OpenIntent] = field(default_factory=list)
    completion: Completion | None = None
    origins: set[tuple[str, str]] = field(default_factory=set)
    receipts: list[Receipt] = field(default_factory=list)
    witnesses: list[tuple[int, float]] = field(default_factory=list)
    first_at: float = math.inf
    has_old: bool = False

    @property
    def has_sends(self) -> bool:
        """Whether an earlier try sent messages, or was about to."""
        return bool(self.accepted or self.not_taken or self.absent or self.doubts or self.completion)


def build_history(journals: Mapping[str, Iterable[Entry]], *, is_own: Container[str]) -> History:
    """
    Make one history of several journals.

    :param journals: entries by writer, in the order of their tries.
    :param is_own: the writers whose completions count.
    :raises LedgerError: one speaks of an intent that no journal holds.
    """
    entries = [(writer, entry) for writer, theirs in journals.items() for entry in theirs]
    intents = {
        (writer, entry.number): open_intent(writer, entry, entry.unpack())
        for writer, entry in entries
        if isinstance(entry, Intent)
    }
    history, still_open = History(), dict(intents)
    sent, receipts = list[OpenIntent](), list[Receipt]()
    for writer, entry in entries:
        match entry:
            case Settlement() | Claim() if (entry.writer, entry.number) not in intents:
                raise LedgerError(
                    "The ledger settles an intent that it does not hold: a record is missing. Nothing was "
                    "sent."
                )
            case Settlement(writer=of, number=number):
                intent, ids = intents[of, number], entry.unpack()
                still_open[of, number] = _settled(history, intent, still_open[of, number], ids)
                if max(ids, default=0) > 0:
                    sent.append(intent)
                    receipts += _receipts(intent, entry, ids)
            case Claim(writer=of, number=number):
                still_open[of, number] = _claimed(still_open[of, number], entry)
            case Completion() if writer in is_own:
                history.completion = entry
    history.doubts = _open_doubts(history, list(still_open.values()))
    history.origins = {(each.gateway, each.account) for each in (*sent, *history.doubts)} - {("", "")}
    history.receipts = sorted(receipts, key=lambda receipt: receipt.until)[-2 * _MOST_RECEIPTS :]
    history.witnesses = _open_witnesses(entry for _, entry in entries if isinstance(entry, Witness))
    history.first_at = min((each.at + each.offset for each in intents.values()), default=math.inf)
    history.has_old = any(is_old(writer) for writer, _ in intents)
    return history


def open_intent(writer: str, entry: Intent, digests: Digests) -> OpenIntent:
    """Return an intent of a journal before anything is known of its result; ``digests`` are its own."""
    return OpenIntent(
        writer,
        entry.number,
        entry.at,
        entry.until,
        entry.sender,
        digests,
        entry.gateway,
        entry.account,
        entry.offset,
        entry.is_scheduled,
        entry.is_witness,
        format=OLD_FORMAT if is_old(writer) else FORMAT,
    )


def _settled(history: History, intent: OpenIntent, still_open: OpenIntent, ids: list[int]) -> OpenIntent:
    """Note in the history what a settlement says; return what stays open of its intent."""
    if len(ids) != len(intent.digests) or min(ids, default=0) < ABSENT:
        raise LedgerError(
            "The ledger settles more or fewer messages than it intended: a record was changed. Nothing was "
            "sent."
        )
    if min(ids, default=0) > NOT_TAKEN:  # as nearly always
        # Whatever another try believed of them: an id is what the gateway gave.
        history.accepted.update(zip(intent.digests, ids, strict=True))
        return replace(still_open, digests=Digests(bytes(len(intent.digests.packed))))
    digests, still = list(intent.digests), list(still_open.digests)
    for place, outbox_id in enumerate(ids):
        if outbox_id > NOT_TAKEN:
            history.accepted[digests[place]] = outbox_id
        elif outbox_id == UNSETTLED or still[place] == NO_DIGEST:
            continue
        elif outbox_id == NOT_TAKEN:
            history.not_taken.add(digests[place])
        else:
            history.absent.add(digests[place])
        still[place] = NO_DIGEST
    return replace(still_open, digests=Digests.of(still))


def _claimed(doubt: OpenIntent, claim: Claim) -> OpenIntent:
    ids = dict.fromkeys((*doubt.answer_ids, *claim.unpack()))
    return replace(
        doubt,
        over=max(claim.over, doubt.over or claim.over),
        said_taken=doubt.said_taken or claim.said_taken,
        answer_ids=tuple(ids),
    )


def _open_doubts(history: History, doubts: list[OpenIntent]) -> list[OpenIntent]:
    """
    Return what is in question, each message once: with the last request that may carry it.

    A later try makes an intent for a message that an earlier one's open intent names in two cases: it was
    told to send it again, or the earlier one was written after that try had been replaced, so that no request
    followed. Were it in question twice, it would be looked for twice, found once, and sent again.
    """
    still_open, seen = list[OpenIntent](), set[bytes]()
    for doubt in sorted(doubts, key=lambda doubt: doubt.until, reverse=True):
        if doubt.digests.packed.count(0) == len(doubt.digests.packed):  # nearly always, and in one step
            continue
        are_open = (digest not in seen and digest not in history.accepted for digest in doubt.digests)
        if still := doubt.only(are_open):
            seen.update(still.digests)
            still_open.append(still)
    return still_open[::-1]


def _receipts(intent: OpenIntent, settlement: Settlement, ids: list[int]) -> list[Receipt]:
    """Return the first and the last id that an answer gave; none for what a report settled."""
    if not settlement.at:
        return []
    first, last = (next(outbox_id for outbox_id in some if outbox_id > 0) for some in (ids, reversed(ids)))
    return [
        Receipt(outbox_id, intent.at, settlement.at, settlement.offset, intent.is_scheduled)
        for outbox_id in dict.fromkeys((first, last))
    ]


def _open_witnesses(entries: Iterable[Witness]) -> list[tuple[int, float]]:
    """Return those that no entry cancels: a witness is known by its time, and by its id once there is one."""
    ids, cancelled = dict[float, int](), set[float]()
    cancelled_ids = set[int]()
    for entry in entries:
        ids[entry.at] = entry.id or ids.get(entry.at, 0)
        if entry.cancelled:
            cancelled.add(entry.at)
            cancelled_ids.add(entry.id)
    cancelled_ids.discard(0)
    return [(id_, at) for at, id_ in ids.items() if at not in cancelled and id_ not in cancelled_ids]
