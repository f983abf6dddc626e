"""
The second half of a send: batches leave in order, a few at once, until all are settled or one goes wrong.

The first failure stops new requests; those under way are waited for and recorded, whatever ends the run, a
signal included. Each batch is posted once. What certainly never left this machine is tried again a few times.
Only the thread that calls ``Run.go`` reads the spool and records what came of a batch: the ledger's intents
(before a batch is submitted) and receipts (when it is settled) belong there.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    OutcomeUnknownError,
    P2PSMSError,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.wire import Receipt
from airflow_provider_p2psms.sending.outcomes import Fate
from airflow_provider_p2psms.sending.spool import Batch, Entry, Spool

log = logging.getLogger(__name__)

CONNECT_ATTEMPTS = 3
PROGRESS_EVERY_S = 10.0
# The worst comes first: what may have been sent has to be told before what was not.
_SEVERITY = (OutcomeUnknownError, GatewayRefusedError, InvalidMessageError, UnreachableError, P2PSMSError)

Post = Callable[[list[Entry], str | None], Receipt]
SendTime = Callable[[datetime], str | None]


class Run:
    """
    One pass over the batches of a spool.

    ``receipts`` and ``failures`` are by batch number; a batch in neither was not sent. ``send_time`` is the
    first batch's, in the gateway's form.

    :param post: makes the one POST of a batch; called in threads of this run.
    :param send_time: says of each batch, as it is about to leave, for when it is (``Timing.send_time``).
    :param stop: once set, no new request leaves.
    """

    def __init__(
        self, spool: Spool, *, post: Post, send_time: SendTime, max_in_flight: int, stop: threading.Event
    ) -> None:
        self.receipts: dict[int, Receipt] = {}
        self.failures: dict[int, P2PSMSError] = {}
        self.send_time: str | None = None
        self._spool = spool
        self._post = post
        self._send_time = send_time
        self._max_in_flight = max_in_flight
        self._stop = stop
        self._under_way: dict[Future[Receipt], Batch] = {}

    def go(self) -> None:
        """Send batch after batch; what came of them stands in this object even if this is interrupted."""
        progress = _Progress(sum(batch.size for batch in self._spool.batches))
        batches = iter(self._spool.batches)
        with ThreadPoolExecutor(self._max_in_flight, thread_name_prefix="p2psms") as pool:
            try:
                while self._fill(pool, batches):
                    done, _ = wait(self._under_way, timeout=PROGRESS_EVERY_S, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(future)
                    progress.log(self.accepted)
            finally:
                self._stop.set()
                for future in list(self._under_way):
                    self._settle(future)

    @property
    def accepted(self) -> int:
        """How many recipients the gateway took."""
        return sum(self._spool.batches[number].size for number in self.receipts)

    @property
    def requests(self) -> int:
        """How many POSTs left this machine."""
        left = (GatewayRefusedError, OutcomeUnknownError)
        return len(self.receipts) + sum(isinstance(err, left) for err in self.failures.values())

    @property
    def failure(self) -> P2PSMSError | None:
        """The worst of what went wrong."""
        return min(self.failures.values(), key=_severity, default=None)

    def fate(self, batch: Batch) -> Fate:
        """Return what became of a batch, without the ids of its messages."""
        if batch.number in self.receipts:
            return Fate("accepted")
        err = self.failures.get(batch.number)
        if err is None:
            return Fate("refused", reason="not sent: the send ended before its turn")
        return Fate("in_doubt" if err.may_have_been_sent else "refused", reason=str(err))

    def _fill(self, pool: ThreadPoolExecutor, batches: Iterator[Batch]) -> bool:
        """Submit as many batches as may be under way; say whether any is."""
        while len(self._under_way) < self._max_in_flight and not self._stop.is_set():
            batch = next(batches, None)
            if batch is None:
                break
            try:
                when = self._send_time(datetime.now(UTC))
            except InvalidMessageError as err:  # earlier batches took so long that the time came too near
                self._fail(batch, err)
                break
            if batch.number == 0:
                self.send_time = when
            future = pool.submit(self._post_patiently, self._spool.read(batch), when)
            self._under_way[future] = batch
        return bool(self._under_way)

    def _post_patiently(self, entries: list[Entry], send_time: str | None) -> Receipt:
        """Post; try again what certainly never left this machine, unless the run is to stop."""
        attempts = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=lambda state: self._stop.is_set() or stop_after_attempt(CONNECT_ATTEMPTS)(state),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            sleep=self._pause,
            reraise=True,
        )
        return attempts(self._post, entries, send_time)

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _settle(self, future: Future[Receipt]) -> None:
        batch = self._under_way[future]
        try:
            self.receipts[batch.number] = future.result()
        except P2PSMSError as err:
            self._fail(batch, err)
        except Exception as err:  # noqa: BLE001 - a fault of our own says nothing about the message: in doubt
            unknown = OutcomeUnknownError(f"{type(err).__name__} while a batch was under way.")
            unknown.__cause__ = err
            self._fail(batch, unknown)
        del self._under_way[future]

    def _fail(self, batch: Batch, err: P2PSMSError) -> None:
        self.failures[batch.number] = err
        self._stop.set()


def _severity(err: P2PSMSError) -> int:
    return next(place for place, kind in enumerate(_SEVERITY) if isinstance(err, kind))


class _Progress:
    """Says how far the send is, at most every 10 seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = self._said = time.monotonic()

    def log(self, accepted: int) -> None:
        now = time.monotonic()
        if now - self._said < PROGRESS_EVERY_S:
            return
        self._said = now
        rate, left = accepted / (now - self._started), self._total - accepted
        eta = f"about {left / rate:,.0f} s" if rate else "unknown time"
        log.info("Accepted %s, left %s, %.0f a second, %s to go.", f"{accepted:,}", f"{left:,}", rate, eta)
