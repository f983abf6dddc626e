"""
A small world in which every order of events of a send can be tried out, with the real protocol and ledger.

Tries, one gateway with its reports, a store, and a clock of whole ticks. ``World.steps`` names all that may
happen next; ``exploring.py`` follows all of it. What ``sending/run.py`` does for each action is done again
here, without threads and sockets.

What keeps the number of states small, and why nothing is missed by it:

- A killed try is one that never takes another step, so there is no step *kill*. A try that begins while two
  are alive begins after both have died.
- Between two accesses to what others see too (the store, the gateway) a try is alone, so all that it does in
  between is one step. A try's own records are read by its successor alone, when it begins; while a try
  begins, only what it reads or writes of others takes a step. It is done again each time, from a log.
- Where the store fences, nobody else writes from the moment a try exists, so it begins in one step.
- Times count from now, and are cut off where no comparison can tell them apart any more. Of an item only the
  time counts that its stage looks at, and of an intent only until it is settled.
- Reports may be asked at any moment, not just when the protocol's schedule says so: more than happens.
- *Refused* and *unreachable* are one answer: both say *certainly not taken* and end the try.
- A try that halted, or whose writes all fail and that has nothing left to send, is dead.
- With so few faults no item is sent so often that the protocol gives up: rounds count only for HTTP 429.
"""

import functools
import hashlib
import marshal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, cast

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, NO_DIGEST, Digests
from airflow_provider_p2psms.ledger.ledger import Doubt, History, Ledger
from airflow_provider_p2psms.ledger.protocol import (
    Action,
    Ask,
    Await,
    CheckOwner,
    End,
    Found,
    Pause,
    Post,
    Protocol,
    Record,
    Stage,
)
from airflow_provider_p2psms.ledger.records import NOT_TAKEN, Settlement
from airflow_provider_p2psms.ledger.stores import MemoryStore

# In ticks. An intent is written at 0; its request leaves by 1 and is over by 2; the reports show by 3 what
# was taken, and clocks differ by 1: not before 4 has passed may "not taken" be believed.
START_WITHIN = EXCHANGE = LAG = SKEW = PATIENCE = 1
NAME = "p2psms"
# Which journals there are: what any try may notice at any moment.
EVERYBODYS = ""

Step = tuple[tuple[Any, ...], "World"]


class WrongError(AssertionError):
    """A promise is broken; the text tells the way there."""


class DuplicateError(WrongError):
    """The gateway has taken a message a second time."""


class LostError(WrongError):
    """A message is accounted for wrongly, or not at all."""


class _NotYet(Exception):  # noqa: N818 - a signal
    """A try that begins has had its turn."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """
    What the world is like.

    ``sizes`` are the numbers of messages in each batch of the first try. ``faults`` requests may end badly;
    ``store_faults`` writes may fail, and each may have been written nonetheless; ``delays`` times an intent
    may be written anew because its request did not leave in time. Each try's clock is ``ahead`` of the
    gateway's. Airflow may call all tries the first (``same_number``). Where requests end ``soon``, more
    intents are written ahead. The reports take ``slow_reports`` longer than they were said to. With
    ``repeats_refused`` a message that was taken is refused with HTTP 429. A store may lie
    (``claims_fence``), and so may a protocol that does not keep to its time.
    """

    sizes: tuple[int, ...] = (1, 1, 1)
    max_in_flight: int = 1
    faults: int = 1
    store_faults: int = 0
    delays: int = 0
    tries: int = 2
    ahead: tuple[int, ...] = (0, SKEW, SKEW)
    same_number: bool = False
    soon: bool = False
    reports: bool = True
    fence: bool = True
    claims_fence: bool | None = None
    slow_reports: int = 0
    repeats_refused: bool = False
    lingers: bool = False
    harmless: bool = True
    heeds_429: bool = True
    protocol: type[Protocol] = Protocol
    ledger: type[Ledger] = Ledger

    @property
    def messages(self) -> range:
        return range(sum(self.sizes))

    @functools.cached_property
    def past(self) -> int:
        """So long ago is as good as for ever."""
        patience = PATIENCE if self.repeats_refused else 0
        return -max(LAG + SKEW + patience + 1, LAG + self.slow_reports + 1)


def digest(message: int) -> bytes:
    return bytes([message + 1]) * DIGEST_BYTES


def id_of(message: int) -> int:
    return message + 1


@functools.cache
def _ids(packed: str) -> tuple[int, ...]:
    return tuple(Settlement("", 0, packed).unpack())


class Journal(list[Any]):
    """A journal's record, with what ``World.key`` looks at."""

    def __init__(self, entries: list[Any]) -> None:
        super().__init__(entries)
        self.intents = [entry for entry in entries if entry["kind"] == "intent"]
        settlements = [entry for entry in entries if entry["kind"] == "settlement"]
        self.settled = {(entry["slot"], entry["number"]): _ids(entry["ids"]) for entry in settlements}


