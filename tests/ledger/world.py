"""
A small world in which every order of events of a send can be tried out, with the real machine and ledger.

Tries, one gateway with its report, a store, and a clock of whole ticks. ``World.steps`` names all that may
happen next; ``exploring.py`` follows all of it. The world does what ``sending/driver.py`` does for each
action, and answers as the gateway and ``sending/reconcile.py`` may.

The report shows what was taken in the order in which it was taken, up to any point: so what it shows was
taken after all that came before, and nothing else is promised. Unless a report is incomplete, which is said.

What keeps the number of states small, and why nothing is missed by it:

- A killed try is one that never takes another step, so there is no step *kill*. A try that begins while two
  are alive begins after both have died.
- Between two accesses to what others see too (the store, the gateway) a try is alone, so all that it does in
  between is one step. A try's own records are read by its successor alone, when it begins; while a try
  begins, only what it reads or writes of others takes a step. It is done again each time, from a log.
- Where the store fences, nobody else writes from the moment a try exists, so it begins in one step. What it
  replaced is dead once no request of it can leave.
- Times count from now, and are cut off where no comparison can tell them apart any more. Of a witness it
  counts only for which doubts it is late enough.
- Reports may be asked at any moment, not just when the machine's schedule says so: more than happens.
"""

import hashlib
import marshal
import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    LedgerError,
    OutcomeUnknownError,
    UnreachableError,
    UnsettledError,
)
from airflow_provider_p2psms.ledger.digest import Digests
from airflow_provider_p2psms.ledger.ledger import History, Ledger
from airflow_provider_p2psms.ledger.records import Completion
from airflow_provider_p2psms.sending import spool
from airflow_provider_p2psms.sending.ledgers import inherited_items
from airflow_provider_p2psms.sending.machine import (
    BUSY_STATUS,
    DUPLICATE_STATUS,
    Ask,
    Await,
    CheckOwner,
    End,
    Finding,
    Item,
    Limits,
    Origin,
    PollResult,
    Post,
    Receipt,
    SendWitness,
    Write,
)
from airflow_provider_p2psms.sending.outcomes import Outcomes
from airflow_provider_p2psms.sending.plan import MAYBE_SENT
from airflow_provider_p2psms.sending.times import Times

from .world_rules import (
    AGAIN,
    EXCHANGE,
    NAME,
    OTHERS,
    PATIENCE,
    SKEW,
    START_WITHIN,
    WITNESS,
    DuplicateError,
    RashError,
    Rules,
    batch_of,
    digest,
    id_of,
    message_of,
    messages_in,
)
from .world_store import NotYet, Port, Records, Turn
from .world_try import Try, plain

Step = tuple[tuple[Any, ...], "World"]


class Request(NamedTuple):
    """
    A request under way; ``taken`` is what the gateway took of it, ``None`` while it has not arrived.

    It begins by ``start_by`` and arrives at ``until`` at the latest, by the gateway's clock.
    """

    owner: int
    item: int
    messages: tuple[int, ...]
    start_by: float
    until: float
    taken: tuple[int, ...] | None = None


