"""The client, held against the gateway's printed requests and answers, word for word."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_p2psms.batch import BETWEEN
from airflow_provider_p2psms.errors import AuthenticationError, GatewayRefusedError, UnreachableError
from airflow_provider_p2psms.gateway.request import (
    Group,
    build_csv,
    build_peer_to_peer,
    build_peer_to_peer_file,
    write_groups,
    write_single_groups,
)

from .conftest import MakeClient, StartGateway, answer, http

DOCUMENTS = Path(__file__).parents[1] / "documents"

CALLS = {
    "peer_to_peer": lambda client: client.send_peer_to_peer(
        [Group(["+989120000000", "+989350000000"], "پیام اول"), Group(["+989130000000"], "پیام دوم")],
        from_number="+983000505",
    ),
    "peer_to_peer_file": lambda client: client.send_peer_to_peer_file(
        [("+989120000000", "one"), ("+989130000000", "two")], from_number="+983000505"
    ),
    "calculate_price": lambda client: client.calculate_price("تست", from_number="+983000505"),
    "check_token": lambda client: client.check_token(),
    "credit": lambda client: client.credit(),
    "numbers": lambda client: client.numbers(),
    "report_bulk_stats": lambda client: client.report_bulk_stats(1123594208),
    "report_by_bulk": lambda client: client.report_by_bulk(5544778899),
    "report_new_list": lambda client: client.report_list(
        document("report_new_list.request")["filters"], limit=10
    ),
    "report_recipients": lambda client: client.report_recipients(1123594208),
    "send_cancel": lambda client: client.cancel(1148303263),
}
REFUSED = sorted(
    (name, int(status))
    for file in DOCUMENTS.glob("*.response_4*.json")
    for name, status in [file.name.removesuffix(".json").split(".response_")]
)


def document(name: str):
    return json.loads((DOCUMENTS / f"{name}.json").read_text("utf-8"))


def printed(name: str, status: int):
    return answer(http(status, (DOCUMENTS / f"{name}.response_{status}.json").read_bytes()))


def ask(name, client, gateway):
    return CALLS[name](client(f"http://127.0.0.1:{gateway.port}/v1"))


def test_every_printed_answer_has_a_call():
    """No document is left out of these tests."""
    assert CALLS.keys() == {file.name.split(".")[0] for file in DOCUMENTS.iterdir()}


@pytest.mark.parametrize(("name", "status"), REFUSED)
def test_printed_refusals_are_refusals(name, status, scripted: StartGateway, client: MakeClient):
    """Each printed 401, 404 and 422 is a refusal with the printed code, words and fields; asked once."""
    gateway = scripted(printed(name, status))

    with pytest.raises(AuthenticationError if status == 401 else GatewayRefusedError) as caught:
        ask(name, client, gateway)

    meta = document(f"{name}.response_{status}")["meta"]
    err = caught.value
    assert (status, meta["message_code"], meta["message"]) == (
        err.http_status,
        err.message_code,
        err.gateway_message,
    )
    assert {field: tuple(texts) for field, texts in meta["errors"].items()} == err.field_errors
    assert 1 == len(gateway.requests)


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "peer_to_peer": lambda got: tuple(got.outbox_ids) == (1123594208, 1123594210),
        "peer_to_peer_file": lambda got: tuple(got.outbox_ids) == (1123594208, 1123594210),
        "calculate_price": lambda got: (got.mci_price, got.other_price, got.parts) == (2370, 2503, 1),
        "check_token": lambda got: (got.user_id, got.send_block, got.document_block) == (58745, False, False),
        "credit": lambda got: got["credit"] == 6084722932.705052,
        "numbers": lambda got: [each["number"] for each in got.records][:1] == ["+981234567890"],
        "report_bulk_stats": lambda got: got["operators_delivered"]["irancell"]["fa"] == "1",
        "report_by_bulk": lambda got: (got["messages_outbox_id"], got["state_id"]) == ("5544778899", 6),
        "report_new_list": lambda got: (
            (len(got.records), got.last_page, got.total) == (2, 32282040, 64564080)
        ),
        "report_recipients": lambda got: (got.current_page, got.last_page, got.total) == (1, 1, 2),
        "send_cancel": lambda got: got is None,
    }.items(),
)
def test_printed_successes_are_read(name, expected, scripted: StartGateway, client: MakeClient):
    """Each printed 200 is read into what it says."""
    assert expected(ask(name, client, scripted(printed(name, 200))))


@pytest.mark.parametrize("name", ["peer_to_peer", "calculate_price", "send_cancel", "report_new_list"])
def test_printed_requests_are_what_is_sent(name, scripted: StartGateway, client: MakeClient):
    """JSON requests leave as the documents print them, in UTF-8 without escapes."""
    gateway = scripted(printed(name, 200))
    ask(name, client, gateway)

    head, _, body = gateway.requests[0].partition(b"\r\n\r\n")

    assert document(f"{name}.request") == json.loads(body)
    assert b"\\u" not in body
    lines = head.decode().split("\r\n")
    assert "Authorization: secret-token" in lines
    assert "Accept: application/json" in lines
    assert lines[0].startswith(f"POST /v1/api/{'report/new_list' if 'list' in name else 'send'}")


def test_the_printed_form_is_what_is_uploaded(scripted: StartGateway, client: MakeClient):
    """The file send leaves as a form with the documented fields, the CSV as `files[]`."""
    gateway = scripted(printed("peer_to_peer_file", 200))
    client(f"http://127.0.0.1:{gateway.port}/v1").send_peer_to_peer_file(
        [("+989120000000", 'با "نقل"، و\nسطر'), ("+989130000000", "two")],
        from_number="+983000505",
        send_time="2025-03-12 21:20:02",
    )

    _, _, form = gateway.requests[0].partition(b"\r\n\r\n")
    fields = document("peer_to_peer_file.request")

    for name in ("sending_type", "from_number", "send_time"):
        assert f'name="{name}"\r\n\r\n{fields[name]}\r\n'.encode() in form
    assert (
        b'name="files[]"; filename="messages.csv"\r\nContent-Type: text/csv\r\n\r\nrecipient,message\r\n'
        in form
    )
    assert '+989120000000,"با ""نقل""، و\nسطر"\r\n+989130000000,"two"\r\n'.encode() in form


def test_fields_are_those_of_the_documents():
    """No field is sent that the documents do not name."""
    form = build_peer_to_peer_file(from_number="+983000505", send_time="2025-03-12 21:20:02")
    assert document("peer_to_peer_file.request").keys() - {"files[]"} == form.keys()
    body = json.loads(build_peer_to_peer([Group(["+989120000000"], "x")], from_number="+983000505"))
    assert document("peer_to_peer.request").keys() == body.keys()


@given(st.lists(st.tuples(st.just("+989120000000"), st.text(st.characters(exclude_categories=["Cs"])))))
def test_any_text_survives_the_csv(messages):
    """Quotes, commas and line breaks of any kind come out of the file as they went in."""
    written = build_csv((recipient.encode(), text.encode()) for recipient, text in messages)
    read = list(csv.reader(io.StringIO(written.decode(), newline="")))
    assert [("recipient", "message"), *messages] == [tuple(row) for row in read]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_json(text):
    """Any text comes out of the request as it went in."""
    body = build_peer_to_peer([Group(["+989120000000"], text)], from_number="+983000505")
    assert text == json.loads(body)["params"][0]["message"]


@given(
    st.lists(
        st.tuples(
            st.just("+989120000000"),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        )
    )
)
@example([])
@example([("+989120000000", "two\nlines"), ("+989120000000", "پایان")])
@example([("+989120000000", 'two\nlines, and "quotes"'), ("+989120000000", "a\\\\b\x01")])
def test_single_groups_are_written_as_groups(messages):
    """The quick way to write texts in UTF-8 gives the very bytes of the library's, whatever they hold."""
    written = BETWEEN.join(f"{recipient}\0{text}".encode() for recipient, text in messages)

    assert write_groups([Group([recipient], text) for recipient, text in messages]) == write_single_groups(
        written
    )


