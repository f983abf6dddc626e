"""The scheduled message is cancelled, whatever happens: lost answers, refusals, Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from airflow_provider_p2psms.verifying.interrupts import Interrupts
from tests.verifying.conftest import ORDER, OWN_NUMBER, Done, StartSandbox, Verify, order_fault

CANCEL = "/api/send/cancel"


@pytest.mark.parametrize(
    ("fault", "times"),
    [("500_before", 2), ("502_html", 1), ("cut_before_answer", 1), ("refuse_404", 2), ("refuse_429", 1)],
)
def test_a_cancel_is_tried_again(gateway: StartSandbox, verify_fast: Verify, fault, times):
    """A cancel that was refused or whose answer was lost is repeated until it is done."""
    sandbox = gateway()
    sandbox.order_fault(fault, path=CANCEL, times=times)

    done = verify_fast(sandbox, cancel_pause_s=0.0)

    assert (0, set(), "as documented") == (done.code, done.scheduled, done["schedule.cancel"]["result"])


def test_a_cancel_that_never_works_is_for_a_person(gateway: StartSandbox, verify_fast: Verify):
    """Exit code 1, the id and the time of the message, and what to do."""
    sandbox = gateway()
    sandbox.order_fault("refuse_422", path=CANCEL, times=None)

    done = verify_fast(sandbox, cancel_tries=2, cancel_pause_s=0.0)

    [outbox_id] = done.scheduled
    assert 1 == done.code
    for words in (f"The scheduled message {outbox_id} was NOT cancelled.", "gateway's panel"):
        assert words in done.report["ended"]
        assert words in done.told
    assert "nothing; do not set witness_recipient" == done["schedule.report"]["connection"]


@pytest.mark.parametrize("fault", ["502_html", "no_ids", "cut_before_answer"])
def test_a_lost_answer_is_looked_up_and_cancelled(gateway: StartSandbox, verify: Verify, fault):
    """A message that may be scheduled is searched in the report by its text, and cancelled."""
    sandbox = gateway()
    order_fault(sandbox, fault, at="scheduled")

    done = verify(sandbox)

    assert (1, set()) == (done.code, done.scheduled)
    assert "as documented" == done["schedule.cancel"]["result"]


def test_a_lost_answer_that_no_report_shows_is_for_a_person(gateway: StartSandbox, verify_fast: Verify):
    """The report says that a message may be scheduled, and for when."""
    sandbox = gateway(reports=False)
    order_fault(sandbox, "502_html", at="scheduled")

    done = verify_fast(sandbox, cancel_pause_s=0.0)

    assert (1, 1) == (done.code, len(done.scheduled))
    assert "A message to your number may be scheduled for" in done.report["ended"]


def test_a_lost_answer_that_is_shown_late(gateway: StartSandbox, verify_fast: Verify):
    """It is searched again, and cancelled once the report shows it."""
    sandbox = gateway(report_lag_s=0.5)
    order_fault(sandbox, "502_html", at="scheduled")

    done = verify_fast(sandbox, wait_s=0.0, cancel_pause_s=0.2)

    assert (1, set()) == (done.code, done.scheduled)


def test_a_gateway_that_sends_a_scheduled_message_at_once(gateway: StartSandbox, verify_fast: Verify):
    """There is nothing to cancel, and the report says so."""
    sandbox = gateway()
    sandbox.order_fault("refuse_404", path=CANCEL, times=None)
    clock = sandbox.clock

    def later():
        is_scheduled = any(each.send_time for each in sandbox.arrived)
        return clock() + (100 * 86_400 if is_scheduled else 0)

    sandbox.clock = later

    done = verify_fast(sandbox, cancel_pause_s=0.0)

    assert "There was nothing to cancel" in done["schedule.cancel"]["observed"]
    assert (0, "not asked") == (done.code, done["schedule.after"]["result"])


def test_scheduling_that_is_refused(gateway: StartSandbox, verify: Verify):
    """There is nothing to cancel then."""
    sandbox = gateway()
    order_fault(sandbox, "refuse_422", at="scheduled")

    done = verify(sandbox)

    assert (1, "differs", "not observed") == (
        done.code, done["schedule.send"]["result"], done["schedule.cancel"]["result"],
    )  # fmt: skip
    assert 0 == sum(request.path == CANCEL for request in sandbox.requests)


# Python leaves SIGINT alone where the parent ignores it, as a shell does for jobs in the background.
PROGRAM = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
from airflow_provider_p2psms.cli import main
sys.exit(main())
"""


