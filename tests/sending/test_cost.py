"""Money: what a send may cost is known, and covered, before its first request."""

import json
from contextlib import closing
from importlib.metadata import version

import pytest

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    UnreachableError,
    UnsettledError,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.cost import is_mci, read_credit
from tests.gateway.conftest import ScriptedGateway, http

from .conftest import Sending, numbers

# Rial a part, as the sandbox has them.
MCI, OTHER = 2370, 2503
PRICE_PATH = "/api/send/calculate-price"
CREDIT_PATH = "/api/payment/credit/mine"


def asked(sandbox):
    return [request.path for request in sandbox.requests if request.path != "/api/send"]


KNOWN_SINCE_2025 = pytest.mark.skipif(
    tuple(map(int, version("phonenumbers").split("."))) < (9, 0, 20), reason="given out later"
)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        *[(f"+989{operator}", True) for operator in ("10", "12", "19", "90", "91", "94")],
        *[pytest.param(f"+989{operator}", True, marks=KNOWN_SINCE_2025) for operator in ("92", "93")],
        *[(f"+989{operator}", False) for operator in ("01", "20", "35", "98")],
        ("+49151", False),
        ("+98", False),
    ],
)
def test_operators_by_their_numbers(prefix, expected):
    """The first digits tell who gave a number out."""
    assert expected is is_mci(prefix)


def test_the_estimate_tells_operators_apart(send: Sending):
    """MCI's numbers count at its price, all others at the other, each with its text's parts."""
    rows = [
        ("09120000001", "سلام"),
        ("09120000002", "سلام " * 20),
        ("09350000001", "hello"),
        ("+4915123456789", "hello"),
    ]

    assert MCI * (1 + 2) + OTHER * 2 == send(rows, max_cost=1e9).cost


def test_one_question_an_alphabet_and_length(send: Sending, sandbox: Sandbox):
    """However many messages there are, each kind of text is asked for once; then the credit."""
    texts = ["a", "b", "x" * 200, "متن", "متن " * 30]
    rows = [(number, text) for number in numbers(20) for text in texts]

    send(rows, max_cost=1e9)

    assert [PRICE_PATH] * 4 + [CREDIT_PATH] == asked(sandbox)


def test_without_a_guard_nothing_is_asked(send: Sending, sandbox: Sandbox):
    """A send that set no guard is neither slowed nor failed by prices: its cost is unknown."""
    sandbox.order_fault("500_before", path=PRICE_PATH, times=None)

    assert send([("09120000001", "hi")]).cost is None
    assert [] == asked(sandbox)


def test_the_guard_takes_the_dearest_price(send: Sending, sandbox: Sandbox):
    """A number may have been ported: `max_cost` holds at the dearer price, whatever the estimate says."""
    rows = [(number, "hi") for number in numbers(10)]

    with pytest.raises(InvalidMessageError, match=r"max_cost is 25,029 rial, .* may come to 25,030"):
        send(rows, max_cost=10 * OTHER - 1)
    assert 0 == sandbox.send_requests
    assert {"refused"} == {row["outcome"] for row in send.outcomes}

    assert 10 * MCI == send(rows, max_cost=10 * OTHER).cost


def test_the_credit_has_to_cover_it(send: Sending, sandbox: Sandbox):
    """A send that may cost more than the account has is stopped before its first request."""
    sandbox.credit = 2 * OTHER - 1
    rows = [(number, "hi") for number in numbers(2)]

    with pytest.raises(InvalidMessageError, match=r"account has 5,005 rial, .* may come to 5,006"):
        send(rows, max_cost=1e9)
    assert 0 == sandbox.send_requests

    sandbox.credit += 1
    assert 2 == send(rows, max_cost=1e9).accepted


