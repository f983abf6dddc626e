"""Cancelling: an outcome for each id, whatever is asked twice or answered not at all."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from airflow_provider_p2psms.delivery import cancel
from airflow_provider_p2psms.errors import AuthenticationError, GatewayRefusedError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from tests.delivery.conftest import Clock

CANCEL = "/api/send/cancel"
cancel_messages = partial(cancel.cancel_messages, pause_s=0)


@pytest.fixture
def clock(clock: Clock) -> Clock:
    """The time of this machine, since the rule of five minutes is told by it."""
    clock.now = datetime.now(UTC).timestamp()
    return clock


@pytest.fixture
def schedule(send: Callable[..., list[int]], clock: Clock) -> Callable[..., list[int]]:
    """Schedule texts so many minutes ahead."""

    def schedule(*texts: str, minutes: float = 60) -> list[int]:
        at = datetime.fromtimestamp(clock.now, UTC) + timedelta(minutes=minutes)
        return send(*texts, send_time=f"{at:%Y-%m-%d %H:%M:%S}")

    return schedule


def state(client, outbox_id):
    return client.report_by_bulk(outbox_id)["state_id"]


def test_scheduled_messages_are_cancelled(client: GatewayClient, schedule):
    """Each is cancelled at the gateway, and told so."""
    ids = schedule("a", "b", "c")

    assert dict.fromkeys(ids, "cancelled") == cancel_messages(client, ids)
    assert [7, 7, 7] == [state(client, each) for each in ids]


def test_no_ids(client: GatewayClient, sandbox: Sandbox):
    """Nothing to cancel asks nothing."""
    assert {} == cancel_messages(client, ())
    assert [] == sandbox.requests


def test_a_second_time_they_still_are(client: GatewayClient, schedule, sandbox: Sandbox):
    """What is cancelled already is cancelled, and not asked for again."""
    ids = schedule("a", "b")
    cancel_messages(client, ids)
    before = len([request for request in sandbox.requests if request.path == CANCEL])

    assert dict.fromkeys(ids, "cancelled") == cancel_messages(client, ids)
    assert before == len([request for request in sandbox.requests if request.path == CANCEL])


def test_a_second_time_without_reports(client: GatewayClient, schedule, sandbox: Sandbox):
    """Without reports an earlier cancel cannot be told from an unknown id; what can be cancelled is."""
    first, second = schedule("a", "b")
    cancel_messages(client, [first])
    sandbox.reports = False

    assert {first: "not_found_or_too_late", second: "cancelled"} == cancel_messages(client, [first, second])


def test_too_late_is_said_before_it_is_asked(client: GatewayClient, schedule, send, clock: Clock, caplog):
    """Less than five minutes before, and after, the rule is told; each id has its outcome."""
    [soon], [sent], [far] = schedule("soon", minutes=6), send("now"), schedule("far")
    clock.now += 90  # the gateway's; by ours it is 6 minutes ahead, so only what is sent is known to be late

    outcomes = cancel_messages(client, [soon, sent, far, 999])

    assert {
        soon: "not_found_or_too_late",
        sent: "not_found_or_too_late",
        far: "cancelled",
        999: "not_found_or_too_late",
    } == outcomes
    assert "1 messages are due in less than 5 minutes" in caplog.text


@pytest.mark.parametrize(
    "fault", ["cut_before_answer", "500_after", "garbage", "502_html_before", "cut_before_taken"]
)
def test_a_lost_answer_is_settled(fault, client: GatewayClient, schedule, sandbox: Sandbox):
    """Where the answer is lost it is asked again, and the reports say whether it had been taken."""
    ids = schedule("a")
    sandbox.order_fault(fault, path=CANCEL)

    assert {ids[0]: "cancelled"} == cancel_messages(client, ids)


@pytest.mark.parametrize(("fault", "outcome"), [("500_after", "cancelled"), ("500_before", "in_doubt")])
def test_no_answer_at_all(fault, outcome, client: GatewayClient, schedule, sandbox: Sandbox):
    """Three times without an answer is in doubt, unless the reports show that it was cancelled."""
    ids = schedule("a")
    sandbox.order_fault(fault, path=CANCEL, times=None)

    assert {ids[0]: outcome} == cancel_messages(client, ids)


def test_no_answer_of_any_kind(client: GatewayClient, schedule, sandbox: Sandbox):
    """Silence of the reports as well leaves it in doubt."""
    ids = schedule("a")
    for path in (CANCEL, "/api/report/by_bulk"):
        sandbox.order_fault("500_after", path=path, times=None)

    assert {ids[0]: "in_doubt"} == cancel_messages(client, ids)


def test_more_ids_than_questions(client: GatewayClient, schedule):
    """What the reports were not asked for is cancelled without."""
    ids = schedule("a", "b", "c")

    assert dict.fromkeys(ids, "cancelled") == cancel_messages(client, ids, min_questions=1)


def test_reports_that_fail_do_not_keep_from_cancelling(client: GatewayClient, schedule, sandbox: Sandbox):
    """Nobody waits for the reports while the time runs out."""
    ids = schedule("a")
    sandbox.order_fault("500_before", path="/api/report/by_bulk", times=None)

    assert {ids[0]: "cancelled"} == cancel_messages(client, ids)


@pytest.mark.parametrize("fault", ["refuse_400", "refuse_404", "refuse_409", "refuse_422"])
def test_an_id_that_is_refused_keeps_no_other_from_it(
    fault, client: GatewayClient, schedule, sandbox: Sandbox
):
    """The reports say whether it is cancelled; the others are cancelled."""
    ids = schedule("a", "b", "c")
    sandbox.order_fault(fault, path=CANCEL)

    assert {ids[0]: "not_found_or_too_late", ids[1]: "cancelled", ids[2]: "cancelled"} == cancel_messages(
        client, ids, at_once=1
    )
    assert [5, 7, 7] == [state(client, each) for each in ids]


@pytest.mark.parametrize("fault", ["refuse_400", "refuse_409", "refuse_422"])
def test_a_refused_id_without_reports_is_in_doubt(
    fault, client: GatewayClient, schedule, sandbox: Sandbox, caplog
):
    """Such a refusal alone does not tell whether the message still goes; the log has the gateway's words."""
    [outbox_id] = schedule("a")
    sandbox.order_fault(fault, path=CANCEL)
    sandbox.order_fault("500_before", path="/api/report/by_bulk", times=None)

    assert {outbox_id: "in_doubt"} == cancel_messages(client, [outbox_id])
    assert f"does not cancel outbox id {outbox_id}: " in caplog.text