class Port(MemoryStore):
    """The store as one try sees it."""

    def __init__(self, world: "World", number: int, fails: str = "") -> None:
        rules = world.rules
        self.fences = rules.fence if rules.claims_fence is None else rules.claims_fence
        self.records, self._fails = world.records, fails
        self._replaced = rules.fence and number < len(world.tries)

    def write(self, key: str, value: Any) -> None:
        if self._replaced:
            raise LedgerError
        if self._fails != "lost":
            super().write(key, value)
            if isinstance(value, list):
                self.records[key] = Journal(self.records[key])
        if self._fails:
            raise LedgerError


class Turn:
    """The store for a try that begins: does again what stands in the log, and then one thing more."""

    remembers = True

    def __init__(self, port: Port, log: tuple[Any, ...], *, alone: Callable[[str], bool]) -> None:
        self.fences, self.log = port.fences, log
        self._port, self._again, self._alone, self._had = port, iter(log), alone, False

    def read(self, key: str) -> Any:
        return self._do(key, lambda: self._port.read(key))

    def write(self, key: str, value: Any) -> None:
        self._do(key, lambda: self._port.write(key, value))

    def announce(self, name: str, slot: str) -> list[str]:
        # In two steps, as the real stores do it: others may act in between.
        others = self.slots(name) if self.fences else []
        self._do(EVERYBODYS, lambda: self._port.announce(name, slot))
        return others if self.fences else [other for other in self.slots(name) if other != slot]

    def slots(self, name: str) -> list[str]:
        return cast("list[str]", self._do(EVERYBODYS, lambda: self._port.slots(name)))

    def _do(self, key: str, access: Callable[[], Any]) -> Any:
        for seen in self._again:
            return seen
        if not self._alone(key):
            if self._had:
                raise _NotYet
            self._had = True
        result = access()
        self.log += (result,)
        return result


class Request(NamedTuple):
    """A request under way; ``taken`` is what the gateway took of it, ``None`` while it has not arrived."""

    owner: int
    item: int
    messages: tuple[int, ...]
    until: int
    taken: tuple[int, ...] | None = None


class Item(NamedTuple):
    messages: tuple[int, ...]
    doubts: tuple[Doubt, ...] = ()


