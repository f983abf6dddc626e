"""A message to the user's own number that settles a lone lost batch, and is cancelled whatever happens."""

import logging
from collections import Counter
from dataclasses import replace

import pytest

from airflow_provider_p2psms.errors import UnsettledError
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.gateway.statuses import State
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules

from .conftest import Sending, numbers

ROWS = [(number, f"text {place}") for place, number in enumerate(numbers(5))]
OWN = "+989359999999"
CANCEL = "/api/send/cancel"


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A request that nobody heard of again is over soon."""
    return replace(settings, connect_timeout_s=0.1, read_timeout_s=1.4)


@pytest.fixture(autouse=True)
def _short_requests(send: Sending):
    """Requests leave soon after their intents, or never."""
    send.times = replace(send.times, start_within_s=0.3)


@pytest.fixture
def send_lone(send: Sending):
    """Send the rows in one batch; nobody's word says how soon the reports show it."""

    def send_lone(rows=ROWS, **options):
        ledger = LedgerRules(store=send.store, try_number=send.tries + 1)
        return send(rows, ledger=ledger, **{"witness_recipient": OWN, **options})

    return send_lone


@pytest.fixture
def witnesses(send: Sending, sandbox: Sandbox):
    """Ask for the states of the messages that were scheduled to the user's own number."""
    return lambda: [
        send.client.report_by_bulk(message.outbox_id)["state_id"]
        for message in sandbox.arrived
        if message.recipient == OWN
    ]


def sent(sandbox):
    return Counter((each.recipient, each.text) for each in sandbox.arrived if each.recipient != OWN)


def test_it_proves_that_a_lone_batch_was_not_taken(send_lone, sandbox: Sandbox, witnesses):
    """A report that shows it and not the batch settles that: the batch leaves again, and it is cancelled."""
    sandbox.order_fault("500_before")

    assert len(ROWS) == send_lone().accepted

    assert Counter(ROWS) == sent(sandbox)
    assert [State.CANCELLED] == witnesses()


def test_none_leaves_where_the_report_shows_the_batch(send_lone, sandbox: Sandbox, witnesses):
    """What the report shows was taken: that needs no witness."""
    sandbox.order_fault("500_after")

    assert len(ROWS) == send_lone().accepted

    assert Counter(ROWS) == sent(sandbox)
    assert [] == witnesses()


def test_without_a_doubt_there_is_none(send_lone, witnesses):
    """A send whose answers all came schedules no such message."""
    send_lone()

    assert [] == witnesses()


@pytest.mark.parametrize("fault", ["refuse_422", "cut_before_taken", "500_after"])
def test_one_that_may_not_be_scheduled_is_not_sent_again(fault, send_lone, sandbox: Sandbox, caplog):
    """Without its outbox id it proves nothing: the batch stays in doubt, and no second one leaves."""
    sandbox.order_fault("500_before")
    sandbox.order_fault(fault)

    with caplog.at_level(logging.WARNING), pytest.raises(UnsettledError):
        send_lone()

    assert 2 == sandbox.send_requests
    assert "The message to witness_recipient may not be scheduled." in caplog.text
    assert OWN[-10:] not in caplog.text


def test_a_question_is_repeated_until_it_is_cancelled(send_lone, sandbox: Sandbox, witnesses):
    """A cancel whose answer was lost is asked for again."""
    sandbox.order_fault("500_before")
    sandbox.order_fault("502_html_before", path=CANCEL, times=2)

    send_lone()

    assert {State.CANCELLED} == set(witnesses())


def test_one_that_is_cancelled_already_is_done_with(send_lone, sandbox: Sandbox, caplog):
    """The gateway knows none to cancel after a cancel whose answer was lost: nothing is left to do."""
    sandbox.order_fault("500_before")
    sandbox.order_fault("cut_before_answer", path=CANCEL)

    with caplog.at_level(logging.ERROR):
        send_lone()

    assert "could not be cancelled" not in caplog.text


@pytest.mark.parametrize(("fault", "asked"), [("500_before", 3), ("refuse_403", 1)])
def test_one_that_cannot_be_cancelled_is_left_to_a_person(fault, asked, send_lone, sandbox: Sandbox, caplog):
    """After three lost answers, or a refusal, a line in the log names its outbox id and what to do."""
    sandbox.order_fault("500_before")
    sandbox.order_fault(fault, path=CANCEL, times=None)

    with caplog.at_level(logging.ERROR):
        send_lone()

    [left] = [each.outbox_id for each in sandbox.arrived if each.recipient == OWN]
    assert f"outbox id {left}) could not be cancelled" in caplog.text
    assert "Cancel it in the gateway's panel, or run the task again." in caplog.text
    assert asked == sum(request.path.endswith(CANCEL) for request in sandbox.requests)


def test_a_later_try_cancels_what_an_earlier_one_left(send_lone, sandbox: Sandbox, witnesses):
    """The ledger names it: the next try cancels it though its rows are sent, and needs no setting for it."""
    sandbox.order_fault("500_before")
    sandbox.order_fault("refuse_403", path=CANCEL, times=None)
    send_lone()
    assert {State.CANCELLED}.isdisjoint(witnesses())
    sandbox.clear_faults()

    send_lone(witness_recipient=None)

    assert {State.CANCELLED} == set(witnesses())
    assert Counter(ROWS) == sent(sandbox)