def test_a_retry_needs_credit_for_the_rest_alone(send: Sending, sandbox: Sandbox):
    """What earlier tries sent is paid for; `max_cost` still counts the whole."""
    sandbox.queue_s = 0  # what is sent is charged at once
    rows = [(number, "hi") for number in numbers(30)]
    sandbox.order_fault("refuse_422", after=1)
    with pytest.raises(GatewayRefusedError):
        send(rows, batch_size=10, max_in_flight=1, max_cost=1e9)
    sandbox.credit = 10 * MCI + 20 * OTHER - 1

    with pytest.raises(InvalidMessageError, match=r"max_cost is 75,089 rial, .* may come to 75,090"):
        send(rows, max_cost=30 * OTHER - 1)
    with pytest.raises(InvalidMessageError, match=r"account has 50,059 rial, .* may come to 50,060"):
        send(rows, max_cost=30 * OTHER)
    assert 2 == sandbox.send_requests

    sandbox.credit += 1
    result = send(rows, max_cost=30 * OTHER)
    assert (30, 10, 30 * MCI) == (result.accepted, result.already_accepted, result.cost)


def test_what_is_in_doubt_needs_no_credit(send: Sending, sandbox: Sandbox):
    """What an earlier try may have sent may be paid for: the credit left is for the rest."""
    sandbox.queue_s = 0
    rows = [(number, "hi") for number in numbers(20)]
    sandbox.order_fault("cut_before_answer")
    sandbox.reports = False
    with pytest.raises(UnsettledError):
        send(rows, batch_size=10, max_in_flight=1, max_cost=1e9)
    sandbox.reports = True
    sandbox.credit = 10 * MCI + 10 * OTHER

    assert 20 == send(rows, batch_size=10, max_cost=1e9).accepted
    assert 20 == len(sandbox.arrived)


def test_a_finished_send_keeps_its_cost(send: Sending, sandbox: Sandbox):
    """Cleared after a success nothing is asked, no guard is heeded, and the result says what it said."""
    rows = [(number, "hi") for number in numbers(2)]
    first = send(rows, max_cost=1e9)
    requests = len(sandbox.requests)

    again = send(rows, max_cost=1)

    assert first.cost == again.cost == 2 * MCI
    assert requests == len(sandbox.requests)


@pytest.mark.parametrize("path", [PRICE_PATH, CREDIT_PATH])
@pytest.mark.parametrize(
    ("fault", "error"), [("refuse_403", GatewayRefusedError), ("500_before", UnreachableError)]
)
def test_a_gateway_that_does_not_say(path, fault, error, send: Sending, sandbox: Sandbox):
    """A guard that cannot be checked holds the send back, and the error says why it was asked."""
    sandbox.order_fault(fault, path=path, times=None)

    with pytest.raises(error) as caught:
        send([("09120000001", "hi")], max_cost=1e9)

    assert "max_cost is set" in " ".join(caught.value.__notes__)
    assert 0 == sandbox.send_requests


@pytest.mark.parametrize(
    ("answer", "credit"),
    [
        ({"credit": 12.5}, 12.5),
        ({"credit": "12.5"}, 12.5),
        ({"credit": "-3"}, -3.0),
        ({"credit": None}, None),
        ({"credit": "nan"}, None),
        ({}, None),
    ],
)
def test_credit_as_it_may_be_written(answer, credit):
    """A number or its text; anything else is no credit."""
    assert credit == read_credit(answer)


def test_an_answer_without_credit_holds_the_send_back(send: Sending):
    """No credit in the answer is no leave to send."""
    answers = {PRICE_PATH: {"mci_price": MCI, "other_price": OTHER, "parts": 1}, CREDIT_PATH: {"gift": 0}}
    paths = []

    def tell(conn, request):
        paths.append(request.split()[1].decode())
        body = json.dumps({"data": answers[paths[-1]], "meta": {"status": True}}).encode()
        conn.sendall(http(200, body, "Connection: close"))

    with closing(ScriptedGateway(tell)) as gateway:
        settings = GatewaySettings(base_url=f"http://127.0.0.1:{gateway.port}", token="t")
        with GatewayClient(settings) as client, pytest.raises(UnreachableError, match="credit"):
            send([("09120000001", "hi")], max_cost=1e9, client=client)

    assert [PRICE_PATH, CREDIT_PATH] == paths