class Try:
    """One try: what ``send.py`` and ``run.py`` keep of it; while it begins, the ``log`` of that."""

    def __init__(self, number: int, ahead: int, *, dead: bool = False) -> None:
        self.number, self.ahead, self.dead = number, ahead, dead
        self.over = False
        self.log: tuple[Any, ...] = ()
        self.ledger: Any = None
        self.protocol: Any = None
        self.doing: type[Any] | None = None
        self.items: list[Item] = []
        self.fates: list[Any] = []
        self.tried: frozenset[bytes] = frozenset()

    @property
    def alive(self) -> bool:
        return not (self.dead or self.over)

    def copy(self) -> "Try":
        new = object.__new__(Try)
        new.__dict__ = self.__dict__ | {"items": self.items.copy(), "fates": self.fates.copy()}
        new.ledger, new.protocol = _copy(self.ledger), _copy(self.protocol)
        return new

    def take(self, item: int, ids: dict[int, int], *, others: int | None = None) -> None:
        """Note the ids of an item's messages, and what is said of the others (``Run._take``)."""
        messages, doubts = self.items[item]
        for message, outbox_id in ids.items():
            self.fates[message] = outbox_id
        known = ids if others is None else dict.fromkeys(messages, others) | ids
        self.ledger.settle(doubts, Digests.of(map(digest, known)), list(known.values()))
        self.items[item] = Item(tuple(message for message in messages if message not in ids))

    def end(self, item: int, fate: str) -> None:
        for message in self.items[item].messages:
            self.fates[message] = fate

    def is_idle(self, now: int, *, delays: int, replaced: bool) -> bool:
        """
        Whether nothing that it does any more is noticed by anybody.

        :param replaced: whether whatever it writes fails; then it may still send what waits to leave.
        """
        if self.protocol is None:
            return replaced
        protocol, stages = self.protocol, self.protocol.stages
        intended = [protocol._at[item] for item, stage in enumerate(stages) if stage is Stage.INTENDED]
        if replaced:
            return now + self.ahead > max(intended, default=-99) + START_WITHIN
        if protocol._unrecorded or protocol._take_back or Stage.UNDER_WAY in stages:
            return False
        if protocol._halted or all(stage is Stage.DONE for stage in stages):
            return not intended
        late = now + self.ahead > max(intended, default=now) + START_WITHIN
        return late and not delays and Stage.IN_DOUBT not in stages

    def key(self, now: int, rules: Rules, intents: dict[tuple[str, int], int]) -> tuple[Any, ...]:
        if self.protocol is None:
            return tuple(_plain(value, now, rules.past) for value in self.log)
        protocol, ledger = self.protocol, self.ledger
        times = [0] * len(self.items)
        for item, stage in enumerate(protocol.stages):
            if stage is Stage.INTENDED:
                times[item] = max(int(protocol._at[item]) - now, -START_WITHIN - SKEW - 1)
            elif stage is Stage.IN_DOUBT:
                times[item] = max(int(protocol._until[item]) - now, rules.past)
        return (
            self.doing is Await,
            tuple(map(int, protocol.stages)),
            tuple(times),
            protocol._owner_seen,
            protocol._ahead,
            protocol._unrecorded,
            tuple(protocol._take_back),
            protocol._halted,
            protocol._ledger_lost,
            # What is noted and not yet written are settlements, of messages that are in no item any more.
            tuple(
                (intents.get((each.slot, each.number)), each.ids)
                for entries in (ledger._segments if ledger._unwritten else ())
                for each in entries
                if isinstance(each, Settlement) and (each.slot, each.number) in intents
            ),
            tuple(
                (each.messages, *(intents.get((at.slot, at.number)) for at in each.doubts))
                for each in self.items
            ),
            tuple(fate if isinstance(fate, int) else 0 for fate in self.fates),
            (tuple(protocol._rounds), tuple(sorted(self.tried)), tuple(sorted(protocol._said_taken)))
            if rules.repeats_refused
            else (),
        )


def _copy(thing: Any) -> Any:
    if thing is None:
        return None
    new = object.__new__(type(thing))
    fields = new.__dict__ = dict(thing.__dict__)
    for name, value in fields.items():
        if type(value) is list:
            fields[name] = [each.copy() if type(each) is list else each for each in value]
        elif type(value) is set:
            fields[name] = value.copy()
    return new


