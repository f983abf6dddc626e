"""A process that sends is killed, or stands still, at every named step: what arrives is counted."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

import psutil
import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.times import Times
from tests.chaos.child import Pace, Row, Try, clean_processes
from tests.chaos.kill_points import Step, Trap

# The first four intents are written at once: two batches are under way, and two ahead.
BATCHES, BATCH_SIZE = 9, 4
FIRST, MIDDLE, LAST = 0, 5, BATCHES - 1
# The gateway's clock is known to about a second, so less skew would be believed too early.
TIMES = Times(
    start_within_s=1.5,
    linger_s=0.3,
    skew_s=1.0,
    patience_s=1.0,
    poll_every_s=0.2,
    poll_at_least_every_s=1.0,
    questions=10_000,
)
PACE = Pace(connect_timeout_s=0.5, read_timeout_s=1.0, times=TIMES, report_lag_s=0.3)
# In each batch two texts of their own, and one that goes to two numbers: in JSON they share a group.
ROWS: list[Row] = [
    (f"+98912000{place:04}", f"Order {place} has shipped." if place % 4 < 2 else f"Notice {place // 4}.")
    for place in range(BATCHES * BATCH_SIZE)
]

STEPS_OF_A_BATCH = [step for step in Step if step not in {Step.BEFORE_OPENING, Step.OPENING}]
STEPS_BEFORE_THE_REQUEST = {Step.BEFORE_INTENT, Step.WRITING_INTENT, Step.AFTER_INTENT}
by_form = pytest.mark.parametrize("form", ["json", "file"])


class Send:
    """One send, try after try, and the gateway that it goes to: one that hides no duplicate."""

    def __init__(self, folder: Path, *, form: Literal["json", "file"], reports: bool) -> None:
        self.gateway = Sandbox(duplicate_window_s=0, report_lag_s=0.1, reports=reports)
        self._folder, self._form = folder, form
        self._numbers = count(1)

    def start(self, trap: Trap | None = None) -> tuple[Try, BaseProcess]:
        """Begin the next try, in a process of its own."""
        attempt = Try(
            rows=ROWS,
            form=self._form,
            batch_size=BATCH_SIZE,
            url=self.gateway.base_url,
            folder=self._folder,
            number=next(self._numbers),
            pace=PACE,
            trap=trap,
        )
        process = clean_processes.Process(target=attempt.run, daemon=True)
        process.start()
        return attempt, process

    @property
    def arrived(self) -> Counter[Row]:
        """What arrived, by recipient and text."""
        return Counter((message.recipient, message.text) for message in self.gateway.arrived)


NewSend = Callable[..., Send]


@pytest.fixture
def new_send(tmp_path: Path) -> Iterator[NewSend]:
    """Prepare sends; their gateways run as long as the test."""
    with ExitStack() as stack:
        numbers = count()

        def prepare(form: Literal["json", "file"], *, reports: bool = True) -> Send:
            send = Send(tmp_path / f"{next(numbers)}", form=form, reports=reports)
            send._folder.mkdir()
            stack.enter_context(send.gateway)
            return send

        yield prepare


def run(sends: list[Send], traps: list[Trap] | None = None) -> list[Try]:
    """Run one try of each to its end, all at once: most of their time is waiting."""
    started = [send.start(traps[place] if traps else None) for place, send in enumerate(sends)]
    for _, process in started:
        process.join()
        assert (-signal.SIGKILL if traps else 0) == process.exitcode
    return [attempt for attempt, _ in started]


@by_form
@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower())
def test_a_killed_send_is_finished_exactly_once(new_send: NewSend, step: Step, form: Literal["json", "file"]):
    """
    Killed at a step of its first, a middle or its last batch, a send is finished by its next try.

    Every message arrives once and is named as accepted; a further try sends nothing and returns the same.
    """
    sends = [new_send(form) for _ in range(3)]
    run(sends, [Trap(step, batch) for batch in (FIRST, MIDDLE, LAST)])

    second = run(sends)
    requests = [send.gateway.send_requests for send in sends]
    third = run(sends)

    for send, finished, repeated, sent in zip(sends, second, third, requests, strict=True):
        assert Counter(ROWS) == send.arrived
        assert len(ROWS) == finished.result["accepted"]
        assert ["accepted"] * len(ROWS) == [line["outcome"] for line in finished.outcomes]
        assert finished.result | {"already_accepted": len(ROWS)} == repeated.result
        assert finished.outcomes == repeated.outcomes
        assert sent == send.gateway.send_requests


@by_form
@pytest.mark.parametrize("step", STEPS_OF_A_BATCH, ids=lambda step: step.name.lower())
def test_without_reports_nothing_is_sent_twice(new_send: NewSend, step: Step, form: Literal["json", "file"]):
    """Where no report can settle it, no message arrives twice, and each is named as what it is."""
    send = new_send(form, reports=False)
    run([send], [Trap(step, MIDDLE)])

    [second] = run([send])

    outcomes = dict(zip(ROWS, (line["outcome"] for line in second.outcomes), strict=True))
    # Intents are written ahead: at this batch's intent even the first requests may still be connecting, and a
    # killed process sends nothing more. At its request all but one of the earlier requests have ended.
    assert {1} >= set(send.arrived.values())
    assert step in STEPS_BEFORE_THE_REQUEST or send.arrived
    # The last write of so short a send has all receipts in it, and behind it there is nothing in doubt.
    is_whole = step is Step.AFTER_RECEIPT
    assert (None if is_whole else "UnsettledError") == second.said.get("error")
    assert is_whole == ({"accepted"} == set(outcomes.values()))
    assert {row for row, outcome in outcomes.items() if outcome == "accepted"} <= send.arrived.keys()
    assert send.arrived.keys() <= {row for row, outcome in outcomes.items() if outcome != "refused"}
    assert {"accepted", "in_doubt", "refused"} >= set(outcomes.values())


@by_form
@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower())
def test_a_try_that_stood_still_sends_nothing_more(
    new_send: NewSend, step: Step, form: Literal["json", "file"]
):
    """A try that stands still at a step and goes on when its successor has finished changes nothing."""
    send = new_send(form)
    _, old = send.start(Trap(step, MIDDLE, strike=signal.SIGSTOP))
    wait_until_it_stands(old)

    [second] = run([send])
    psutil.Process(old.pid).resume()
    old.join()

    assert Counter(ROWS) == send.arrived
    assert len(ROWS) == second.result["accepted"]


def wait_until_it_stands(process: BaseProcess) -> None:
    """Wait until the process has stopped itself."""
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