def start(*arguments):
    command = [sys.executable, "-c", PROGRAM, "verify", "--to", OWN_NUMBER, "--yes", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, words):
    """Read what it tells until these words come."""
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"it never said: {words}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_a_signal_cancels_and_prints_what_is_known(gateway: StartSandbox, number):
    """While it waits for the reports: exit code 130, the scheduled message cancelled, the table printed."""
    sandbox = gateway(report_lag_s=300.0)
    with start("--wait", "300") as process:
        wait_for(process, "The reports show 0 of 7 messages")
        process.send_signal(number)
        printed, told = process.communicate(timeout=60)

    assert (130, set()) == (process.returncode, Done(0, {}, "", sandbox).scheduled)
    assert "Stopped by a signal. This is what is known." in printed
    assert "3 ids for 3 groups." in printed
    assert "Traceback" not in told


def test_what_was_seen_before_a_signal_is_printed(gateway: StartSandbox):
    """Lines that are known by then are there, and those that were not asked are named."""
    sandbox = gateway(scheduled_listed="when_sent", text_letters="persian")
    with start("--wait", "300") as process:
        wait_for(process, "The reports show 6 of 7 messages")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)

    assert (130, set()) == (process.returncode, Done(0, {}, "", sandbox).scheduled)
    assert "as Persian ya and kaf" in " ".join(printed.replace("│", " ").split())
    assert "Not asked: " in printed


def test_a_signal_while_the_message_is_scheduled(gateway: StartSandbox):
    """The answer is waited for, so that its id is known and cancelled."""
    sandbox = gateway()
    sandbox.order_fault("slow", after=ORDER.index("scheduled"), delay_s=2.0)
    with start("--wait", "5") as process:
        while not any(each.send_time for each in sandbox.arrived):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)

    assert (130, set()) == (process.returncode, Done(0, {}, "", sandbox).scheduled)
    assert "Cancelled" in printed


def test_two_signals_do_not_break_the_cancel(gateway: StartSandbox):
    """A second Ctrl-C while it cancels is not obeyed."""
    sandbox = gateway(report_lag_s=300.0)
    sandbox.order_fault("500_before", path=CANCEL, times=1)
    with start("--wait", "300") as process:
        wait_for(process, "The reports show 0 of 7 messages")
        process.send_signal(signal.SIGINT)
        while not any(request.path == CANCEL for request in sandbox.requests):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert (130, set()) == (process.returncode, Done(0, {}, "", sandbox).scheduled)


def test_a_signal_while_it_asks_sends_nothing(gateway: StartSandbox):
    """Before anything was sent there is nothing to cancel."""
    sandbox = gateway()
    sandbox.order_fault("slow", path="/api/acl/auth/check_token", delay_s=5.0)
    with start() as process:
        while not sandbox.requests:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert (130, 0) == (process.returncode, sandbox.send_requests)


def raise_signal():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _signals():
    """The handler of a process that nobody has told to ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_a_block():
    """It is raised once the block is done, not within it."""
    done = False

    def hold():
        nonlocal done
        with interrupts.hold(), interrupts.hold():
            raise_signal()
            done = True

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        hold()

    assert (True, True) == (done, interrupts.came)


def test_only_the_first_interrupt_counts():
    """Later ones are noted, and do not break what is done at the end."""
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            raise_signal()
        raise_signal()
        with interrupts.hold():
            raise_signal()


def test_a_signal_that_is_ignored_stays_ignored():
    """A job in the background is not stopped by the Ctrl-C that is for another one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        raise_signal()

    assert not interrupts.came


def test_other_threads_have_no_signals():
    """Outside of the main thread the handlers stay as they are."""
    handlers = []

    def look():
        with Interrupts():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert [signal.default_int_handler] == handlers
