"""
The second half of a send: what the protocol says is done here, with threads, sockets, a clock and the ledger.

Requests leave in worker threads, a few at once; only the thread that calls ``Run.go`` reads the spool and
writes the ledger. Whatever ends the run, a signal included, those under way are waited for and recorded.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.clock import elapsed
from airflow_provider_p2psms.ledger.ledger import Doubt, History, Ledger
from airflow_provider_p2psms.ledger.protocol import (
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
from airflow_provider_p2psms.ledger.records import NOT_TAKEN, Closing
from airflow_provider_p2psms.ledger.reports import Outbox, Request, Search
from airflow_provider_p2psms.sending.fates import NOT_SENT, Fate, Fates
from airflow_provider_p2psms.sending.pace import Clock, Progress
from airflow_provider_p2psms.sending.spool import Batch, Parcel, Spool

log = logging.getLogger(__name__)

CONNECT_ATTEMPTS = 3
DUPLICATE_STATUS = 429
BUSY_STATUS = 503
# Durable writes take some milliseconds, for which requests would wait: where the next one is due sooner than
# this, it covers more requests. And so long at most stays unwritten what came of a request.
SOON_S = 0.15
WRITE_EVERY_S = 1.0
# Beyond it a later try goes on; a worker has better things to do.
LONGEST_WAIT_S = 300.0

# Posts an item's messages, for when, and until when it may leave (``elapsed()``); gives the id of each.
Send = Callable[[Parcel, str | None, float], Sequence[int]]


@dataclass(slots=True)
class Item:
    """
    The messages of one request.

    ``parcel`` is read from the spool's ``batch`` when it is needed, or is what is left of an item that
    was in doubt. ``doubts`` are its open intents.
    """

    batch: Batch | None = None
    parcel: Parcel = field(default_factory=Parcel, repr=False)
    doubts: list[Doubt] = field(default_factory=list)


class Run:
    """
    One try's run over what is to be sent.

    What came of each message stands in ``fates``; ``failure`` and ``stopped`` say why it ended early, and
    ``closing`` is there if at the end all are accepted, by this try or an earlier one.

    :param cost: what the closing is to say of it.
    :param send: makes the one POST of a batch; called in threads of this run.
    :param send_time: says of each batch, as it is about to leave, for when it is (``Timing.send_time``).
    :param stop: once set, no new request leaves.
    """

    def __init__(
        self,
        ledger: Ledger,
        protocol: Protocol,
        items: list[Item],
        fates: Fates,
        spool: Spool,
        *,
        send: Send,
        outbox: Outbox,
        sender: str,
        cost: int | None,
        history: History,
        send_time: Callable[[datetime], str | None],
        stop: threading.Event,
        clock: Clock,
    ) -> None:
        self.failure: P2PSMSError | None = None
        self.stopped = False
        self.closing: Closing | None = None
        self.requests = 0
        self.found = 0
        self._ledger, self._protocol, self._items = ledger, protocol, items
        self._fates, self._spool = fates, spool
        self._send, self._outbox, self._sender = send, outbox, sender
        self._history, self._when, self._cost = history, send_time, cost
        self._send_time: str | None = None
        self._stop, self._clock = stop, clock
        self._under_way: dict[Future[Sequence[int]], int] = {}
        self._ended = SimpleQueue[Future[Sequence[int]]]()
        # What certainly never left this machine is tried again, while its intent lasts.
        self._attempts = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=self._is_last,
            wait=wait_random_exponential(multiplier=0.5, max=5),
            sleep=self._pause,
            reraise=True,
        )
        self._written_at = 0.0
        self._progress = Progress(fates)

    def go(self, *, max_in_flight: int) -> None:
        """Do what the protocol says until it says that it is over."""
        with ThreadPoolExecutor(max_in_flight, thread_name_prefix="p2psms") as pool:
            try:
                while not isinstance(action := self._protocol.next(self._clock()), End):
                    self._do(action, pool)
                    if self._stop.is_set():
                        self.stopped = True
                        self._protocol.halt()
            except LedgerError as err:
                self._give_up(err)
            finally:
                self._stop.set()
                self._finish()

    # --- one action

    def _do(self, action: object, pool: ThreadPoolExecutor) -> None:
        match action:
            case Record():
                self._record(action)
            case CheckOwner():
                self._check_owner()
            case Post():
                self._post(action, pool)
            case Await(until):
                self._await(until)
            case Ask():
                self._ask(action, pool)
            case Pause():
                self._stop.wait(max(0.0, action.until - self._clock()))

    def _record(self, action: Record) -> None:
        for number in action.take_back:
            self._settle(number, NOT_TAKEN)
        at = self._clock()
        for number in action.intend:
            item = self._items[number]
            item.parcel = item.parcel or self._read(item)
            item.doubts = self._ledger.intend(
                item.parcel.digests,
                sender=self._sender,
                at=at,
                until=self._protocol.over_by(at),
            )
        if not (action.intend or self._under_way):
            self._close()
        soon = at - self._written_at < SOON_S
        self._write()
        self._protocol.recorded(action, at, soon=soon)

    def _write(self) -> None:
        self._written_at = self._clock()
        self._ledger.flush()

    def _check_owner(self) -> None:
        is_me = self._ledger.is_owner()
        if not is_me:
            self.failure = ReplacedError("A newer try of this task has begun; this one sends nothing more.")
        self._protocol.owner(is_me=is_me)

    def _post(self, action: Post, pool: ThreadPoolExecutor) -> None:
        item = self._items[action.item]
        try:
            when = self._when(datetime.now(UTC))
        except InvalidMessageError as err:  # earlier batches took so long that the time came too near
            self._not_sent(action.item, err)
            return
        self._send_time = self._send_time or when
        start_by = self._clock.elapsed(action.start_by)
        future = pool.submit(self._attempts, self._send, item.parcel, when, start_by)
        self._under_way[future] = action.item
        future.add_done_callback(self._ended.put)

    def _is_last(self, attempt: RetryCallState) -> bool:
        *_, start_by = attempt.args
        late = elapsed() + 1.0 > start_by
        return self._stop.is_set() or late or attempt.attempt_number >= CONNECT_ATTEMPTS

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _await(self, until: float) -> None:
        timeout = max(0.0, min(WRITE_EVERY_S, until - self._clock()))
        with suppress(Empty):
            self._answered(self._ended.get(timeout=timeout))
            while True:
                self._answered(self._ended.get_nowait())
        # The protocol writes when it makes intents; those of a slow gateway last for long.
        if self._clock() - self._written_at > WRITE_EVERY_S:
            self._write()
        self._progress.log()

    # --- what came of a request

    def _answered(self, future: Future[Sequence[int]]) -> None:
        number = self._under_way[future]
        try:
            self._accepted(number, future.result())
        except (OutcomeUnknownError, GatewayRefusedError, UnreachableError) as err:
            self._failed(number, err)
        except Exception as err:  # noqa: BLE001 - a fault of our own says nothing about the message: in doubt
            unknown = OutcomeUnknownError(f"{type(err).__name__} while a batch was under way.")
            unknown.__cause__ = err
            self._failed(number, unknown)
        # Not before: what an interrupt leaves here is looked at again at the end.
        del self._under_way[future]

    def _accepted(self, number: int, ids: Sequence[int]) -> None:
        self.requests += 1
        self._take(number, ids)
        self._protocol.settled(number)

    def _failed(self, number: int, err: P2PSMSError) -> None:
        status = err.http_status if isinstance(err, GatewayRefusedError) else None
        self.requests += not isinstance(err, UnreachableError)
        said_taken = status == DUPLICATE_STATUS and self._was_tried(number)
        if said_taken or err.may_have_been_sent:
            log.warning("A request is in doubt: %s", err)
            self._end(number, Fate("in_doubt", reason=str(err)))
            self._protocol.unknown(number, self._clock(), said_taken=said_taken)
        elif isinstance(err, UnreachableError) and err.late:
            self._settle(number, NOT_TAKEN)
            self._protocol.too_late(number)
        elif isinstance(err, GatewayRefusedError) and status == BUSY_STATUS:
            self._wait_for_gateway(number, err)
        else:
            self._not_sent(number, err)

    def _wait_for_gateway(self, number: int, err: GatewayRefusedError) -> None:
        """Let nothing leave for as long as the gateway asks; what it did not take is sent again then."""
        wait_s = err.retry_after_s or 0.0
        if wait_s > LONGEST_WAIT_S:
            self._not_sent(number, UnreachableError(f"The gateway asks to wait for {wait_s:,.0f} s."))
            return
        log.warning("The gateway took nothing and asks to wait for %.0f s.", wait_s)
        self._settle(number, NOT_TAKEN)
        self._protocol.busy(number, self._clock(), wait_s)

    def _was_tried(self, number: int) -> bool:
        parcel = self._items[number].parcel
        tried = self._history.not_taken
        return self._protocol.was_in_doubt(number) or not tried.isdisjoint(parcel.digests)

    def _not_sent(self, number: int, err: P2PSMSError) -> None:
        self._end(number, Fate("refused", reason=str(err)))
        self._settle(number, NOT_TAKEN)
        self._protocol.not_sent(number)
        self._protocol.halt()
        if not isinstance(self.failure, GatewayRefusedError):
            self.failure = err

    def _take(self, number: int, ids: Sequence[int]) -> None:
        """Note the ids of an item's messages, and that those with id 0 were not taken."""
        item, parcel = self._items[number], self._items[number].parcel
        self._fates.accept(parcel.places, ids)
        self._ledger.settle(item.doubts, parcel.digests, ids)
        item.doubts = []
        if all(ids):
            item.parcel = Parcel()
        elif any(ids):
            item.parcel = parcel.select([not outbox_id for outbox_id in ids])

    def _settle(self, number: int, outbox_id: int) -> None:
        self._take(number, [outbox_id] * len(self._items[number].parcel))

    def _end(self, number: int, fate: Fate) -> None:
        self._fates.end(self._items[number].parcel.places, fate)

    # --- what is in doubt

    def _ask(self, action: Ask, pool: ThreadPoolExecutor) -> None:
        asked_at = self._clock()
        requests = [self._request(self._items[number]) for number in action.items]
        # Ids that the ledger holds belong to other requests than these.
        known_ids = {*self._history.accepted.values(), *self._fates.outbox_ids()}
        log.info("Asking the gateway's reports for %s requests in doubt.", len(requests))
        try:
            searches = self._outbox.find_taken(requests, known_ids=known_ids, pool=pool)
        except GatewayRefusedError as err:
            self.failure = OutcomeUnknownError(f"The gateway has no reports to ask: {err}")
            self._protocol.no_reports()
            return
        except UnreachableError as err:
            if any(self._protocol.is_over(number, asked_at) for number in action.items):
                self.failure = err
                self._protocol.halt()
                return
            searches = [Search(request) for request in requests]
        for number, search in zip(action.items, searches, strict=True):
            self._reported(number, search, asked_at)

    def _request(self, item: Item) -> Request:
        columns = item.parcel.columns()
        return Request(
            sender=item.doubts[0].sender,
            at=min(doubt.at for doubt in item.doubts),
            until=max(doubt.until for doubt in item.doubts),
            messages=tuple(zip(*(map(bytes.decode, column) for column in columns), strict=True)),
        )

    def _reported(self, number: int, search: Search, asked_at: float) -> None:
        parcel = self._items[number].parcel
        missing = search.ids.count(0)
        found: Found = (
            "all" if not missing else "hazy" if search.hazy else "some" if any(search.ids) else "none"
        )
        if self._protocol.reported(number, asked_at, found=found):
            log.info("In doubt: %s were taken, %s were not.", len(parcel) - missing, missing)
            inherited = self._items[number].batch is None
            self.found += len(parcel) - missing if inherited else 0
            self._take(number, search.ids)
            self._end(number, NOT_SENT)

    # --- the end

    def _finish(self) -> None:
        for future in list(self._under_way):
            self._answered(future)
        self._protocol.halt()
        self._close()
        with suppress(LedgerError):  # what is not recorded is in doubt, and the next try finds it out
            while isinstance(action := self._protocol.next(self._clock()), Record):
                self._record(action)

    def _close(self) -> None:
        if self.closing or not self._fates.all_accepted():
            return
        self.closing = self._history.closing
        if self.requests or not self.closing:
            self.closing = Closing(self.requests, self._send_time, self._cost)
            self._ledger.close(self.closing)

    def _give_up(self, err: LedgerError) -> None:
        log.error("The ledger failed, so nothing more leaves: %s", err)
        self.failure = err
        self._protocol.halt(ledger_lost=True)

    @property
    def doubtful(self) -> Iterator[Item]:
        """The items that are in doubt."""
        return (
            item
            for item, stage in zip(self._items, self._protocol.stages, strict=True)
            if stage is Stage.IN_DOUBT
        )

    def _read(self, item: Item) -> Parcel:
        assert item.batch  # noqa: S101 - an item without messages is a batch of the spool
        return self._spool.read(item.batch)
