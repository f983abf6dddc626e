"""
Which ledgers a send keeps: the present one, and those in which earlier versions or settings have written.

All are opened before anything else, are read as one history, and each is written where its intents lie.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.choices import OnInDoubt
from airflow_provider_p2psms.errors import LedgerError, OutcomeUnknownError, lay_out
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digester, Digests
from airflow_provider_p2psms.ledger.ledger import History, Ledger, OpenIntent, owner_of, read_history
from airflow_provider_p2psms.ledger.records import MOST_DIGESTS
from airflow_provider_p2psms.ledger.stores import Store
from airflow_provider_p2psms.sending.machine import Item, Stage

log = logging.getLogger(__name__)

# A worker's clock that nobody has compared is not farther off.
_MOST_CLOCK_ERROR_S = 900.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger's records lie; ``owner`` is the map index where a task's map indexes share it."""

    store: Store = field(repr=False)
    name: str = "p2psms"
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRules:
    """
    Which ledger a send keeps, and what it makes of what is in doubt.

    :param store: where its records lie; a send never shares ``store`` and ``name`` with another, except that
        the map indexes of a task may, each as an ``owner`` of its own.
    :param scope: what the send is, e.g. its task and run; mixed into the digests.
    :param old_scope: the scope in ledgers of format 1, where that was another one.
    :param try_number: from 1.
    :param must_exist: whether an earlier try must have left records (see ``Ledger.open``).
    :param others: other places where earlier tries may have written.
    :param is_chunk: whether this is one of several ledgers of a mapped task: then rows of another chunk are
        refused.
    :param report_lag_s: the user's word that the gateway's reports show everything after that long.
    """

    store: Store = field(repr=False)
    name: str = "p2psms"
    owner: str = ""
    scope: str = ""
    old_scope: str | None = None
    try_number: int = 1
    must_exist: bool = False
    others: Sequence[Place] = ()
    is_chunk: bool = False
    on_in_doubt: OnInDoubt = "reconcile"
    report_lag_s: float | None = None

    def open(self) -> "OpenLedger":
        """
        Begin this try in the ledger, before anything that may fail.

        :raises LedgerError: a store cannot be read or written, or a record is damaged.
        :raises OutcomeUnknownError: an earlier try must have left a ledger, and there is none.
        :raises ReplacedError: a newer try has begun already.
        """
        others = [place for place in self.others if place.store.keys(place.name)]
        main = Ledger(self.store, name=self.name, try_number=self.try_number, owner=self.owner)
        history = main.open(must_exist=self.must_exist and not others)
        if not others:
            return OpenLedger(self, main, history)
        ledgers = {}
        for place in others:
            ledger = Ledger(place.store, name=place.name, try_number=self.try_number, owner=place.owner)
            theirs = ledger.open(must_exist=False)
            ledgers[ledger] = {doubt.writer for doubt in theirs.doubts}
            history = _merge(history, theirs)
        return OpenLedger(self, JoinedLedger(main, ledgers), history)