@pytest.mark.parametrize(("times", "outcome"), [(2, "cancelled"), (None, "in_doubt")])
def test_a_busy_gateway_is_asked_again(times, outcome, client: GatewayClient, schedule, sandbox: Sandbox):
    """A gateway that asks to slow down is asked three times, and then left to a retry."""
    [outbox_id] = schedule("a")
    sandbox.order_fault("refuse_429", path=CANCEL, times=times)

    assert {outbox_id: outcome} == cancel_messages(client, [outbox_id])


@pytest.mark.parametrize("fault", ["refuse_401", "refuse_403"])
def test_a_refusal_of_the_account_ends_it(fault, client: GatewayClient, schedule, sandbox: Sandbox):
    """No other id would fare better."""
    sandbox.order_fault(fault, path=CANCEL, times=None)

    with pytest.raises(GatewayRefusedError):
        cancel_messages(client, schedule("a", "b"))


def test_a_refusal_is_raised(sandbox: Sandbox, schedule):
    """A wrong token ends it at once."""
    ids = schedule("a", "b")
    settings = GatewaySettings(base_url=sandbox.base_url, token="other")
    with GatewayClient(settings) as client, pytest.raises(AuthenticationError):
        cancel_messages(client, ids)


def test_what_is_due_first_is_cancelled_first(client: GatewayClient, schedule, sandbox: Sandbox):
    """Time runs out for what is due soonest: where the gateway refuses after one, that one was it."""
    [later], [soon] = schedule("later", minutes=90), schedule("soon", minutes=10)
    sandbox.order_fault("refuse_401", path=CANCEL, after=1, times=None)

    with pytest.raises(AuthenticationError):
        cancel_messages(client, [later, soon], at_once=1)

    assert (5, 7) == (state(client, later), state(client, soon))