class World:
    """All there is at one moment. ``taken`` has the tick at which the gateway took each message."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.now = rules, 0
        self.records: dict[str, Any] = {}
        self.tries: list[Try] = []
        self.requests: tuple[Request, ...] = ()
        self.taken: dict[int, int] = {}
        self.faults, self.store_faults, self.delays = rules.faults, rules.store_faults, rules.delays

    def copy(self, *touched: int) -> "World":
        """Copy what may change; of the tries only the one that is touched."""
        new = object.__new__(World)
        new.__dict__ = self.__dict__ | {
            "records": self.records.copy(),
            "tries": self.tries.copy(),
            "taken": self.taken.copy(),
        }
        for number in touched:
            new.tries[number - 1] = self.tries[number - 1].copy()
        return new

    # --- what may happen next

    def steps(self) -> Iterator[Step]:
        """Name each thing that may happen now, and what the world is like after it."""
        if len(self.tries) < self.rules.tries:
            yield ("another try begins",), self.begin()
        for each in self.tries:
            if each.alive:
                yield from self.steps_of(each.number)
        for request in self.requests:
            yield from self._arrivals(request)
        yield ("a tick",), self.tick()

    def begin(self) -> "World":
        new = self.copy()
        if sum(each.alive for each in new.tries) == 2:
            new.bury()
        number = len(new.tries) + 1
        new.tries.append(Try(number, self.rules.ahead[number - 1]))
        return new

    def bury(self, *, idle: bool = False) -> None:
        """Let all tries be dead, or those that nobody will notice; what is under way may yet arrive."""
        for place, each in enumerate(self.tries):
            if not (each.dead or (idle and each.alive and not self._is_idle(each))):
                self.tries[place] = Try(each.number, 0, dead=True)
        self._forget()

    def _is_idle(self, it: Try) -> bool:
        replaced = self.rules.fence and it.number < len(self.tries)
        return self.rules.harmless and it.is_idle(self.now, delays=self.delays, replaced=replaced)

    def _forget(self) -> None:
        """Drop the requests of the dead that have arrived, or can arrive no more."""
        self.requests = tuple(
            each
            for each in self.requests
            if self._is_owned(each) or (each.taken is None and each.until >= self.now)
        )

    def _is_owned(self, request: Request) -> bool:
        return request.owner > 0 and self.tries[request.owner - 1].alive

    def tick(self) -> "World":
        new = self.copy()
        new.now += 1
        new._forget()
        return new

    # --- the gateway

    def _arrivals(self, request: Request) -> Iterator[Step]:
        if request.taken is not None or self.now > request.until or self.repeats(request):
            return
        yield ("arrives", request), self.arrive(request, request.messages)
        if self.faults:
            for size in range(1, len(request.messages)):
                for some in combinations(request.messages, size):
                    new = self.arrive(request, some)
                    new.faults -= 1
                    yield ("arrives, and is taken in part", request, some), new

    def repeats(self, request: Request) -> bool:
        return self.rules.repeats_refused and any(each in self.taken for each in request.messages)

    def arrive(self, request: Request, messages: tuple[int, ...]) -> "World":
        new = self.copy()
        for message in messages:
            if message in new.taken:
                raise DuplicateError(f"message {message} is taken again, by {request}")
            new.taken[message] = self.now
        taken = request._replace(taken=messages)
        new.requests = tuple(taken if each is request else each for each in self.requests)
        new._forget()
        return new

    # --- a try

    def steps_of(self, number: int) -> Iterator[Step]:
        if self.tries[number - 1].protocol is None:
            yield from self._open(number)
            return
        was_waiting = self.tries[number - 1].doing is Await
        if was_waiting:
            yield from self._replies(number)
        yield from self._act(number, was_waiting=was_waiting)

    def _act(self, number: int, *, was_waiting: bool) -> Iterator[Step]:
        new = self.copy(number)
        it = new.tries[number - 1]
        action: Action = it.protocol.next(new.now + it.ahead)
        it.protocol._ask_at, it.protocol._ask_every_s = 0.0, 1.0
        it.doing = type(action)
        label = ("try", number, action)
        match action:
            case Record():
                yield from new._records(number, action)
            case CheckOwner():
                it.ledger._store = Port(new, number)
                it.protocol.owner(is_me=it.ledger.is_owner())
                yield label, new
            case Post():
                until = int(action.start_by) + EXCHANGE - it.ahead
                messages = it.items[action.item].messages
                new.requests += (Request(number, action.item, messages, until),)
                yield label, new
            case Await():
                if not was_waiting:
                    yield from new._replies(number)
            case Ask():
                yield from new._answers(number, action)
            case Pause():
                yield label, new
            case End():
                it.over = True
                new._forget()
                yield label, new

    def _open(self, number: int) -> Iterator[Step]:
        slot = f"{1 if self.rules.same_number else number}-{number}"

        def alone(key: str) -> bool:
            return fenced or key.startswith(f"{NAME}.{slot}.") or not any_other

        any_other = any(each.alive for each in self.tries if each.number != number)
        for fails in ("", "lost", "written") if self.store_faults else ("",):
            new = self.copy(number)
            it, port = new.tries[number - 1], Port(new, number, fails)
            fenced = port._replaced is False and self.rules.fence
            turn = Turn(port, it.log, alone=alone)
            ledger = self.rules.ledger(turn, name=NAME, try_number=int(slot[0]))
            ledger._slot = slot
            try:
                history = ledger.open(must_exist=False)
            except _NotYet:
                it.log = turn.log
            except LedgerError:
                it.over = True
            else:
                it.log, it.ledger = (), ledger
                new._plan(it, history)
            if fails:
                new.store_faults -= 1
                if not it.over:
                    continue  # it had nothing to write
            yield ("try", number, "opens the ledger", fails), new

    def _plan(self, it: Try, history: History) -> None:
        """Do what ``send.py`` does: what is in doubt first, and then what nobody has sent, in batches."""
        rules = self.rules
        messages = {digest(message): message for message in rules.messages}
        doubtful = {each for doubt in history.doubts for each in doubt.digests}
        it.fates = [
            history.accepted.get(each, "in doubt" if each in doubtful else "not sent") for each in messages
        ]
        it.tried = frozenset(history.not_taken)
        it.items = [
            Item(tuple(messages[each] for each in doubt.digests if each != NO_DIGEST), (doubt,))
            for doubt in history.doubts
        ]
        rest, sizes = [at for at, fate in enumerate(it.fates) if fate == "not sent"], list(rules.sizes)
        while rest:
            size = sizes.pop(0)
            it.items.append(Item(tuple(rest[:size])))
            rest = rest[size:]
        it.protocol = rules.protocol(
            inherited=[doubt.until for doubt in history.doubts],
            planned=len(it.items) - len(history.doubts),
            max_in_flight=rules.max_in_flight,
            exchange_s=EXCHANGE,
            lag_s=LAG,
            fenced=Port(self, it.number).fences,
        )

    def _records(self, number: int, action: Record) -> Iterator[Step]:
        if action.take_back and action.intend:
            if not self.delays:
                return  # it has been late often enough, and stays here for ever
            self.delays -= 1
        yield ("try", number, action), self._record(number, action)
        if self.store_faults:
            for fails in ("lost", "written"):
                new = self._record(number, action, fails)
                new.store_faults -= 1
                yield ("try", number, action, "fails, and is", fails), new

    def _record(self, number: int, action: Record, fails: str = "") -> "World":
        new = self.copy(number)
        it, at = new.tries[number - 1], new.now + new.tries[number - 1].ahead
        it.ledger._store = Port(new, number, fails)
        for item in action.take_back:
            it.take(item, {}, others=NOT_TAKEN)
        for item in action.intend:
            messages, until = it.items[item].messages, it.protocol.over_by(at)
            doubts = it.ledger.intend(Digests.of(map(digest, messages)), sender="", at=at, until=until)
            it.items[item] = Item(messages, tuple(doubts))
        try:
            it.ledger.flush()
        except LedgerError:
            it.protocol.halt(ledger_lost=True)
        else:
            it.protocol.recorded(action, at, soon=self.rules.soon)
        return new

    def _replies(self, number: int) -> Iterator[Step]:
        for request in self.requests:
            if request.owner != number:
                continue
            whole = request.taken == request.messages
            if whole:
                yield ("answered", request), self._reply(request, "taken")
            if request.taken is None and self.repeats(request):
                yield ("answered with 429", request), self._reply(request, "429")
            elif request.taken is None and self.faults:
                yield ("refused", request), self._reply(request, "refused", faults=1)
            if request.taken is None and self.delays and self.now > request.until - EXCHANGE:
                late = self._reply(request, "late")
                late.delays -= 1
                yield ("does not leave in its time", request), late
            if (request.taken and not whole) or self.faults:
                faults = 1 if whole or request.taken is None else 0
                yield ("its answer is lost", request), self._reply(request, "lost", faults=faults)

    def _reply(self, request: Request, answer: str, *, faults: int = 0) -> "World":
        new, item = self.copy(request.owner), request.item
        new.faults -= faults
        new.requests = tuple(each for each in new.requests if each is not request)
        if self.rules.lingers and answer == "lost" and request.taken is None:
            new.requests += (request._replace(owner=0),)
        it, now = new.tries[request.owner - 1], new.now + new.tries[request.owner - 1].ahead
        tried = it.protocol.was_in_doubt(item) or any(digest(each) in it.tried for each in request.messages)
        said_taken = answer == "429" and tried and self.rules.heeds_429
        if answer == "taken":
            it.take(item, {message: id_of(message) for message in request.messages})
            it.protocol.settled(item)
        elif answer == "lost" or said_taken:
            it.end(item, "in doubt")
            it.protocol.unknown(item, now, said_taken=said_taken)
        elif answer == "late":
            it.take(item, {}, others=NOT_TAKEN)
            it.protocol.too_late(item)
        else:
            it.end(item, "refused")
            it.take(item, {}, others=NOT_TAKEN)
            it.protocol.not_sent(item)
            it.protocol.halt()
        return new

    def _answers(self, number: int, action: Ask) -> Iterator[Step]:
        if not self.rules.reports:
            new = self.copy(number)
            new.tries[number - 1].protocol.no_reports()
            yield ("try", number, "there are no reports"), new
            return
        lag = LAG + self.rules.slow_reports
        shown = {message for message, at in self.taken.items() if self.now > at + lag}
        # Slow ones show nothing before their time; others may.
        others = [] if self.rules.slow_reports else sorted(self.taken.keys() - shown)
        for size in range(len(others) + 1):
            for early in combinations(others, size):
                asked = self._asked(number, action, shown.union(early))
                yield ("try", number, "the reports show", *shown, *early), asked

    def _asked(self, number: int, action: Ask, shown: set[int]) -> "World":
        new = self.copy(number)
        it, asked_at = new.tries[number - 1], new.now + new.tries[number - 1].ahead
        known = {fate for fate in it.fates if isinstance(fate, int)}
        searches = []
        for item in action.items:
            mine = [each for each in it.items[item].messages if each in shown and id_of(each) not in known]
            known.update(map(id_of, mine))
            searches.append((item, mine))
        for item, mine in searches:
            missing = len(it.items[item].messages) - len(mine)
            found: Found = "all" if not missing else "some" if mine else "none"
            if it.protocol.reported(item, asked_at, found=found):
                it.take(item, {message: id_of(message) for message in mine}, others=NOT_TAKEN)
                it.end(item, "not sent")
        it.protocol._ask_at, it.protocol._ask_every_s = 0.0, 1.0
        return new

    # --- which worlds are the same

    def key(self, *, fresh: bool = False) -> bytes:
        """Tell worlds apart; a try that begins *afresh*, with all others dead, sees fewer differences."""
        now, past = self.now, self.rules.past
        alive = [] if fresh else [each for each in self.tries if each.alive]
        begin = any(each.protocol is None for each in alive)
        intents: dict[tuple[str, int], int] = {}
        records: Any = sorted((key, _plain(value, now, past)) for key, value in self.records.items())
        held: set[int] | range = self.rules.messages
        if not begin:
            records = self._meaning(intents)
            held = {message for each in alive for item in each.items for message in item.messages}
        accepted: set[int] = records[1] if not begin else set()
        parts = (
            records[0] if not begin else records,
            sorted(accepted),
            # When it was taken counts while somebody may ask for it, or send it.
            sorted(
                (message, past if message in accepted and message not in held else max(at - now, past))
                for message, at in self.taken.items()
            ),
            [
                (
                    *(each[:2] if not fresh and self._is_owned(each) else (0, 0)),
                    each.messages,
                    each.taken,
                    max(each.until - now, -1) if each.taken is None else 0,
                )
                for each in self.requests
            ],
            len(self.tries),
            [(each.number, each.key(now, self.rules, intents)) for each in alive],
            () if fresh else (self.faults, self.store_faults, self.delays),
        )
        # Version 2 writes equal values equally.
        return hashlib.blake2b(marshal.dumps(parts, 2), digest_size=16).digest()

    def _meaning(self, intents: dict[tuple[str, int], int]) -> tuple[Any, set[int]]:
        """Return what the records say, and number the open intents; how it came to that does not count."""
        now, past = self.now, self.rules.past
        settled: dict[tuple[str, int], tuple[int, ...]] = {}
        for record in self.records.values():
            if isinstance(record, Journal):
                settled |= record.settled
        said: list[Any] = []
        for key in sorted(self.records):
            record, slot = self.records[key], key.split(".")[1]
            said.append((key, None if isinstance(record, Journal) else record))
            for entry in record.intents if isinstance(record, Journal) else ():
                if (slot, entry["number"]) not in settled:
                    intents[slot, entry["number"]] = len(said)
                    said.append((entry["digests"], max(int(entry["until"]) - now, past)))
        if self.rules.repeats_refused:
            said.append(sorted((*name, ids) for name, ids in settled.items()))
        return said, {each - 1 for ids in settled.values() for each in ids if each > 0}


def _plain(value: Any, now: int, past: int) -> Any:
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], str):
        return tuple(value)
    return tuple(
        (entry["number"], entry["digests"], max(int(entry["until"]) - now, past))
        if entry["kind"] == "intent"
        else (entry["slot"], entry["number"], entry["ids"])
        for entry in value
    )