@dataclass(frozen=True, slots=True)
class OpenLedger:
    """A ledger that was opened, and what earlier tries left in it."""

    rules: LedgerRules
    ledger: "Ledger | JoinedLedger"
    history: History

    def open(self) -> "OpenLedger":
        """Return itself: a send opens its ledger unless its caller has done so."""
        return self

    def own_ids(self) -> list[int]:
        """
        Return the outbox ids of what earlier tries know to be accepted, in the order of the ledger.

        Nothing where the map indexes of a task share the ledger: it does not say whose messages they are.
        """
        return [] if self.rules.owner else list(dict.fromkeys(self.history.accepted.values()))

    def ids_of_map_indexes(self, *, doubtful: AbstractSet[bytes]) -> set[int]:
        """
        Return the outbox ids that all map indexes of the task have by now, where they share the ledger.

        They send meanwhile, and their records in the gateway's reports are not to be taken for what is in
        doubt.

        :param doubtful: messages in doubt. If another index has sent one of them, too, that record is
            evidence: its id is left out.
        """
        if not self.rules.owner:
            return set()
        try:
            history, _ = read_history(self.rules.store, self.rules.name)
        except LedgerError as err:
            log.info("The ledger could not be read again: %s", err.headline)
            return set()
        evidence = {outbox_id for digest, outbox_id in history.accepted.items() if digest in doubtful}
        return set(history.accepted.values()) - evidence

    def with_report_lag(self, report_lag_s: float | None) -> "OpenLedger":
        """Return it with the connection's report lag, unless the task has one."""
        if self.rules.report_lag_s is not None:
            return self
        return replace(self, rules=replace(self.rules, report_lag_s=report_lag_s))

    def digester(self, *, line: str, distinct: bool) -> Digester:
        """Return what digests this send's messages, its line in canonical form."""
        return Digester(scope=self.rules.scope, sender=line, distinct=distinct)

    def older_digester(self, *, sender: str, distinct: bool) -> Digester | None:
        """Return what digests messages as ledgers of format 1 do; ``None`` where there is none."""
        if not self.history.has_old:
            return None
        scope = self.rules.scope if self.rules.old_scope is None else self.rules.old_scope
        return Digester(scope=scope, sender=sender, distinct=distinct)

    def doubts(self, own: Callable[[bytes], bool]) -> list[OpenIntent]:
        """
        Return the doubts that this try has to settle.

        Another map index may be at work: of its doubts only those count whose rows are among ours now.

        :param own: whether a message is among this try's rows.
        """
        still = (
            doubt if owner_of(doubt.writer) == self.rules.owner else doubt.only(map(own, doubt.digests))
            for doubt in self.history.doubts
        )
        return list(filter(None, still))


class JoinedLedger:
    """
    Several ledgers as one: new intents go into the first, all else to where the intent lies.

    :param others: the other ledgers, each with the writers of its open intents.
    """

    def __init__(self, main: Ledger, others: Mapping[Ledger, AbstractSet[str]]) -> None:
        self._main, self._others = main, others
        self.intend, self.close, self.note_witness = main.intend, main.close, main.note_witness

    def is_owner(self) -> bool:
        """Whether this try may still send."""
        return self._main.is_owner() and all(ledger.is_owner() for ledger in self._others)

    def settle(
        self,
        doubts: Sequence[OpenIntent],
        digests: Digests,
        ids: Sequence[int],
        *,
        at: float = 0.0,
        offset: float = 0.0,
    ) -> None:
        """Note what came of the messages of intents."""
        for ledger, theirs in self._by_ledger(doubts):
            ledger.settle(theirs, digests, ids, at=at, offset=offset)

    def claim(
        self,
        doubts: Sequence[OpenIntent],
        *,
        over: float,
        said_taken: bool = False,
        answer_ids: Sequence[int] = (),
    ) -> None:
        """Note that the request of intents is over."""
        for ledger, theirs in self._by_ledger(doubts):
            ledger.claim(theirs, over=over, said_taken=said_taken, answer_ids=answer_ids)

    def flush(self) -> None:
        """Make all that was noted durable."""
        for ledger in (*self._others, self._main):
            ledger.flush()

    def _by_ledger(self, doubts: Sequence[OpenIntent]) -> Iterable[tuple[Ledger, list[OpenIntent]]]:
        ledgers = {writer: ledger for ledger, writers in self._others.items() for writer in writers}
        theirs: dict[Ledger, list[OpenIntent]] = {}
        for doubt in doubts:
            theirs.setdefault(ledgers.get(doubt.writer, self._main), []).append(doubt)
        return theirs.items()


