"""Answers that no document describes: a question ends with a sentence, a send never as a guess."""

import pytest

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnreachableError
from airflow_provider_p2psms.gateway.request import Group

from .conftest import MakeClient, StartGateway, answer, http

DONE = b'{"data": {"credit": 5}, "meta": {"status": true}}'
LINE = "+983000505"


@pytest.mark.parametrize(
    "data", [b"null", b"{}", b"[]", b'{"mci_price": 1}', b'{"mci_price": 1, "other_price": "two"}']
)
def test_a_price_without_both_prices(data, scripted: StartGateway, client: MakeClient):
    """An answer without both prices is no price."""
    gateway = scripted(answer(http(200, b'{"data": %s, "meta": {"status": true}}' % data)))

    with pytest.raises(UnreachableError, match="holds no prices"):
        client(f"http://127.0.0.1:{gateway.port}/v1").calculate_price("hi", from_number=LINE)


@pytest.mark.parametrize(
    "date", ["soon", "Mon, 99 Foo 2026 10:00:00 GMT", "Mon, 30 Nov 99999999 10:00:00 GMT"]
)
def test_a_date_that_is_none(date, scripted: StartGateway, client: MakeClient):
    """A clock that shows no time is not measured; the answer counts all the same."""
    gateway = scripted(answer(http(200, DONE, f"Date: {date}")))
    asking = client(f"http://127.0.0.1:{gateway.port}/v1")

    assert {"credit": 5} == asking.credit()
    assert asking.clock_offset_s is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_question_that_is_redirected(status, scripted: StartGateway, client: MakeClient):
    """Another address is never asked: the error says that the connection's is not the gateway's."""
    gateway = scripted(answer(http(status, b"", "Location: http://127.0.0.1:9/")))

    with pytest.raises((GatewayRefusedError, UnreachableError)):
        client(f"http://127.0.0.1:{gateway.port}/v1").check_token()

    assert {b"POST"} == {request.split(b" ")[0] for request in gateway.requests}


@pytest.mark.parametrize(
    "data",
    [
        b'{"outbox_ids": "none", "count": 3, "note": null}',
        b'{"result": {"count": 1, "rows": [1, {"outbox_id": 0}]}}',
        b'[1, "a", null]',
    ],
)
def test_a_refusal_without_an_id_in_it(data, scripted: StartGateway, client: MakeClient):
    """An envelope that says no, with other numbers in it, says no."""
    body = b'{"data": %s, "meta": {"status": false, "message": "no", "message_code": "400-2"}}' % data
    gateway = scripted(answer(http(422, body)))

    with pytest.raises(GatewayRefusedError):
        client(f"http://127.0.0.1:{gateway.port}/v1").send_peer_to_peer(
            [Group(["+989120000000"], "hi")], from_number=LINE
        )


def test_a_refusal_with_an_id_deep_in_it(scripted: StartGateway, client: MakeClient):
    """A positive outbox id, wherever it stands, says that messages were taken: the outcome is unknown."""
    body = b'{"data": {"rows": [{"count": 2, "outbox_id": 7}]}, "meta": {"status": false}}'
    gateway = scripted(answer(http(422, body)))

    with pytest.raises(OutcomeUnknownError):
        client(f"http://127.0.0.1:{gateway.port}/v1").send_peer_to_peer(
            [Group(["+989120000000"], "hi")], from_number=LINE
        )
