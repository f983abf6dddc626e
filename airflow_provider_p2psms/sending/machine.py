"""
What a send does next, and what it may believe: one pure state machine.

It knows no clock, thread, socket or store. ``next`` names the one thing to do now. The driver does it and
reports what came of it. The machine writes into the ledger (in memory, until the driver has flushed it) and
into the outcomes. So every order of events can be tried out, with two tries at once and a crash anywhere.

The rules, for each *item* (the messages of one request):

1. An intent is durable before its request leaves. It says when the request is over at the latest.
2. A request leaves within seconds of its intent, or the intent is taken back and written anew.
3. Where the store does not stop an old try, the owner is checked after the intent was written and before the
   request leaves.
4. Whether a message in doubt may leave again is decided in ``SendMachine._decide`` alone.
5. While a request is in doubt, one other batch may leave as its witness. Nothing else leaves.
6. The last batch leaves when all others are settled: else nothing would be left to be their witness.
7. Requests keep their distance, and none leaves while the gateway asks to wait.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import islice
from typing import Literal, NamedTuple

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.choices import OnInDoubt
from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
    UnreachableError,
    UnsettledError,
    lay_out,
)
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digests
from airflow_provider_p2psms.ledger.ledger import Ledger, OpenIntent
from airflow_provider_p2psms.ledger.records import ABSENT, NOT_TAKEN, UNSETTLED, Completion
from airflow_provider_p2psms.sending.outcomes import NOT_SENT, Outcome, Outcomes
from airflow_provider_p2psms.sending.spool import Request
from airflow_provider_p2psms.sending.times import Times

DUPLICATE_STATUS = 429
BUSY_STATUS = 503
# So often the request of an item may fail to leave in its time, or meet a busy gateway; then a later try may.
MOST_ROUNDS = 3
# So many intents are written ahead at most where requests end fast.
LARGEST_WINDOW = 32
# The newest answers are remembered as witnesses: as many as may overlap a request in doubt.
_MOST_RECEIPTS = 64

Decision = Literal["taken", "absent", "by_word", "person", "wait"]
# What a decision says of the messages that a poll did not show; nothing, where it is not named here.
_REST: dict[Decision, int] = {"absent": ABSENT, "by_word": NOT_TAKEN}


class Stage(IntEnum):
    """Where an item stands."""

    PLANNED = 0
    INTENDED = 1
    UNDER_WAY = 2
    IN_DOUBT = 3
    DONE = 4


@dataclass(frozen=True, slots=True)
class Write:
    """Make durable all that the ledger was given."""


@dataclass(frozen=True, slots=True)
class CheckOwner:
    """Find out whether this try is still the owner."""


@dataclass(frozen=True, slots=True)
class Post:
    """Send this item; its first byte leaves before ``start_by`` or never."""

    item: int
    start_by: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until one of the requests under way has ended, or until then."""

    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Ask:
    """Look for these items in the gateway's reports."""

    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SendWitness:
    """Schedule a message to the user's own number, as a witness for the reports."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until then."""

    until: float


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to do, or nothing more may be done."""


Step = Write | CheckOwner | Post | Await | Ask | SendWitness | Pause
Action = Step | End


@dataclass(slots=True)
class Item:
    """
    The messages of one request.

    ``batch`` is read from the spool for its ``request`` when needed, or is what this try's rows still have
    of an intent in doubt. ``doubts`` are its open intents: they name all messages of the request, also those
    whose rows have gone. ``at`` is the time of its intent, and ``since`` when some of its messages may have
    left for the first time. ``over`` is when the request is over, whatever happens. With ``said_taken`` the
    gateway has said that it took the request, and ``answer_ids`` are ids of an answer that did not add up.
    ``reason`` says why this try does not know the outcome.
    """

    request: Request | None = None
    batch: Batch = field(default_factory=Batch)
    doubts: list[OpenIntent] = field(default_factory=list)
    stage: Stage = Stage.PLANNED
    at: float = 0.0
    since: float = math.inf
    over: float = 0.0
    said_taken: bool = False
    answer_ids: tuple[int, ...] = ()
    is_inherited: bool = False
    reason: str = ""
    rounds: int = 0
    late: int = 0

    @property
    def digests(self) -> Digests:
        """The messages of the request in the order of its intents; ``NO_DIGEST`` where they are settled."""
        return Digests.of(doubt.digests.packed for doubt in self.doubts)

    @property
    def in_doubt(self) -> int:
        """How many messages of the request are not settled."""
        return sum(digest != NO_DIGEST for digest in self.digests)

    @property
    def is_scheduled(self) -> bool:
        """Whether the request in doubt is for a later time."""
        return any(doubt.is_scheduled for doubt in self.doubts)


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    One outbox id of an answer: a witness that the reports must show.

    The gateway took it between ``at`` and ``until``. ``recipients`` is how many it has; 0 if that is unknown.
    ``is_witness`` is a message to the user's own number, scheduled farther ahead than time zones differ.
    """

    outbox_id: int
    at: float
    until: float
    recipients: int = 0
    is_scheduled: bool = False
    is_witness: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one poll of the reports showed of an item.

    ``ids`` has one for each of ``Item.digests``, 0 where none was found. ``is_explained`` says that no other
    record can be one of its messages. ``held`` are places with an id that is not settled while others of the
    item wait: a later poll needs the record to explain those.
    """

    ids: Sequence[int]
    is_explained: bool = True
    held: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PollResult:
    """
    One poll of the reports.

    ``is_whole``: every record of the time in question was seen, all witnesses among them. ``as_of``: the
    reports show everything that was taken before then, because they show something that was taken later;
    ``as_of_scheduled`` is the same for scheduled messages, which may be listed later.
    """

    asked_at: float
    findings: dict[int, Finding]
    is_whole: bool = False
    as_of: float = -math.inf
    as_of_scheduled: float = -math.inf


class Settled(NamedTuple):
    """How many messages in doubt a poll proved to be taken, proved not to be, and left in doubt."""

    taken: int
    not_taken: int
    in_doubt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What a send keeps to.

    :param exchange_s: how long a request takes at most, from its first byte on.
    :param linger_s: how long a gateway may go on with a request after the connection has ended.
    :param fenced: whether the store stops a try that has a successor.
    :param gap_s: how far apart requests leave at least.
    :param report_lag_s: the user's word that the reports show everything after that long; ``None`` without.
    :param largest_window: for how many items intents are written ahead at most, where requests end fast.
    :param has_witness: whether a message to the user's own number may be scheduled as a witness.
    """

    times: Times = field(default_factory=Times)
    max_in_flight: int = 4
    exchange_s: float
    linger_s: float
    fenced: bool
    gap_s: float = 0.0
    on_in_doubt: OnInDoubt = "reconcile"
    report_lag_s: float | None = None
    largest_window: int = LARGEST_WINDOW
    has_witness: bool = False

    def over_by(self, at: float) -> float:
        """Return when a request whose intent has the time ``at`` is over at the latest."""
        return at + self.times.start_within_s + self.exchange_s + self.linger_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    What an intent says beside its messages: line, gateway and account, and the gateway's clock.

    ``offset_s`` gives how far that clock is ahead of ours, and ``is_scheduled`` whether a request that leaves
    now is for later.
    """

    line: str
    gateway: str = ""
    account: str = ""
    offset_s: Callable[[], float] = lambda: 0.0
    is_scheduled: Callable[[], bool] = lambda: False


class SendMachine:
    """
    One try's steps over its items: first what earlier tries left in doubt, then the batches of this one.

    ``failure`` says why it ended early. ``found`` counts messages of earlier tries that the reports showed,
    ``gone_ids`` are the outbox ids of those among them whose rows have gone, ``gone_accepted`` counts these
    messages, and ``gone_absent`` those that were not taken. ``completion`` is there once all messages are
    accepted.

    :param items: those in doubt first.
    :param absent: messages that left again already because the reports did not show them.
    :param tried: messages that were about to leave in an earlier try and were not taken.
    :param read: reads the messages of a request from the spool.
    :param receipts: answers to requests of earlier tries.
    :param first_at: when the first of all requests left.
    :param close: gives the ledger's last entry, by the number of this try's requests.
    """

    def __init__(
        self,
        items: list[Item],
        *,
        limits: Limits,
        ledger: Ledger,
        outcomes: Outcomes,
        origin: Origin,
        read: Callable[[Request], Batch],
        close: Callable[[int], Completion | None],
        absent: AbstractSet[bytes] = frozenset(),
        tried: AbstractSet[bytes] = frozenset(),
        receipts: Iterable[Receipt] = (),
        first_at: float = math.inf,
    ) -> None:
        self.items = items
        self.failure: P2PSMSError | None = None
        self.requests = self.found = 0
        self.gone_ids: list[int] = []
        self.gone_accepted = self.gone_absent = 0
        self.completion: Completion | None = None
        self._limits, self._times = limits, limits.times
        # Their times are by another try's clock: earlier and later than they say.
        skew_s = limits.times.skew_s
        widened = (replace(each, at=each.at - skew_s, until=each.until + skew_s) for each in receipts)
        self.receipts = deque(widened, _MOST_RECEIPTS)
        self._ledger, self._outcomes, self._origin = ledger, outcomes, origin
        self._read, self._make_completion = read, close
        self._absent, self._tried, self._first_at = set(absent), tried, first_at
        # A send may have thousands of items: none of the steps below looks at all of them.
        self._in_doubt = {number for number, item in enumerate(items) if item.stage is Stage.IN_DOUBT}
        self._intended, self._under_way = set[int](), set[int]()
        self._planned = len(items) - len(self._in_doubt)
        self._first_planned = len(self._in_doubt)
        self._window = limits.max_in_flight
        self._largest_window = max(limits.largest_window, limits.max_in_flight)
        self._next_send_at = 0.0
        self._owner_seen = False
        self._unwritten = self._is_urgent = False
        self._is_first_answer = True
        self._halted = self._ledger_lost = self._is_closed = False
        # Of the doubts: when to poll next, when something was learnt last, and which witness was called.
        self._poll_at, self._poll_every_s = 0.0, self._times.poll_every_s
        self._news_at = -math.inf
        self._has_polled = self._has_witness_left = self._has_sent_witness = False
        self._no_answer: P2PSMSError | None = None

    # --- what to do

    def next(self, now: float) -> Action:
        """Name the next thing to do; each call that is acted on is followed by what came of it."""
        if self._news_at == -math.inf:  # a try begins with all its patience
            self._news_at = now
        if (post := self._post_or_take_back(now)) is not None:
            return post
        if self._must_write(now):
            return Write()
        due = self._next_send_due(now)
        if self._under_way:
            return Await(due if due and len(self._under_way) < self._limits.max_in_flight else math.inf)
        if due:
            return Pause(due)
        if self._halted or not self._in_doubt:
            return End()
        return self._settle_doubts(now)

    def _post_or_take_back(self, now: float) -> Post | CheckOwner | None:
        for number in sorted(self._intended):
            item = self.items[number]
            paused = self._halted or (bool(self._in_doubt) and not self._has_witness_left)
            if paused or now > item.at + self._times.start_within_s:
                # Answers take longer than an intent lasts: those written ahead are written for nothing.
                self._window = self._window if paused else 0
                self._take_back(number)
            elif len(self._under_way) < self._limits.max_in_flight and now >= self._next_send_at:
                if not (self._limits.fenced or self._owner_seen):
                    return CheckOwner()
                self._move(number, Stage.UNDER_WAY)
                self._schedule_next_send(now)
                return Post(number, item.at + self._times.start_within_s)
        return None

    def _schedule_next_send(self, now: float) -> None:
        # A little late, and the next one catches up; else all would be slower than asked for.
        if gap_s := self._limits.gap_s:
            on_time = now - self._next_send_at < gap_s / 2
            self._next_send_at = (self._next_send_at if on_time else now) + gap_s

    def _must_write(self, now: float) -> bool:
        """Tell whether to write now, and note intents for what may leave next."""
        if self._ledger_lost:
            return False
        # One write for several requests: until half of the intents are used up, what came of them can wait,
        # and at the end until the last of them has ended.
        can_wait = bool(self._under_way) and not (self._halted or self._in_doubt or self._is_urgent)
        if can_wait and len(self._intended) > self._window // 2:
            return False
        intend = self._next_planned(self._free_slots(now))
        if intend:
            self._intend(intend, now)
        elif not (self._under_way or self._in_doubt):
            self._close()
        return bool(intend) or (self._unwritten and not can_wait)

    def _free_slots(self, now: float) -> int:
        """
        Return for how many items an intent may be written now.

        At first for those that leave at once. Then as many ahead as may be under way: requests that end
        together are followed at once by as many more, and what came of them is written while those are on
        their way. More if requests end fast, for then the ledger would be what they wait for. None whose turn
        comes too late for an intent.
        """
        if self._halted:
            return 0
        if self._in_doubt:
            return int(self._may_send_witness_batch(now))
        ahead = self._window if self._under_way else 0
        busy = len(self._intended) + len(self._under_way)
        room = self._limits.max_in_flight + ahead - busy
        if self._limits.report_lag_s is None:  # the last one is the witness of all others
            room = min(room, self._planned - (busy > 0 or self._planned > 1))
        ahead_s = now + self._times.start_within_s / 2 - max(self._next_send_at, now)
        if ahead_s < 0:
            return 0
        if not self._limits.gap_s:
            return room
        return min(room, int(ahead_s / self._limits.gap_s) + 1 - len(self._intended))

    def _may_send_witness_batch(self, now: float) -> bool:
        """Tell whether another batch may leave, so that the reports show something that is newer."""
        return not (
            self._limits.on_in_doubt == "fail"
            or self._has_witness_left
            or self._intended
            or self._under_way
            or not self._has_polled
            # Its own result is unknown, too: no third request leaves.
            or self._has_witness_in_doubt()
            or now <= self._all_over()
        )

    def _is_witness_message_due(self, now: float) -> bool:
        """Tell whether a message to the user's own number is to be the witness, since no batch can be it."""
        if not (self._limits.has_witness and self._has_polled) or self._has_sent_witness:
            return False
        is_free = not (self._planned or self._has_witness_left) or self._has_witness_in_doubt()
        return is_free and now > self._all_over()

    def _has_witness_in_doubt(self) -> bool:
        return any(doubt.is_witness for number in self._in_doubt for doubt in self.items[number].doubts)

    def _all_over(self) -> float:
        """Return when all requests in doubt are over."""
        return max(self._over(self.items[number]) for number in self._in_doubt)

    def _over(self, item: Item) -> float:
        """Return when a request is over, as far as clocks can tell."""
        return item.over + (self._times.skew_s if item.is_inherited else 0.0)

    def _next_send_due(self, now: float) -> float | None:
        """Return when there is something to do for items that wait for their turn."""
        if self._intended:
            return self._next_send_at if now < self._next_send_at else None
        if self._halted or self._in_doubt or not self._planned:
            return None
        due = self._next_send_at - self._times.start_within_s / 2
        return due if now < due else None

    # --- what is in doubt

    def _settle_doubts(self, now: float) -> Action:
        if self._limits.on_in_doubt == "fail":
            count = self._count_in_doubt()
            return self._give_up(
                OutcomeUnknownError(f'{count:,} messages are in doubt, and on_in_doubt is "fail".')
            )
        if self._is_witness_message_due(now):
            self._has_sent_witness = True
            return SendWitness()
        if now > self._patient_until():
            if self._resend_by_word():
                return self.next(now)
            return self._give_up(self._unsettled())
        if now >= self._poll_at:
            return Ask(tuple(sorted(self._in_doubt)))
        # From the moment at which all are over a witness may leave.
        over = self._all_over()
        return Pause(min(self._poll_at, over + 0.01) if now <= over else self._poll_at)

    def _patient_until(self) -> float:
        """Return how long this try goes on asking: so long after the last news, or after the report's lag."""
        lag_s = self._limits.report_lag_s
        shown = self._all_over() + (0.0 if lag_s is None else lag_s + self._times.skew_s)
        return max(self._news_at, shown) + self._times.patience_s

    def _unsettled(self) -> P2PSMSError:
        fact = "The gateway's reports do not show them so far."
        if self._no_answer is not None:
            fact = f"The last question to the gateway's reports failed: {self._no_answer.summary}"
        return UnsettledError(
            lay_out(f"The outcome of {self._count_in_doubt():,} messages is not known yet.", fact)
        )

    def _give_up(self, failure: P2PSMSError) -> End:
        self.failure = self.failure or failure
        self._halted = True
        return End()

    def reported(self, poll: PollResult) -> Settled:
        """Note what a poll of the reports showed; return what it settled."""
        self._has_polled, self._no_answer = True, None
        before, taken = self._count_in_doubt(), 0
        for number, finding in poll.findings.items():
            item = self.items[number]
            decision = self._decide(item, finding, poll)
            if decision == "person":
                self._give_up(
                    OutcomeUnknownError(
                        lay_out(
                            "The outcome of messages is unknown for the second time.",
                            "They were sent again because the reports did not show them.",
                            "Nothing is sent a third time without a person.",
                        )
                    )
                )
            ids = finding.ids
            if decision == "wait" and finding.held:
                ids = [0 if place in finding.held else each for place, each in enumerate(ids)]
            taken += len(ids) - list(ids).count(0)
            self._settle_found(number, ids, _REST.get(decision, UNSETTLED))
        left = self._count_in_doubt()
        if left < before:
            self._news_at = poll.asked_at
        if not self._in_doubt:
            self._has_polled = self._has_witness_left = False
        self._schedule_poll(poll.asked_at)
        return Settled(taken, before - left - taken, left)

    def _count_in_doubt(self) -> int:
        return sum(item.in_doubt for item in self.doubtful)

    def _decide(self, item: Item, finding: Finding, poll: PollResult) -> Decision:  # noqa: PLR0911 - a rule each
        """
        Decide whether the messages of an item that the reports do not show were not taken.

        Only *absent* lets them leave again. The rules are those of the design, "Evidence".
        """
        missing = [
            digest
            for digest, outbox_id in zip(item.digests, finding.ids, strict=True)
            if not outbox_id and digest != NO_DIGEST
        ]
        if not missing:
            return "taken"
        # A person has looked for them in the outbox. That word is for the doubts of earlier tries alone.
        if self._has_word(item) and poll.asked_at > item.over + self._times.skew_s:
            return "by_word"
        # The gateway has said that it took the request: silence of the reports does not outweigh that.
        if item.said_taken:
            return "wait"
        # A page was missing, or a witness, or the answer had another shape: absence means nothing.
        if not poll.is_whole:
            return "wait"
        # A record that nobody can assign may be one of these messages.
        if not finding.is_explained:
            return "wait"
        # The report must be newer than the end of the request; else it may just be late.
        if not (self._is_current(item, poll) or self._is_believed_by_word(item, poll)):
            return "wait"
        # A message leaves at most twice without a person.
        if not self._absent.isdisjoint(missing):
            return "person"
        return "absent"

    def _is_current(self, item: Item, poll: PollResult) -> bool:
        as_of = poll.as_of_scheduled if item.is_scheduled else poll.as_of
        return as_of >= self._over(item)

    def _is_believed_by_word(self, item: Item, poll: PollResult) -> bool:
        lag_s = self._limits.report_lag_s
        return lag_s is not None and poll.asked_at > item.over + lag_s + self._times.skew_s

    def _has_word(self, item: Item) -> bool:
        return self._limits.on_in_doubt == "resend" and item.is_inherited

    def _resend_by_word(self) -> bool:
        """Let leave again what a person has looked for in the outbox, since the reports gave no answer."""
        theirs = [number for number in sorted(self._in_doubt) if self._has_word(self.items[number])]
        for number in theirs:
            self._settle_found(number, [0] * len(self.items[number].digests), NOT_TAKEN)
        return bool(theirs)

    def _settle_found(self, number: int, ids: Sequence[int], rest: int) -> None:
        """
        Note ids that were found.

        :param rest: what is said of the messages without one: ``UNSETTLED``, ``NOT_TAKEN`` or ``ABSENT``.
        """
        item = self.items[number]
        digests = item.digests
        settled = [
            outbox_id or (rest if digest != NO_DIGEST else UNSETTLED)
            for digest, outbox_id in zip(digests, ids, strict=True)
        ]
        if set(settled) <= {UNSETTLED}:
            return
        self._ledger.settle(item.doubts, digests, settled, offset=self._origin.offset_s())
        self._unwritten = True
        self._accept_found(item, {digest: each for digest, each in zip(digests, ids, strict=True) if each})
        if rest == ABSENT:
            each = zip(digests, settled, strict=True)
            self._absent.update(digest for digest, outbox_id in each if outbox_id == ABSENT)
        self.gone_absent += max(0, sum(each in {ABSENT, NOT_TAKEN} for each in settled) - len(item.batch))
        still_open = (outbox_id == UNSETTLED for outbox_id in settled)
        doubts = (doubt.only(islice(still_open, len(doubt.digests))) for doubt in item.doubts)
        item.doubts = list(filter(None, doubts))
        if not item.doubts:
            self._free(number)

    def _accept_found(self, item: Item, found: dict[bytes, int]) -> None:
        batch = item.batch
        of_rows = set(Digests(batch.digests))
        ids = [found.get(digest, 0) for digest in Digests(batch.digests)]
        if any(ids):
            self._outcomes.accept(batch.places, ids)
            item.batch = batch.select([not each for each in ids])
        gone = [each for digest, each in found.items() if digest not in of_rows]
        self.gone_ids += dict.fromkeys(gone)
        self.gone_accepted += len(gone)
        self.found += len(found) if item.is_inherited else 0

    def _free(self, number: int) -> None:
        """Plan what is left of an item whose doubts are settled."""
        item = self.items[number]
        item.said_taken, item.answer_ids = False, ()
        if item.batch:
            item.rounds += 1
            self._outcomes.end(item.batch.places, NOT_SENT)
            self._move(number, Stage.PLANNED)
        else:
            self._move(number, Stage.DONE)

    def no_answer(self, err: P2PSMSError, asked_at: float) -> None:
        """Note that the reports gave no answer: ask again, with growing pauses."""
        self._no_answer = err
        self._schedule_poll(asked_at)

    def _schedule_poll(self, asked_at: float) -> None:
        times = self._times
        self._poll_at = asked_at + self._poll_every_s
        if self._limits.report_lag_s is not None and self._in_doubt:
            # Not later than needed: then the user's word counts.
            due = self._all_over() + self._limits.report_lag_s + times.skew_s
            if asked_at <= due:
                self._poll_at = min(self._poll_at, due + 0.1)
        # While a request may still be under way a poll can only find what was taken: a few are enough.
        growth = 4 if self._in_doubt and asked_at <= self._all_over() else 2
        self._poll_every_s = min(self._poll_every_s * growth, times.poll_at_least_every_s)

    def witness_sent(self, receipt: Receipt) -> None:
        """Note that a message to the user's own number was scheduled."""
        self.receipts.append(receipt)
        self._news_at = receipt.until
        self._poll_at, self._poll_every_s = receipt.until, self._times.poll_every_s

    @property
    def doubtful(self) -> list[Item]:
        """The items in doubt."""
        return [self.items[number] for number in sorted(self._in_doubt)]

    @property
    def gone_in_doubt(self) -> int:
        """How many messages are in doubt whose rows have gone."""
        return sum(item.in_doubt - len(item.batch) for item in self.doubtful)

    # --- intents

    def _next_planned(self, most: int) -> list[int]:
        numbers = (
            number
            for number in range(self._first_planned, len(self.items))
            if self.items[number].stage is Stage.PLANNED
        )
        planned = list(islice(numbers, max(most, 0)))
        if planned:
            self._first_planned = planned[0]
        return planned

    def _intend(self, numbers: list[int], now: float) -> None:
        origin = self._origin
        is_witness = self._has_witness_left = bool(self._in_doubt)
        for number in numbers:
            item = self.items[number]
            if not item.batch:
                assert item.request  # noqa: S101 - an item without messages is a request of the spool
                item.batch = self._read(item.request)
            item.at, item.over = now, self._limits.over_by(now)
            item.since = min(item.since, now, self._first_at if self._was_tried(number) else now)
            item.is_inherited = False
            item.doubts = self._ledger.intend(
                Digests(item.batch.digests),
                sender=origin.line,
                at=item.at,
                until=item.over,
                gateway=origin.gateway,
                account=origin.account,
                offset=origin.offset_s(),
                is_scheduled=origin.is_scheduled(),
                is_witness=is_witness,
            )
            self._move(number, Stage.INTENDED)
        self._unwritten = True
        self._owner_seen = False

    def _take_back(self, number: int) -> None:
        self._plan_anew(number)
        if self._in_doubt and not self._under_way:
            self._has_witness_left = False

    def _plan_anew(self, number: int) -> None:
        """Note that the request of an item's intent was not taken, or did not leave."""
        item = self.items[number]
        self._settle(item, [NOT_TAKEN] * len(item.batch))
        self._move(number, Stage.PLANNED)

    def _move(self, number: int, stage: Stage) -> None:
        item = self.items[number]
        self._planned += (stage is Stage.PLANNED) - (item.stage is Stage.PLANNED)
        item.stage = stage
        for numbers, theirs in (
            (self._intended, Stage.INTENDED),
            (self._under_way, Stage.UNDER_WAY),
            (self._in_doubt, Stage.IN_DOUBT),
        ):
            (numbers.add if stage is theirs else numbers.discard)(number)
        if stage is Stage.PLANNED:
            self._first_planned = min(self._first_planned, number)

    # --- what came of an action

    def written(self, *, grow_window: bool = False) -> None:
        """
        Note that all is durable that the ledger was given.

        :param grow_window: whether the intents of the last write were used up fast: then more are written
            ahead.
        """
        self._unwritten = self._is_urgent = False
        if grow_window and self._intended:
            self._window = min(self._window * 2, self._largest_window)

    def owner(self, *, is_me: bool) -> None:
        """Note who the owner is; a try that was replaced sends nothing more."""
        self._owner_seen = is_me
        if not is_me:
            self.failure = ReplacedError("A newer try of this task has begun; this one sends nothing more.")
            self._halted = True

    def ended(self, number: int, result: Sequence[int] | P2PSMSError, now: float) -> None:
        """
        Note how a request ended: the ids of its messages, or why there are none.

        An answer that is not certainly *no* is in doubt.
        """
        if self.items[number].stage is not Stage.UNDER_WAY:  # an interrupt made the driver report it again
            return
        if not isinstance(result, P2PSMSError):
            self._accepted(number, result, now)
        elif isinstance(result, UnreachableError):
            self._never_left(number, result)
        elif isinstance(result, GatewayRefusedError):
            self.requests += 1
            self._refused(number, result, now)
        else:
            self.requests += 1
            self._unknown(number, result, now)

    def _accepted(self, number: int, ids: Sequence[int], now: float) -> None:
        self.requests += 1
        item = self.items[number]
        self._outcomes.accept(item.batch.places, ids)
        for outbox_id in dict.fromkeys((ids[0], ids[-1])):
            self.receipts.append(Receipt(outbox_id, item.at, now, ids.count(outbox_id), item.is_scheduled))
        self._settle(item, ids, at=now)
        self._move(number, Stage.DONE)
        item.batch = Batch()
        # A later try needs an id and the gateway's clock, so the first answer is written at once.
        self._is_urgent = self._is_urgent or self._is_first_answer or bool(self._in_doubt)
        self._is_first_answer = False
        if self._in_doubt:
            self._news_at = now
            self._poll_at, self._poll_every_s = now, self._times.poll_every_s

    def _never_left(self, number: int, err: UnreachableError) -> None:
        item = self.items[number]
        if not err.late:
            self.not_sent(number, err)
            return
        self._plan_anew(number)
        self._has_witness_left = False
        item.late += 1
        self._halted = self._halted or item.late > MOST_ROUNDS

    def _refused(self, number: int, err: GatewayRefusedError, now: float) -> None:
        if err.http_status == DUPLICATE_STATUS and self._was_tried(number):
            # It has the messages already: those that left before were taken after all.
            self._unknown(number, err, now)
        elif err.http_status == BUSY_STATUS:
            self._busy(number, err, now)
        else:
            self.not_sent(number, err)

    def _was_tried(self, number: int) -> bool:
        item = self.items[number]
        before = [each for each in (self._tried, self._absent) if each]
        if item.rounds or not before:
            return item.rounds > 0
        digests = set(Digests(item.batch.digests))
        return any(not digests.isdisjoint(each) for each in before)

    def _busy(self, number: int, err: GatewayRefusedError, now: float) -> None:
        """Let nothing leave for as long as the gateway asks; what it did not take is sent again then."""
        wait_s = err.retry_after_s or 0.0
        if wait_s > self._times.longest_wait_s:
            self.not_sent(number, UnreachableError(f"The gateway asks to wait for {wait_s:,.0f} s."))
            return
        item = self.items[number]
        self._plan_anew(number)
        item.rounds += 1
        self._halted = self._halted or item.rounds > MOST_ROUNDS
        self._next_send_at = max(self._next_send_at, now + wait_s)
        self._has_witness_left = False

    def not_sent(self, number: int, err: P2PSMSError) -> None:
        """Note that an item's request was refused, or may not leave, e.g. since its time is too near."""
        self._outcomes.end(self.items[number].batch.places, Outcome("refused", reason=err.summary))
        self._plan_anew(number)
        self._halted = True
        if not isinstance(self.failure, GatewayRefusedError):
            self.failure = err

    def _unknown(self, number: int, err: P2PSMSError, now: float) -> None:
        item = self.items[number]
        self._outcomes.end(item.batch.places, Outcome("in_doubt", reason=err.summary))
        item.over, item.reason = now + self._limits.linger_s, err.summary
        if isinstance(err, OutcomeUnknownError):
            item.said_taken, item.answer_ids = err.said_taken, err.outbox_ids
        else:  # a refusal is here because the gateway has the messages already
            item.said_taken, item.answer_ids = isinstance(err, GatewayRefusedError), ()
        self._ledger.claim(
            item.doubts, over=item.over, said_taken=item.said_taken, answer_ids=item.answer_ids
        )
        self._move(number, Stage.IN_DOUBT)
        self._unwritten = True
        self._has_polled = False
        self._poll_at, self._poll_every_s = now, self._times.poll_every_s

    def _settle(self, item: Item, ids: Sequence[int], *, at: float = 0.0) -> None:
        offset_s = self._origin.offset_s()
        self._ledger.settle(item.doubts, Digests(item.batch.digests), ids, at=at, offset=offset_s)
        item.doubts = []
        self._unwritten = True

    # --- the end

    def halt(self) -> None:
        """Let no further request leave."""
        self._halted = True

    def ledger_failed(self, err: LedgerError) -> None:
        """Note that the ledger cannot be written: nothing leaves, and nothing more is written."""
        self.failure = err
        self._halted = self._ledger_lost = True

    def _close(self) -> None:
        if self._is_closed or not self._outcomes.all_accepted() or self._planned or self._intended:
            return
        self._is_closed = True
        self.completion = self._make_completion(self.requests)
        if self.completion is not None:
            self._ledger.close(self.completion)
            self._unwritten = True