class World:
    """
    All there is at one moment.

    ``taken`` has the ids of all that the gateway took, each with its tick, in its order. ``left`` counts how
    often each message left and was not certainly refused; ``words`` are those that a person let go again.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules, self.now = rules, 0.0
        self.records = Records()
        self.tries: list[Try] = []
        self.requests: tuple[Request, ...] = ()
        self.taken: tuple[tuple[int, float], ...] = ()
        self.left = tuple(0 for _ in rules.messages)
        self.words: frozenset[int] = frozenset()
        self.is_last = False
        self.faults, self.store_faults, self.delays = rules.faults, rules.store_faults, rules.delays
        self.traffic = rules.traffic

    def copy(self, *touched: int) -> "World":
        """Copy what may change; of the tries only the one that is touched."""
        new = object.__new__(World)
        new.__dict__ = self.__dict__ | {"tries": self.tries.copy()}
        for number in touched:
            new.tries[number - 1] = self.tries[number - 1].copy()
        return new

    # --- what may happen next

    def steps(self) -> Iterator[Step]:
        """Name each thing that may happen now, and what the world is like after it."""
        if len(self.tries) < self.rules.tries and self.may_begin():
            yield ("another try begins",), self.begin()
        for each in self.tries:
            if each.alive:
                yield from self.steps_of(each.number)
        for request in self.requests:
            yield from self._arrivals(request)
        if self.traffic:
            yield ("others send something",), self.others_send()
        yield ("a tick",), self.tick()

    def may_begin(self) -> bool:
        return self.rules.kills or not any(each.alive for each in self.tries)

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
        if not (self.rules.fence and it.number < len(self.tries)):
            return False
        return it.machine is None or not it.may_post(self.now)

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
        if self.faults and "part" in self.rules.kinds:
            for size in range(1, len(request.messages)):
                for some in combinations(request.messages, size):
                    new = self.arrive(request, some)
                    new.faults -= 1
                    yield ("arrives, and is taken in part", request, some), new

    def ids_of(self, message: int) -> list[int]:
        return [outbox_id for outbox_id, _ in self.taken if message_of(outbox_id) == message]

    def repeats(self, request: Request) -> bool:
        return self.rules.repeats_refused and any(self.ids_of(each) for each in request.messages)

    def arrive(self, request: Request, messages: tuple[int, ...]) -> "World":
        new = self.copy()
        for message in messages:
            ids = new.ids_of(message)
            if len(ids) > (message in self.words):
                raise DuplicateError(f"message {message} is taken again, by {request}")
            new.taken += ((id_of(message) + AGAIN * len(ids), new.now),)
        taken = request._replace(taken=messages)
        new.requests = tuple(taken if each is request else each for each in self.requests)
        new._forget()
        return new

    def others_send(self) -> "World":
        new = self.copy()
        new.traffic -= 1
        new.taken += ((OTHERS + len(self.taken), new.now),)
        return new

    # --- a try

    def steps_of(self, number: int) -> Iterator[Step]:
        it = self.tries[number - 1]
        if it.machine is None:
            yield from self._open(number)
            return
        was_waiting = it.doing is Await
        if was_waiting:
            yield from self._replies(number)
        at = self.now + it.ahead
        hold = it.machine._halted or (it.machine._in_doubt and not it.machine._has_witness_left)
        intended = (it.machine.items[each].at for each in it.machine._intended)
        is_late = not hold and any(at > each + START_WITHIN for each in intended)
        if is_late and not self.delays:
            return  # it has been late often enough, and stays here for ever
        new = self.copy(number)
        new.delays -= is_late
        yield from new._act(number, was_waiting=was_waiting)

    def _act(self, number: int, *, was_waiting: bool) -> Iterator[Step]:
        it = self.tries[number - 1]
        it.machine._poll_at, it.machine._poll_every_s = -math.inf, 1.0
        action = it.machine.next(self.now + it.ahead)
        it.doing = type(action)
        match action:
            case Write():
                yield from self._stored(number, action)
            case CheckOwner():
                yield from self._stored(number, action)
            case Post():
                self._post(it, action)
                yield ("try", number, action), self
            case Await():
                if not was_waiting:
                    yield from self._replies(number)
                if it.machine._unwritten and not it.machine._ledger_lost:
                    yield from self._stored(number, Write())
            case Ask():
                yield from self._looks(number, action)
            case SendWitness():
                yield from self._send_witness(number)
            case _:
                it.over = action == End()
                self._forget()
                yield ("try", number, action), self

    def _open(self, number: int) -> Iterator[Step]:
        writer = f"{1 if self.rules.same_number else number}-{number}"

        def alone(key: str) -> bool:
            if self.rules.fence or not others:
                return True
            # Of turns and marks: no turn changes, and marks are for storage without exclusive creation.
            if key.endswith(".replaced") or (".turn." in key and key in self.records):
                return True
            return bool(key) and ".turn." not in key and key.split(".")[1] not in others

        others = {
            f"{1 if self.rules.same_number else each.number}-{each.number}"
            for each in self.tries
            if each.alive and each.number != number
        }
        for fails in self._failures():
            new = self.copy(number)
            it, port = new.tries[number - 1], Port(new, number, fails)
            turn = Turn(port, it.log, alone=alone)
            ledger = self.rules.ledger(turn, name=NAME, try_number=int(writer[0]), clock=lambda: 0.0)
            ledger._writer = ledger._journal._writer = ledger._epochs._writer = writer
            try:
                history = ledger.open(must_exist=False)
            except NotYet:
                it.log = turn.log
            except LedgerError:
                it.over = True
            else:
                it.log = ()
                new._plan(it, ledger, history)
            ledger._store = ledger._journal._store = ledger._epochs._store = None  # type: ignore[assignment]
            if fails:
                new.store_faults -= 1
                if not it.over:
                    continue  # it had nothing to write
            yield ("try", number, "opens the ledger", fails), new

    def _failures(self) -> tuple[str, ...]:
        return ("", "lost", "half", "written") if self.store_faults else ("",)

    def _plan(self, it: Try, ledger: Ledger, history: History) -> None:
        """Do what ``send.py`` does: what is in doubt first, and then what nobody has sent, in batches."""
        rules, outcomes = self.rules, Outcomes()
        outcomes.add([history.accepted.get(digest(message), 0) for message in rules.messages])
        in_doubt = {each for doubt in history.doubts for each in messages_in(doubt.digests)} & {
            *rules.messages
        }
        outcomes.end(sorted(in_doubt), MAYBE_SENT)
        rest = [
            each for each in rules.messages if each not in in_doubt and digest(each) not in history.accepted
        ]
        batches, sizes = [], list(rules.sizes)
        while rest:
            size = sizes.pop(0)
            batches.append(tuple(rest[:size]))
            rest = rest[size:]
        it.batches, it.history = tuple(batches), history
        word = "reconcile" if self.is_last else rules.word(it.number)
        if word == "resend":
            self.words |= in_doubt
        lag = rules.report_lag
        it.machine = rules.machine(
            [
                *inherited_items(
                    history.doubts,
                    {digest(each): batch_of((each,)) for each in in_doubt},
                    history,
                    offset_s=None,
                    latest=self.now + it.ahead + START_WITHIN + EXCHANGE + rules.linger,
                ),
                *(Item(spool.Request(number, len(each))) for number, each in enumerate(batches)),
            ],
            limits=Limits(
                times=Times(
                    start_within_s=START_WITHIN,
                    skew_s=SKEW,
                    patience_s=PATIENCE,
                    poll_every_s=1,
                    poll_at_least_every_s=1,
                ),
                max_in_flight=rules.max_in_flight,
                exchange_s=EXCHANGE,
                linger_s=rules.linger,
                fenced=Port(self, it.number).fences,
                gap_s=rules.gap,
                on_in_doubt=word,
                report_lag_s=lag,
                has_witness=rules.has_witness,
            ),
            ledger=ledger,
            outcomes=outcomes,
            origin=Origin(line="1", is_scheduled=lambda: rules.is_scheduled),
            read=lambda request: batch_of(batches[request.number]),
            close=lambda requests: (
                None if history.completion and not requests else Completion(requests, None)
            ),
            absent=history.absent,
            tried=history.not_taken,
            receipts=[
                Receipt(each.outbox_id, each.at, each.until, 0, each.is_scheduled)
                for each in history.receipts
            ],
        )

    def _stored(self, number: int, action: Write | CheckOwner) -> Iterator[Step]:
        for fails in self._failures():
            new = self.copy(number)
            new.store_faults -= bool(fails)
            machine, port = new.tries[number - 1].machine, Port(new, number, fails)
            ledger = machine._ledger
            ledger._store = ledger._journal._store = ledger._epochs._store = port
            try:
                if isinstance(action, Write):
                    ledger.flush()
                    machine.written(grow_window=self.rules.grow_window)
                else:
                    machine.owner(is_me=ledger.is_owner())
            except LedgerError as err:
                machine.ledger_failed(err)
            ledger._store = ledger._journal._store = ledger._epochs._store = None
            yield ("try", number, action, fails), new

    def _post(self, it: Try, action: Post) -> None:
        messages = messages_in(Digests(it.machine.items[action.item].batch.digests))
        self._check_post(it, messages)
        it.left_at = self.now
        left = [count + (message in messages) for message, count in enumerate(self.left)]
        self.left = tuple(left)
        start_by = action.start_by - it.ahead
        until = start_by + EXCHANGE + self.rules.linger - 1 + self.rules.lingers
        self.requests += (Request(it.number, action.item, messages, start_by, until),)
        if any(left[message] > 2 + (message in self.words) for message in messages):
            raise DuplicateError(f"one of the messages {messages} leaves a third time")

    def _check_post(self, it: Try, messages: tuple[int, ...]) -> None:
        """Hold the order of requests against what the design says of it."""
        machine, doubtful = it.machine, it.machine.doubtful
        others = len(machine._under_way) - 1
        it.has_called = it.has_called and bool(doubtful)
        if doubtful:
            is_another = others or any(doubt.is_witness for each in doubtful for doubt in each.doubts)
            if is_another or it.has_called:
                raise RashError(f"{messages} leaves beside a request in doubt and its witness")
            if any(self.now + it.ahead <= each.over for each in doubtful):
                raise RashError(f"{messages} leaves as a witness, and the request in doubt is not over")
            it.has_called = True
        if others and not (machine._planned or machine._intended) and self.rules.report_lag is None:
            raise RashError(f"{messages} leaves, the last one, while others are under way")
        if self.now < max(it.left_at + self.rules.gap, it.busy_until):
            raise RashError(f"{messages} leaves before its turn")

    # --- how requests end

    def _replies(self, number: int) -> Iterator[Step]:
        for request in self.requests:
            if request.owner == number:
                for answer, result, faults in self._results(request):
                    if faults <= self.faults and (not faults or answer in self.rules.kinds):
                        yield (answer, request), self._reply(request, answer, result, faults)
                if request.taken is None and self.delays and self.now > request.start_by:
                    late = self._reply(request, "late", UnreachableError("Late.", late=True), 0)
                    late.delays -= 1
                    yield ("does not leave in its time", request), late

    def _results(self, request: Request) -> Iterator[tuple[str, Any, int]]:
        """Return in which ways a request may end, each with the faults that it takes."""
        messages = request.messages
        if request.taken is None:
            if self.repeats(request):
                yield "429", GatewayRefusedError("Again.", http_status=DUPLICATE_STATUS), 0
            else:
                yield "refused", GatewayRefusedError("No.", http_status=422), 1
                yield "busy", GatewayRefusedError("Busy.", http_status=BUSY_STATUS, retry_after_s=1.0), 1
            yield "lost", OutcomeUnknownError("Lost."), 1
        elif request.taken != messages:
            yield "lost", OutcomeUnknownError("Lost."), 0
        else:
            ids = [self.ids_of(message)[-1] for message in messages]
            yield "answered", ids, 0
            yield "lost", OutcomeUnknownError("Lost."), 1
            yield "said", OutcomeUnknownError("Yes.", said_taken=True), 1
            if len(ids) > 1:
                yield "mismatch", OutcomeUnknownError("Yes.", outbox_ids=tuple(ids[:1]), said_taken=True), 1

    def _reply(self, request: Request, answer: str, result: Any, faults: int) -> "World":
        new = self.copy(request.owner)
        new.faults -= faults
        new.requests = tuple(each for each in new.requests if each is not request)
        if answer == "lost" and request.taken is None:
            until = self.now + self.rules.linger - 1 + self.rules.lingers
            new.requests += (request._replace(owner=0, until=min(until, request.until)),)
        if answer in {"refused", "busy", "late", "429"}:
            new.tries[request.owner - 1].has_called = False
            new.left = tuple(count - (each in request.messages) for each, count in enumerate(self.left))
        it = new.tries[request.owner - 1]
        if answer == "busy":
            it.busy_until = self.now + 1
        it.machine.ended(request.item, result, new.now + it.ahead)
        return new

    # --- the reports

    def _looks(self, number: int, action: Ask) -> Iterator[Step]:
        if self.rules.reports:
            least = 0
            if self.is_last:
                least = len(self.taken)
            elif self.rules.report_lag is not None:
                lag = self.rules.report_lag + self.rules.slow_reports
                least = sum(at + lag < self.now for _, at in self.taken)
            most = len(self.taken)
            if self.rules.slow_reports and not self.is_last:
                most = least
            for shown in range(most, least - 1, -1):
                yield (
                    ("try", number, "the report shows", shown),
                    self._look(number, action, self.taken[:shown]),
                )
            if self.rules.incomplete and not self.is_last:
                yield (
                    ("try", number, "the report is incomplete"),
                    self._look(number, action, self.taken, whole=False),
                )
        if not self.is_last or not self.rules.reports:
            new = self.copy(number)
            it = new.tries[number - 1]
            it.machine.no_answer(UnsettledError("No answer."), new.now + it.ahead)
            it.machine._no_answer = None  # it is a word of the error, and no more
            yield ("try", number, "the reports give no answer"), new

    def _look(
        self, number: int, action: Ask, taken: tuple[tuple[int, float], ...], *, whole: bool = True
    ) -> "World":
        """Say what ``Reconciler.poll`` would say; what is asked for stands on the page that is missing."""
        new, rules = self.copy(number), self.rules
        it = new.tries[number - 1]
        machine, asked_at = it.machine, new.now + it.ahead
        shown = {outbox_id for outbox_id, _ in taken}
        known = {*it.history.accepted.values(), *machine._outcomes.outbox_ids(), *machine.gone_ids}
        ids = {message_of(each): each for each in sorted(shown - known, reverse=True)} if whole else {}
        for message in rules.hidden:
            ids.pop(message, None)
        findings = {}
        for each in action.items:
            item = machine.items[each]
            theirs = [ids.get(message, 0) if message >= 0 else 0 for message in messages_in(item.digests)]
            odd = [
                message in rules.altered and outbox_id
                for message, outbox_id in zip(messages_in(item.digests), theirs, strict=True)
            ]
            findings[each] = Finding(
                [0 if is_odd else outbox_id for outbox_id, is_odd in zip(theirs, odd, strict=True)],
                is_explained=not any(odd),
            )
        as_of = max((each.at for each in machine.receipts if each.outbox_id in shown), default=-math.inf)
        others = self.taken if rules.is_scheduled else taken
        of_others = [at + it.ahead for outbox_id, at in others if OTHERS <= outbox_id < WITNESS]
        if self.is_last and rules.traffic:
            of_others.append(asked_at)
            as_of = asked_at if rules.is_scheduled else as_of
        machine.reported(
            PollResult(
                asked_at,
                findings,
                is_whole=whole,
                as_of=max([as_of, *of_others]),
                as_of_scheduled=as_of if rules.is_scheduled else -math.inf,
            )
        )
        return new

    def _send_witness(self, number: int) -> Iterator[Step]:
        outbox_id = WITNESS + len(self.taken)
        for is_taken in (True, False) if self.faults else (True,):
            new = self.copy(number)
            it = new.tries[number - 1]
            if is_taken:
                at = new.now + it.ahead
                new.taken += ((outbox_id, new.now),)
                it.machine.witness_sent(Receipt(outbox_id, at, at, 1, is_scheduled=True))
            else:
                new.faults -= 1
            yield ("try", number, "sends a witness", is_taken), new

    # --- which worlds are the same

    def key(self, *, fresh: bool = False) -> bytes:
        """Tell worlds apart; a try that begins *afresh*, with all others dead, sees fewer differences."""
        now, past, rules = self.now, self.rules.past, self.rules
        alive = [] if fresh else [each for each in self.tries if each.alive]
        is_opening = any(each.machine is None for each in alive)
        lag = 0 if rules.report_lag is None else rules.report_lag + rules.slow_reports
        overs = [
            each.over + SKEW * each.is_inherited - it.ahead
            for it in alive
            if it.machine
            for each in it.machine.doubtful
        ] + self.records.overs
        parts = (
            self.records.meaning,
            [max(over - now, past) for over in self.records.overs],
            [
                (each.outbox_id, each.at - now)
                for each in self.records.read[0].receipts
                if each.at >= now - SKEW
            ],
            sorted(self.records.read[0].not_taken) if rules.repeats_refused else (),
            sorted((key, plain(value, now, past)) for key, value in self.records.items())
            if is_opening
            else (),
            [key for key in sorted(self.records) if not rules.fence and not key.endswith("head")],
            [
                (
                    outbox_id,
                    max(at - now, -lag - 1) if lag or rules.slow_reports else 0,
                    [max(min(at - over, 2 * SKEW), -2 * SKEW) for over in overs]
                    if OTHERS <= outbox_id < WITNESS
                    else 0,
                )
                for outbox_id, at in self.taken
            ],
            self.left,
            sorted(self.words),
            [
                (
                    *(each[:2] if not fresh and self._is_owned(each) else (0, 0)),
                    each.messages,
                    each.taken,
                    (max(each.until - now, -1), max(each.start_by - now, -1) if rules.delays else 0)
                    if each.taken is None
                    else 0,
                )
                for each in self.requests
            ],
            len(self.tries),
            [(each.number, each.key(now, rules, self.records.open)) for each in alive],
            () if fresh else (self.faults, self.store_faults, self.delays, self.traffic),
        )
        # Version 2 writes equal values equally.
        return hashlib.blake2b(marshal.dumps(parts, 2), digest_size=16).digest()
