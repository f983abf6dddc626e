"""
The named steps of a send, and a trap that strikes at exactly one of them.

The product knows nothing of it: ``arm`` wraps its methods in the process that is to end, and only there.
"""

import signal
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_p2psms.gateway import transport
from airflow_provider_p2psms.gateway.request import SEND_PATH
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.stores import ObjectStore


class Step(StrEnum):
    """The moments at which a process may end, in their order; the first two come before any batch."""

    BEFORE_OPENING = "the ledger was read, and nothing is written"
    OPENING = "the try has taken its turn, and has no journal"
    BEFORE_INTENT = "before the intent is written"
    WRITING_INTENT = "while the file with the intent is written"
    AFTER_INTENT = "after the intent was written"
    BEFORE_REQUEST = "the owner was read, and no connection is made"
    HALF_WRITTEN = "the request is half written"
    WRITTEN = "the request is written"
    ANSWERED = "the answer is read"
    BEFORE_RECEIPT = "before the receipt is written"
    AFTER_RECEIPT = "after the receipt was written"


@dataclass(slots=True)
class Trap:
    """
    Ends this process at a step of a batch.

    :param batch: which one, from 0, in the order in which their intents are made.
    :param strike: ``SIGSTOP`` makes the process stand still instead: it goes on when it is told to.
    """

    step: Step
    batch: int
    strike: signal.Signals = signal.SIGKILL
    sprung: bool = field(default=False, init=False)

    def at(self, step: Step, *batches: int) -> None:
        """Strike, if this is the place."""
        if step is self.step and self.batch in batches and not self.sprung:
            self.sprung = True
            # To this very thread: by os.kill() another one would get it, and this one go a few steps on.
            with _HANDING_OVER:
                signal.pthread_kill(threading.get_ident(), self.strike)


# No trap strikes while another thread is between its look at the clock and the network: what a process does
# that stands still just there is the window that remains (docs/ledger.md).
_HANDING_OVER = threading.Lock()


def arm(trap: Trap) -> None:
    """Lay the trap in this process, which is to run a send's first try and nothing else."""
    _watch_opening(trap)
    _watch_ledger(trap)
    _watch_requests(trap)


def _watch_opening(trap: Trap) -> None:
    create, numbers = ObjectStore.create, count()

    @wraps(create)
    def watched_create(self: ObjectStore, key: str, value: Any) -> bool | None:
        is_first = next(numbers) == 0
        trap.at(Step.BEFORE_OPENING, *[trap.batch] * is_first)
        created = create(self, key, value)
        trap.at(Step.OPENING, *[trap.batch] * is_first)
        return created

    ObjectStore.create = watched_create  # type: ignore[method-assign]


def _watch_ledger(trap: Trap) -> None:
    intend, settle, flush, replace = Ledger.intend, Ledger.settle, Ledger.flush, Path.replace
    # One write may carry the receipt of one batch and the intents of others.
    intents, receipts, being_written = list[int](), list[int](), list[int]()

    @wraps(intend)
    def note_intent(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        doubts = intend(self, *args, **kwargs)
        intents.extend(doubt.number for doubt in doubts)
        return doubts

    @wraps(settle)
    def note_receipt(self: Ledger, doubts: Any, *args: Any, **kwargs: Any) -> None:
        settle(self, doubts, *args, **kwargs)
        receipts.extend(doubt.number for doubt in doubts)

    @wraps(flush)
    def watched_flush(self: Ledger) -> None:
        intended, settled = tuple(intents), tuple(receipts)
        intents.clear()
        receipts.clear()
        being_written[:] = intended
        trap.at(Step.BEFORE_INTENT, *intended)
        trap.at(Step.BEFORE_RECEIPT, *settled)
        flush(self)
        trap.at(Step.AFTER_INTENT, *intended)
        trap.at(Step.AFTER_RECEIPT, *settled)

    @wraps(replace)
    def watched_replace(self: Path, target: Any) -> Path:
        trap.at(Step.WRITING_INTENT, *being_written)
        return replace(self, target)

    Ledger.intend, Ledger.settle, Ledger.flush = note_intent, note_receipt, watched_flush  # type: ignore[method-assign]
    Path.replace = watched_replace  # type: ignore[method-assign, assignment]


def _watch_requests(trap: Trap) -> None:
    exchange, send = transport.Transport.exchange, transport._NotesWhatLeft.send
    numbers, under_way = count(), threading.local()

    @wraps(exchange)
    def watched_exchange(self: transport.Transport, method: str, path: str, **content: Any) -> Any:
        if path != SEND_PATH:
            under_way.batch = None
            return exchange(self, method, path, **content)
        batch = under_way.batch = next(numbers)
        trap.at(Step.BEFORE_REQUEST, batch)
        answer = exchange(self, method, path, **content)
        trap.at(Step.ANSWERED, batch)
        return answer

    @wraps(send)
    def watched_send(self: Any, data: Any) -> None:
        batch = under_way.batch
        if batch is None or data.startswith(b"POST "):  # a question, or a request's headers
            hand_over(self, data)
            return
        half = len(data) // 2
        hand_over(self, data[:half])
        trap.at(Step.HALF_WRITTEN, batch)
        hand_over(self, data[half:])
        trap.at(Step.WRITTEN, batch)

    def hand_over(self: Any, data: Any) -> None:
        with _HANDING_OVER:
            send(self, data)

    transport.Transport.exchange = watched_exchange  # type: ignore[method-assign]
    transport._NotesWhatLeft.send = watched_send  # type: ignore[method-assign]
