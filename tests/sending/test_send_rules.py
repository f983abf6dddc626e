"""Keys, clocks and opening hours of a send: what is left out, logged or refused, and what is sent."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, OutcomeUnknownError, UnsettledError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules
from airflow_provider_p2psms.sending.timing import SendWindow, Timing

from .conftest import Sending, numbers

KEYED = [
    {"recipient": number, "message": f"text {place}", "id": key}
    for place, (number, key) in enumerate(zip(numbers(4), ["a", "", "c", "d"], strict=True))
]


@pytest.fixture
def sending(request):
    """Send to a gateway whose clock differs from ours."""
    with Sandbox(clock=lambda: datetime.now(UTC).timestamp() + request.param) as sandbox:
        settings = GatewaySettings(base_url=sandbox.base_url, token=sandbox.token)
        with GatewayClient(settings) as client:
            yield Sending(client)


@pytest.mark.parametrize(
    ("sending", "told"),
    [(3_600.0, "behind the gateway's"), (-3_600.0, "ahead of the gateway's")],
    indirect=["sending"],
)
def test_a_clock_that_is_off_is_logged(sending, told, caplog):
    """A worker whose clock is an hour off is told to set it; what it sends is sent."""
    with caplog.at_level(logging.WARNING):
        assert 4 == sending([(row["recipient"], row["message"]) for row in KEYED]).accepted
        sending([(row["recipient"], row["message"]) for row in KEYED])

    assert f"s {told}. Set it by NTP." in caplog.text


def test_a_row_without_a_key_is_invalid(send: Sending, sandbox: Sandbox):
    """Where keys tell messages apart, a row without one cannot be: it is named, and nothing is sent."""
    with pytest.raises(InvalidMessageError, match="id"):
        send(KEYED, key_column="id", identity="key")

    assert [] == sandbox.arrived


def test_a_row_without_a_key_is_left_out(send: Sending, sandbox: Sandbox):
    """With ``on_invalid="skip"`` the others are sent once, whatever their texts in a later try."""
    rules = {"key_column": "id", "identity": "key", "on_invalid": "skip"}

    first = send(KEYED, **rules)
    second = send([row | {"message": "another text"} for row in KEYED], **rules)

    assert (3, 1, 1) == (first.accepted, first.invalid, first.requests)
    assert (3, 1, 3) == (second.accepted, second.invalid, second.already_accepted)
    assert ["text 0", "text 2", "text 3"] == sandbox.texts_arrived


@pytest.fixture
def lagging():
    """Send to a gateway that shows in its reports only what it took an hour ago, and refuses repeats."""
    with Sandbox(report_lag_s=3_600.0) as sandbox:
        settings = GatewaySettings(base_url=sandbox.base_url, token=sandbox.token)
        with GatewayClient(settings) as client:
            sending = Sending(client)
            sending.times = replace(sending.times, start_within_s=0.3, patience_s=0.5)
            yield sending, sandbox


def test_a_repeat_that_the_gateway_refuses_was_taken_before(lagging):
    """
    The word about the reports was wrong: what was taken leaves again, and the gateway refuses the repeat.

    That says that it took the first; the messages arrive once and never leave a third time.
    """
    send, sandbox = lagging
    sandbox.order_fault("502_html")
    rows = [(number, "hi") for number in numbers(3)]

    with pytest.raises(UnsettledError, match="3 messages"):
        send(rows)
    with pytest.raises(UnsettledError, match="3 messages"):
        send(rows)

    assert 3 == len(sandbox.arrived)
    assert 2 == sandbox.send_requests


def test_a_send_that_its_window_puts_off_says_so_once(send: Sending, sandbox: Sandbox, caplog):
    """Outside of the hours all batches are scheduled for the next opening, and one line says until when."""
    now = datetime.now(UTC)
    opens, closes = now + timedelta(hours=3), now + timedelta(hours=4)
    window = SendWindow.parse((f"{opens:%H:%M}", f"{closes:%H:%M}", "UTC"))

    with caplog.at_level(logging.INFO):
        result = send([(number, "hi") for number in numbers(30)], batch_size=10, timing=Timing(window=window))

    assert 1 == sum("puts the send off" in line for line in caplog.messages)
    assert f"{opens:%Y-%m-%d %H:%M}:00" == result.send_time
    assert {result.send_time} == {message.send_time for message in sandbox.arrived}


def test_a_doubt_whose_time_has_gone_by_is_settled_all_the_same(send: Sending, sandbox: Sandbox):
    """A clear after the send time looks at what was scheduled before it says that the time is past."""
    sandbox.order_fault("502_html")
    rows = [(number, "hi") for number in numbers(3)]
    soon, past = (Timing(send_at_utc=datetime.now(UTC) + timedelta(hours=hours)) for hours in (1, -1))
    send.times = replace(send.times, start_within_s=0.3)
    with pytest.raises(OutcomeUnknownError):
        send(rows, timing=soon, ledger=LedgerRules(store=send.store, on_in_doubt="fail"))

    assert 3 == send(rows, timing=past).already_accepted
    assert 1 == sandbox.send_requests
