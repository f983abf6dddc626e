"""May it have been sent? Each answer to a send, by its status, its envelope and its ids."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError
from airflow_provider_p2psms.gateway.envelope import Answer, parse_envelope
from airflow_provider_p2psms.gateway.response import Receipt, Verdict, classify_send, parse_receipt

RECEIPT, SAID_TAKEN, NOT_TAKEN, BUSY, UNKNOWN = Verdict

DUE = {"message_outbox_ids": [7, 8]}
FEWER = {"message_outbox_ids": [7]}
ELSEWHERE = {"results": [{"outbox_id": "7"}]}
STATUSES = [100, 199, 200, 201, 204, 299, 300, 302, 399, 400, 401, 404, 408, 418, 422, 429, 498, 499]
STATUSES += [500, 502, 503, 504, 599, 600, 799]


def answer(status, *, ok, data=None, retry_after=None):
    meta = {} if ok is None else {"status": ok}
    body = json.dumps({"data": data, "meta": meta}).encode()
    return Answer(status, body, "application/json", retry_after)


def classify(answer, *, ids=(), has_ids=False):
    return classify_send(answer, parse_envelope(answer.body), ids=ids, has_ids=has_ids, expected=2)


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_no_envelope_is_unknown(status):
    """Whatever its status: somebody else wrote it."""
    for body in (b"", b"<html>", b"null", b"[7, 8]", b'{"message_outbox_ids": [0, -1]}', b"\xff"):
        assert (OutcomeUnknownError, False) == end(Answer(status, body, retry_after="5"))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", [DUE, ELSEWHERE, [DUE], {"result": DUE}])
def test_ids_without_an_envelope_say_taken(status, body):
    """Nobody but the gateway knows them; but they are no receipt."""
    given = Answer(status, json.dumps(body).encode())

    assert (OutcomeUnknownError, True) == end(given)
    with pytest.raises(OutcomeUnknownError, match="ids in no known shape") as caught:
        parse_receipt(given, expected=2)
    assert 7 in caught.value.outbox_ids


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("ok", [True, False, None])
@pytest.mark.parametrize("ids", [(7, 8), (7,), ()], ids=["due", "fewer", "elsewhere"])
def test_ids_say_taken(status, ok, ids):
    """Ids are never a no; they are a receipt where nothing says failed and they are as many as are due."""
    is_clean = 200 <= status < 300 and ok is not False
    expected = RECEIPT if is_clean and len(ids) == 2 else SAID_TAKEN

    assert expected is classify(answer(status, ok=ok), ids=ids, has_ids=True)


@pytest.mark.parametrize("status", STATUSES)
def test_yes_without_ids(status):
    """A success that says yes was taken; yes under another status says nothing."""
    assert (SAID_TAKEN if 200 <= status < 300 else UNKNOWN) is classify(answer(status, ok=True))


@pytest.mark.parametrize("status", STATUSES)
def test_neither_yes_nor_no(status):
    """Without a status in `meta`, and without ids, nothing is known."""
    assert UNKNOWN is classify(answer(status, ok=None, retry_after="5"))


@pytest.mark.parametrize(
    ("statuses", "retry_after", "expected"),
    [
        ((200, 201, 204, 299), None, NOT_TAKEN),
        ((400, 401, 404, 418, 422, 429, 498), None, NOT_TAKEN),
        ((400, 401, 404, 418, 422, 429, 498), "5", NOT_TAKEN),
        ((408, 499), "5", UNKNOWN),
        ((503,), "5", BUSY),
        ((503,), "0", BUSY),
        ((503,), None, UNKNOWN),
        ((503,), "", UNKNOWN),
        ((503,), "-1", UNKNOWN),
        ((503,), "٥", UNKNOWN),
        ((503,), "9" * 5000, UNKNOWN),
        ((503,), "Fri, 31 Dec 2027 23:59:59 GMT", UNKNOWN),
        ((500, 502, 504, 599), "5", UNKNOWN),
        ((100, 199, 300, 302, 399, 600, 799), "5", UNKNOWN),
    ],
    ids=str,
)
def test_no_without_ids(statuses, retry_after, expected):
    """Only the gateway's own no counts: a proxy may write the others after it passed the request on."""
    for status in statuses:
        assert expected is classify(answer(status, ok=False, retry_after=retry_after))


@given(
    st.sampled_from(STATUSES),
    st.sampled_from([True, False, None]),
    st.sampled_from([DUE, FEWER, ELSEWHERE, {"message_outbox_ids": [0, -7]}, {}, [], None, "7"]),
    st.sampled_from([None, "5"]),
)
def test_a_verdict_is_what_a_send_ends_with(status, ok, data, retry_after):
    """Receipt, refusal or unknown: the error says what the verdict says."""
    given = answer(status, ok=ok, data=data, retry_after=retry_after)
    ids = (7, 8) if data is DUE else (7,) if data is FEWER else ()
    verdict = classify(given, ids=ids, has_ids=data in (DUE, FEWER, ELSEWHERE))

    assert ENDS[verdict] == end(given)


ENDS = {
    RECEIPT: (Receipt, [7, 8]),
    SAID_TAKEN: (OutcomeUnknownError, True),
    NOT_TAKEN: (GatewayRefusedError, False),
    BUSY: (GatewayRefusedError, False),
    UNKNOWN: (OutcomeUnknownError, False),
}


def end(given):
    try:
        return Receipt, list(parse_receipt(given, expected=2).outbox_ids)
    except GatewayRefusedError as err:
        return GatewayRefusedError, err.may_have_been_sent
    except OutcomeUnknownError as err:
        return OutcomeUnknownError, err.said_taken
