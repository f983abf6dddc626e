"""Keys, clocks and opening hours of a send: what is left out, logged or refused, and what is sent."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, UnsettledError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox

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


def test_a_row_without_a_key_is_invalid(send, sandbox):
    """Where keys tell messages apart, a row without one cannot be: it is named, and nothing is sent."""
    with pytest.raises(InvalidMessageError, match="id"):
        send(KEYED, key_column="id", identity="key")

    assert [] == sandbox.arrived


def test_a_row_without_a_key_is_left_out(send, sandbox):
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
