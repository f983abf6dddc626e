"""
What a try does next, and when it may believe what: the steps of a send as a state machine.

It knows no clock, thread, socket or store. ``next`` names the one thing to do now; whoever drives it does
that and says what came of it. So every order of events can be tried out, with two tries at once and a crash
anywhere.

The rules that it keeps, for each *item* (the messages of one request):

1. An intent is durable before its request leaves, and says when the request is over at the latest.
2. A request leaves within seconds of its intent, or the intent is taken back and written anew.
3. Where the store does not stop an old try, the owner is read after the intent was written and before the
   request leaves: a newer try writes its name there first and reads the intents then.
4. *Not taken* is believed only of a report that was asked for when the request was over, the reports had had
   their time, and clocks may differ.
5. While anything is in doubt nothing else leaves.
6. Requests keep their distance, and none leaves while the gateway asks to wait.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Literal

START_WITHIN_S = 10.0
SKEW_S = 5.0
# What the gateway says it took it will show, later than it was believed to.
PATIENCE_S = 60.0
# So often an item is sent again after it was certainly not taken; then a later try may.
MOST_ROUNDS = 3
_ASK_EVERY_S = 1.0
# So many intents are written ahead at most where requests end fast.
MOST_AHEAD = 32
_ASK_AT_LEAST_EVERY_S = 20.0

OnInDoubt = Literal["reconcile", "fail", "resend"]
# Of an item's messages; "hazy" where a record that may hold some of them is not shown whole.
Found = Literal["all", "some", "none", "hazy"]


class Stage(IntEnum):
    """Where an item stands."""

    PLANNED = 0
    INTENDED = 1
    UNDER_WAY = 2
    IN_DOUBT = 3
    DONE = 4


@dataclass(frozen=True, slots=True)
class Record:
    """Make durable: all that was settled, that these intents are taken back, and that these are made."""

    intend: tuple[int, ...]
    take_back: tuple[int, ...]


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
    """Ask the gateway's reports for these items."""

    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until then."""

    until: float


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to do, or nothing more may be done."""


Action = Record | CheckOwner | Post | Await | Ask | Pause | End


