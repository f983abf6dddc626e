"""
Does what the ``SendMachine`` says, with threads, sockets, a clock and the ledger's store.

Requests leave in worker threads, a few at once. Only the thread that calls ``Driver.go`` touches the machine,
the spool and the ledger. Whatever ends the run, a signal included: requests under way are waited for and
recorded.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import assert_never

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    wait_random_exponential,
)

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.outbox import NoAnswerError
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.sending.clock import Clock
from airflow_provider_p2psms.sending.machine import (
    Ask,
    Await,
    CheckOwner,
    End,
    Pause,
    Post,
    SendMachine,
    SendWitness,
    Settled,
    Step,
    Write,
)
from airflow_provider_p2psms.sending.progress import Progress
from airflow_provider_p2psms.sending.reconcile import Reconciler
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.sending.witness import WitnessMessage

log = logging.getLogger(__name__)

# Durable writes take some milliseconds, for which requests would wait: where the next one is due sooner than
# this, it covers more requests.
_GROW_WINDOW_S = 0.15

# Posts messages, for when, and until when it may leave (``elapsed()``); gives the id of each.
Send = Callable[[Batch, str | None, float], Sequence[int]]


class Driver:
    """
    One try's run.

    :param send: makes the one POST of a batch; called in threads of this run.
    :param send_time: says of each batch, as it is about to leave, for when it is (``Timing.send_time``).
    :param stop: once set, no new request leaves. It is never set here.
    """

    def __init__(
        self,
        machine: SendMachine,
        ledger: Ledger,
        *,
        send: Send,
        reports: Reconciler,
        witness: WitnessMessage | None,
        send_time: Callable[[datetime], str | None],
        stop: threading.Event,
        clock: Clock,
        progress: Progress,
        times: Times,
    ) -> None:
        self.stopped = False
        self.send_time: str | None = None
        self._machine, self._ledger = machine, ledger
        self._send, self._reports, self._witness = send, reports, witness
        self._when, self._stop, self._clock, self._progress = send_time, stop, clock, progress
        self._times = times
        self._over = threading.Event()  # wakes what waits to try again
        self._under_way: dict[Future[Sequence[int]], int] = {}
        self._ended = SimpleQueue[Future[Sequence[int]]]()
        # What certainly never left this machine is tried again, while its intent lasts.
        self._attempts = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=self._is_last,
            wait=wait_random_exponential(multiplier=0.5, max=times.connect_pause_s),
            sleep=sleep_using_event(self._over),
            reraise=True,
        )
        self._written_at = 0.0
        self._settled: Settled | None = None

    def go(self, *, max_in_flight: int) -> None:
        """Do what the machine says until it says that it is over."""
        machine = self._machine
        with ThreadPoolExecutor(max_in_flight, thread_name_prefix="p2psms") as pool:
            try:
                while not isinstance(step := machine.next(self._clock()), End):
                    self._do(step, pool)
                    if self._stop.is_set():
                        self.stopped = True
                        self._over.set()
                        machine.halt()
            except LedgerError as err:
                # The error itself is raised with the result.
                log.error("The ledger cannot be written, so no further request is sent.")  # noqa: TRY400
                machine.ledger_failed(err)
            finally:
                self._over.set()
                self._finish()

    def _do(self, step: Step, pool: ThreadPoolExecutor) -> None:
        match step:
            case Write():
                self._write()
            case CheckOwner():
                self._machine.owner(is_me=self._ledger.is_owner())
            case Post():
                self._post(step, pool)
            case Await(until):
                self._await(until)
            case Ask(items):
                self._ask(items)
            case SendWitness():
                self._send_witness()
            case Pause(until):
                self._stop.wait(max(0.0, until - self._clock()))
            case _:
                assert_never(step)

    def _write(self) -> None:
        at = self._clock()
        grow_window = at - self._written_at < _GROW_WINDOW_S
        self._written_at = at
        self._ledger.flush()
        self._machine.written(grow_window=grow_window)
        self._take_answers()

    # --- requests

    def _post(self, action: Post, pool: ThreadPoolExecutor) -> None:
        item = self._machine.items[action.item]
        try:
            when = self._when(datetime.now(UTC))
        except InvalidMessageError as err:  # earlier batches took so long that the time came too near
            self._machine.not_sent(action.item, err)
            return
        self.send_time = self.send_time or when
        start_by = self._clock.elapsed(action.start_by)
        future = pool.submit(self._attempts, self._send, item.batch, when, start_by)
        self._under_way[future] = action.item
        future.add_done_callback(self._ended.put)

    def _is_last(self, attempt: RetryCallState) -> bool:
        *_, start_by = attempt.args
        late = elapsed() + 1.0 > start_by
        is_over = self._over.is_set() or self._stop.is_set()
        return is_over or late or attempt.attempt_number >= self._times.connect_attempts

    def _await(self, until: float) -> None:
        timeout = max(0.0, min(self._times.write_every_s, until - self._clock()))
        with suppress(Empty):
            self._answered(self._ended.get(timeout=timeout))
        self._take_answers()
        # The machine writes when it makes intents; those of a slow gateway last for long.
        if self._clock() - self._written_at > self._times.write_every_s:
            self._write()
        self._progress.log()

    def _take_answers(self) -> None:
        """Report all requests that have ended: what the machine does next depends on them."""
        with suppress(Empty):
            while True:
                self._answered(self._ended.get_nowait())

    def _answered(self, future: Future[Sequence[int]]) -> None:
        self._machine.ended(self._under_way[future], _result(future), self._clock())
        # Not before: what an interrupt leaves here is looked at again at the end.
        del self._under_way[future]

    # --- what is in doubt

    def _ask(self, items: tuple[int, ...]) -> None:
        machine = self._machine
        log.debug("Asking the gateway's reports for %s requests in doubt.", f"{len(items):,}")
        try:
            poll = self._reports.poll({each: machine.items[each] for each in items}, list(machine.receipts))
        except (NoAnswerError, GatewayRefusedError, UnreachableError) as err:
            log.info("The reports gave no answer: %s", err.headline)
            machine.no_answer(err, self._clock())
        else:
            settled = machine.reported(poll)
            # What the poll before has said is not said again: a try may ask for minutes.
            log.log(
                logging.DEBUG if settled == self._settled else logging.INFO,
                "Reports on messages in doubt: %s taken, %s not taken (may leave again), %s still in doubt.",
                *(f"{count:,}" for count in settled),
            )
            self._settled = settled

    def _send_witness(self) -> None:
        receipt = self._witness.send() if self._witness else None
        if receipt:
            self._machine.witness_sent(receipt)

    # --- the end

    def _finish(self) -> None:
        machine = self._machine
        for future in list(self._under_way):
            self._answered(future)
        machine.halt()
        with suppress(LedgerError):  # what is not recorded is in doubt, and the next try settles it
            if self._witness:
                self._witness.cancel()
            while isinstance(machine.next(self._clock()), Write):
                self._ledger.flush()
                machine.written()


def _result(future: Future[Sequence[int]]) -> Sequence[int] | P2PSMSError:
    try:
        return future.result()
    except (OutcomeUnknownError, GatewayRefusedError, UnreachableError) as err:
        if err.may_have_been_sent:
            log.warning("Outcome unknown. %s", err.headline)
        return err
    except Exception as err:  # noqa: BLE001 - a fault of our own says nothing about the message: in doubt
        unknown = OutcomeUnknownError(f"{type(err).__name__} while a batch was under way.")
        unknown.__cause__ = err
        return unknown