def test_a_question_is_asked_again(scripted: StartGateway, client: MakeClient):
    """A report that failed for a moment is asked for again: a question changes nothing."""
    answers = iter(
        [http(502, b"<html>"), b"", http(200, b'{"data": {"credit": 5}, "meta": {"status": true}}')]
    )
    gateway = scripted(lambda conn, _: conn.sendall(next(answers)))

    assert {"credit": 5} == ask("credit", client, gateway)
    assert 3 == len(gateway.requests)


def test_a_question_without_an_answer_is_safe_to_repeat(scripted: StartGateway, client: MakeClient):
    """After three attempts a question ends as unreachable: nothing can have been sent by it."""
    gateway = scripted(answer(http(502, b"<html>")))

    with pytest.raises(UnreachableError):
        ask("report_by_bulk", client, gateway)

    assert 3 == len(gateway.requests)


def test_no_netrc_replaces_the_token(scripted: StartGateway, client: MakeClient, tmp_path, monkeypatch):
    """A .netrc for the gateway's host does not take the place of the token."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    gateway = scripted(printed("check_token", 200))

    ask("check_token", client, gateway)

    assert b"Authorization: secret-token\r\n" in gateway.requests[0]


def test_no_repr_shows_what_is_private(client: MakeClient):
    """Tokens, numbers and texts are in no repr of this room."""
    settings = client("http://127.0.0.1/v1", proxy="http://u:hidden@p", redirect_to="+989120000000").settings
    for value in (settings, Group(["+989120000000"], "text")):
        assert not any(word in repr(value) for word in ("secret-token", "hidden", "98912", "'text'"))