def inherited_items(
    doubts: Iterable[OpenIntent],
    rows: dict[bytes, Batch],
    history: History,
    *,
    offset_s: float | None,
    latest: float,
) -> list[Item]:
    """
    Return what earlier tries left in doubt, an item a request.

    :param rows: the messages in doubt that the rows still hold, by their digests.
    :param offset_s: how far the gateway's clock is ahead of ours. The times of an intent are by the clock of
        the machine that wrote it.
    :param latest: when a request that leaves now would be over. None is over later. Where an intent was
        written before its gateway's clock was known, none is taken to be over before, unless it is much
        older.
    """
    requests: list[list[OpenIntent]] = []
    for doubt in sorted(doubts, key=lambda each: (each.writer, each.number)):
        before = requests[-1][-1] if requests else None
        # A large request has an intent for every 2,000 messages.
        if before and len(before.digests) == MOST_DIGESTS and _follows(doubt, before):
            requests[-1].append(doubt)
        else:
            requests.append([doubt])
    items, tried = [], history.absent | history.not_taken
    for theirs in requests:
        first = theirs[0]
        digests = [digest for doubt in theirs for digest in doubt.digests]
        # An offset of 0.0 is that of an intent before the gateway's first answer: it is not known.
        shift_s = first.offset - offset_s if first.offset and offset_s is not None else 0.0
        has_left_before = first.said_taken or not tried.isdisjoint(digests)
        since = history.first_at - (offset_s or 0.0) if has_left_before else math.inf
        over = (first.until if first.over is None else first.over) + shift_s
        is_clock_known = bool(first.offset) or first.over is not None or offset_s is None
        is_old = over < latest - _MOST_CLOCK_ERROR_S
        items.append(
            Item(
                batch=Batch.join(rows[digest] for digest in digests if digest in rows),
                doubts=theirs,
                stage=Stage.IN_DOUBT,
                at=first.at + shift_s,
                since=min(first.at + shift_s, since),
                over=min(over, latest) if is_clock_known or is_old else latest,
                said_taken=first.said_taken,
                answer_ids=first.answer_ids,
                is_inherited=True,
            )
        )
    return items


def _follows(doubt: OpenIntent, before: OpenIntent) -> bool:
    return (doubt.writer, doubt.number, doubt.at, doubt.over) == (
        before.writer,
        before.number + 1,
        before.at,
        before.over,
    )


def _merge(history: History, other: History) -> History:
    accepted = other.accepted | history.accepted
    return replace(
        history,
        accepted=accepted,
        not_taken=history.not_taken | other.not_taken,
        absent=history.absent | other.absent,
        doubts=[*_still_open(other.doubts, accepted), *_still_open(history.doubts, accepted)],
        completion=history.completion or other.completion,
        origins=history.origins | other.origins,
        receipts=sorted([*other.receipts, *history.receipts], key=lambda each: each.until),
        witnesses=[*other.witnesses, *history.witnesses],
        first_at=min(other.first_at, history.first_at),
        has_old=history.has_old or other.has_old,
    )


def _still_open(doubts: Iterable[OpenIntent], accepted: dict[bytes, int]) -> Iterable[OpenIntent]:
    still = (doubt.only(digest not in accepted for digest in doubt.digests) for doubt in doubts)
    return filter(None, still)


def check_chunk(
    rules: LedgerRules, history: History, *, known: Callable[[bytes], bool], has_new: bool
) -> None:
    """
    Refuse the rows of another chunk: they may have been sent under another map index.

    :param known: whether a message of the ledger is among the rows.
    :param has_new: whether rows are there that the ledger does not know.
    :raises OutcomeUnknownError: it is another chunk.
    """
    if not (rules.is_chunk and has_new):
        return
    of_ledger = [*history.accepted, *(each for doubt in history.doubts for each in doubt.digests)]
    strangers = sum(digest != NO_DIGEST and not known(digest) for digest in of_ledger)
    if strangers:
        raise OutcomeUnknownError(
            lay_out(
                "The rows were cut into other chunks than in earlier tries.",
                f"This map index sent {strangers:,} messages before that are not among its rows now, and its "
                "rows hold messages that it does not know. Another map index may have sent them: in "
                "Airflow's task state store each has a ledger of its own.",
                "This try sent nothing.",
                options=(
                    "Cut the rows as before (sort them: the same rows then give the same chunks).",
                    "For later runs, set [p2psms] ledger_path: then all map indexes share one ledger.",
                ),
            )
        )