class Protocol:
    """
    One try's steps over its items: first what earlier tries left in doubt, then the batches of this one.

    :param inherited: until when the requests of the items in doubt may have been under way.
    :param planned: how many items are to be sent beside those.
    :param exchange_s: how long a request takes at most, from its first byte on.
    :param lag_s: how long the reports may take to show what was taken.
    :param fenced: whether the store stops a try that has a successor.
    :param gap_s: how far apart requests leave at least.
    :param most_ahead: for how many items intents are written ahead at most, where requests end fast.
    """

    def __init__(
        self,
        *,
        inherited: list[float],
        planned: int,
        max_in_flight: int,
        exchange_s: float,
        lag_s: float,
        fenced: bool,
        gap_s: float = 0.0,
        on_in_doubt: OnInDoubt = "reconcile",
        most_ahead: int = MOST_AHEAD,
    ) -> None:
        self.stages = [Stage.IN_DOUBT] * len(inherited) + [Stage.PLANNED] * planned
        # A send may have thousands of items: none of the steps below looks at all of them.
        self._in_doubt = set(range(len(inherited)))
        self._intended, self._under_way = set[int](), set[int]()
        self._first_planned = len(inherited)
        self._at = [0.0] * len(self.stages)
        self._until = [*inherited, *[0.0] * planned]
        self._rounds = [0] * len(self.stages)
        self._late = [0] * len(self.stages)
        self._said_taken: set[int] = set()
        self._max_in_flight = self._ahead = max_in_flight
        self._most_ahead = max(most_ahead, max_in_flight)
        self._exchange_s, self._lag_s = exchange_s, lag_s
        self._fenced, self._on_in_doubt = fenced, on_in_doubt
        self._gap_s, self._turn_at = gap_s, 0.0
        self._owner_seen = False
        self._unrecorded = False
        self._take_back: list[int] = []
        self._halted = self._ledger_lost = False
        self._ask_at, self._ask_every_s = 0.0, _ASK_EVERY_S

    # --- what to do

    def next(self, now: float) -> Action:
        """Name the next thing to do; each call that is acted on is followed by what came of it."""
        hold = self._halted or bool(self._in_doubt)
        if (post := self._post_or_take_back(now, hold=hold)) is not None:
            return post
        if (record := self._record(now, hold=hold)) is not None:
            return record
        turn = None if hold else self._next_turn(now)
        if self._under_way:
            return Await(turn if turn and len(self._under_way) < self._max_in_flight else math.inf)
        if turn:
            return Pause(turn)
        if self._halted or not self._in_doubt:
            return End()
        return self._settle_doubts(now)

    def _post_or_take_back(self, now: float, *, hold: bool) -> Post | CheckOwner | None:
        for item in sorted(self._intended):
            if hold or now > self._at[item] + START_WITHIN_S:
                # Answers take longer than an intent lasts: those written ahead are written for nothing.
                self._ahead = self._ahead if hold else 0
                self._take_back.append(item)
                self._move(item, Stage.PLANNED)
            elif len(self._under_way) < self._max_in_flight and now >= self._turn_at:
                if not (self._fenced or self._owner_seen):
                    return CheckOwner()
                self._move(item, Stage.UNDER_WAY)
                # A little late, and the next one catches up; else all would be slower than asked for.
                if self._gap_s:
                    on_time = now - self._turn_at < self._gap_s / 2
                    self._turn_at = (self._turn_at if on_time else now) + self._gap_s
                return Post(item, self._at[item] + START_WITHIN_S)
        return None

    def _record(self, now: float, *, hold: bool) -> Record | None:
        if self._ledger_lost:
            return None
        # One write for several requests: until half of the intents are used up, what came of them can wait,
        # and at the end until the last of them has ended.
        can_wait = bool(self._under_way) and not (hold or self._take_back)
        if can_wait and len(self._intended) > self._ahead // 2:
            return None
        intend = () if hold else self._next_planned(self._room(now))
        if intend or self._take_back or (self._unrecorded and not can_wait):
            return Record(intend, tuple(self._take_back))
        return None

    def _room(self, now: float) -> int:
        """
        Return for how many items an intent may be written now.

        At first for those that leave at once. Then as many ahead as may be under way: requests that end
        together are followed at once by as many more, and what came of them is written while those are on
        their way. More if requests end fast, for then the ledger would be what they wait for. None whose turn
        comes too late for an intent.
        """
        ahead = self._ahead if self._under_way else 0
        room = self._max_in_flight + ahead - len(self._intended) - len(self._under_way)
        ahead_s = now + START_WITHIN_S / 2 - max(self._turn_at, now)
        if ahead_s < 0:
            return 0
        if not self._gap_s:
            return room
        return min(room, int(ahead_s / self._gap_s) + 1 - len(self._intended))

    def _next_turn(self, now: float) -> float | None:
        """Return when there is something to do for items that wait for their turn."""
        if self._intended:
            return self._turn_at if now < self._turn_at else None
        return self._turn_at - START_WITHIN_S / 2 if self._next_planned(1) else None

    def _settle_doubts(self, now: float) -> Action:
        doubts = sorted(self._in_doubt)
        if self._on_in_doubt == "fail":
            self._halted = True
            return End()
        if self._on_in_doubt == "resend":
            over = max(self._until[item] for item in doubts) + SKEW_S
            if now <= over:
                return Pause(over)
            for item in doubts:
                self._not_taken(item)
            return self.next(now)
        return Ask(tuple(doubts)) if now >= self._ask_at else Pause(self._ask_at)

    def _next_planned(self, most: int) -> tuple[int, ...]:
        items = (
            item
            for item in range(self._first_planned, len(self.stages))
            if self.stages[item] is Stage.PLANNED
        )
        planned = tuple(islice(items, max(most, 0)))
        if planned:
            self._first_planned = planned[0]
        return planned

    def _move(self, item: int, stage: Stage) -> None:
        self.stages[item] = stage
        for items, theirs in (
            (self._intended, Stage.INTENDED),
            (self._under_way, Stage.UNDER_WAY),
            (self._in_doubt, Stage.IN_DOUBT),
        ):
            (items.add if stage is theirs else items.discard)(item)
        if stage is Stage.PLANNED:
            self._first_planned = min(self._first_planned, item)

    # --- what came of it

    def recorded(self, record: Record, at: float, *, soon: bool = False) -> None:
        """
        Note that a record is durable.

        :param at: the time that its intents bear.
        :param soon: whether those of the last one were used up so soon that more had better be written ahead.
        """
        self._unrecorded = False
        self._take_back = [item for item in self._take_back if item not in record.take_back]
        for item in record.intend:
            self._move(item, Stage.INTENDED)
            self._at[item] = at
            self._until[item] = self.over_by(at)
        if record.intend:
            self._owner_seen = False
            if soon:
                self._ahead = min(self._ahead * 2, self._most_ahead)

    def over_by(self, at: float) -> float:
        """Return when a request whose intent bears the time ``at`` is over at the latest."""
        return at + START_WITHIN_S + self._exchange_s

    def owner(self, *, is_me: bool) -> None:
        """Note who the owner is; a try that was replaced sends nothing more."""
        self._owner_seen = is_me
        self._halted = self._halted or not is_me

    def settled(self, item: int) -> None:
        """Note that the item's messages were taken, or refused for good: nothing is open about them."""
        self._move(item, Stage.DONE)
        self._unrecorded = True

    def not_sent(self, item: int) -> None:
        """Note that the item's request never left or was refused; whether to go on is ``halt``'s to say."""
        self._move(item, Stage.PLANNED)
        self._unrecorded = True

    def busy(self, item: int, now: float, wait_s: float) -> None:
        """Note that the gateway took nothing of the item, and asks to wait before anything else is sent."""
        self._not_taken(item)
        self._turn_at = max(self._turn_at, now + wait_s)

    def too_late(self, item: int) -> None:
        """Note that the item's request did not leave in its time: its intent is to be written anew."""
        self.not_sent(item)
        self._late[item] += 1
        self._halted = self._halted or self._late[item] > MOST_ROUNDS

    def unknown(self, item: int, now: float, *, said_taken: bool = False) -> None:
        """
        Note that nobody knows what came of the item, and that its request is over now.

        :param said_taken: whether the gateway said that it has the messages already: HTTP 429 for messages
            that were about to leave before.
        """
        self._move(item, Stage.IN_DOUBT)
        self._until[item] = now
        self._ask_at, self._ask_every_s = now, _ASK_EVERY_S
        if said_taken:
            self._said_taken.add(item)

    def was_in_doubt(self, item: int) -> bool:
        """Whether the item was in doubt before: then a 429 says that it was taken after all."""
        return self._rounds[item] > 0

    def is_over(self, item: int, asked_at: float) -> bool:
        """Whether a report asked for at that time shows all that was taken of the item."""
        return asked_at > self._until[item] + self._lag_s + SKEW_S

    def reported(self, item: int, asked_at: float, *, found: Found) -> bool:
        """
        Note what the reports showed of an item in doubt.

        :return: whether that settles it: then all that was not found was certainly not taken.
        """
        if found == "all":
            self.settled(item)
            return True
        if found == "hazy":
            self._said_taken.add(item)
        hidden = found != "some" and item in self._said_taken
        if not self.is_over(item, asked_at - (PATIENCE_S if hidden else 0.0)):
            self._ask_again(asked_at)
            return False
        if hidden:
            # The gateway has it, or may have it, and cannot show it: for a person to settle.
            self._halted = True
            return False
        self._not_taken(item)
        return True

    def no_reports(self) -> None:
        """Note that this gateway has no reports: what is in doubt stays so."""
        self._halted = True

    def halt(self, *, ledger_lost: bool = False) -> None:
        """Let no further request leave; without its ledger, write nothing more either."""
        self._halted = True
        self._ledger_lost = self._ledger_lost or ledger_lost

    def _not_taken(self, item: int) -> None:
        self._move(item, Stage.PLANNED)
        self._said_taken.discard(item)
        self._unrecorded = True
        self._rounds[item] += 1
        self._halted = self._halted or self._rounds[item] > MOST_ROUNDS

    def _ask_again(self, asked_at: float) -> None:
        last = max(self._until[item] for item in self._in_doubt) + self._lag_s + SKEW_S
        self._ask_at = min(asked_at + self._ask_every_s, max(last, asked_at) + 0.1)
        self._ask_every_s = min(self._ask_every_s * 2, _ASK_AT_LEAST_EVERY_S)
