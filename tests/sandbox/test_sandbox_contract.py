"""Which sends are taken, and which are refused for what."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.contract import latest_send_time
from airflow_provider_p2psms.sandbox.pricing import count_parts, operator_of
from tests.sandbox.conftest import Asker

GROUP = {"recipients": ["+989120000000"], "message": "hello"}


def test_one_id_a_group_in_order(ask: Asker, sandbox: Sandbox):
    """A group gets one id whatever its number of recipients, and ids ascend in the order of the groups."""
    groups = [{"recipients": ["+989120000000", "+14155550100"], "message": "a"}, GROUP]

    ids = ask.send(params=groups).ids

    assert ids == [1123594208, 1123594210]
    assert [(m.outbox_id, m.recipient, m.text) for m in sandbox.arrived] == [
        (ids[0], "+989120000000", "a"),
        (ids[0], "+14155550100", "a"),
        (ids[1], "+989120000000", "hello"),
    ]
    assert {(m.from_number, m.send_time, m.request) for m in sandbox.arrived} == {("+983000505", None, 1)}


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"sending_type": ...}, {"sending_type"}),
        ({"sending_type": "webservice"}, {"sending_type"}),
        ({"sending_type": "peer_to_peer_file"}, {"sending_type"}),
        ({"from_number": ...}, {"from_number"}),
        ({"from_number": " "}, {"from_number"}),
        ({"from_number": 983000505}, {"from_number"}),
        ({"params": ...}, {"params"}),
        ({"params": []}, {"params"}),
        ({"params": {"0": GROUP}}, {"params"}),
        ({"params": ["hello"]}, {"params"}),
        ({"params": [{"message": "hello"}]}, {"recipients"}),
        ({"params": [GROUP | {"recipients": []}]}, {"recipients"}),
        ({"params": [GROUP | {"recipients": "+989120000000"}]}, {"recipients"}),
        ({"params": [GROUP | {"recipients": [989120000000]}]}, {"recipients"}),
        ({"params": [GROUP | {"message": ""}]}, {"message"}),
        ({"params": [GROUP | {"message": "\n "}]}, {"message"}),
        ({"params": [GROUP | {"message": 7}]}, {"message"}),
        (
            {"from_number": ..., "params": [GROUP, {"recipients": ["1"]}]},
            {"from_number", "recipients", "message"},
        ),
    ],
)
def test_a_field_at_fault_is_named(fields, at_fault, ask: Asker, sandbox: Sandbox):
    """A send with wrong fields is refused whole, and all of them are named."""
    reply = ask.send("hello", **fields)

    assert reply.status == 422
    assert reply.json["meta"]["message_code"] == "400-2"
    assert set(reply.errors) == at_fault
    assert sandbox.arrived == []


@pytest.mark.parametrize(
    "recipient",
    [
        *("09120000000", "989120000000", "00989120000000", "+0989120000000", "+98912"),
        *("+9891200000001234", "+98 912", "+۹۸۹۱۲۰۰۰۰۰۰۰", "+989120000000\n", ""),
    ],
)
def test_json_takes_e164_alone(recipient, ask: Asker):
    """Local, spaced, Persian-digit and too short or long numbers are refused, by place and not by number."""
    reply = ask.send(params=[GROUP, {"recipients": ["+989120000000", recipient], "message": "x"}])

    assert reply.status == 422
    assert reply.errors["recipients"][0].startswith("params.1.recipients.1: ")


@pytest.mark.parametrize("text", ["a" * 1400, "س" * 1340, "€" * 700])
def test_the_longest_texts_are_taken(text, ask: Asker):
    """1,400 characters and 20 parts are within the limits."""
    assert ask.send(text).status == 200


@pytest.mark.parametrize("text", ["a" * 1401, "س" * 1341, "😀" * 671])
def test_longer_texts_are_refused(text, ask: Asker):
    """One character more than 1,400 or one more than fits 20 parts is too much."""
    assert set(ask.send(text).errors) == {"message"}


def test_many_errors_are_cut_short(ask: Asker):
    """A request of bad numbers alone is told ten of them."""
    reply = ask.send(params=[{"recipients": ["1"] * 500, "message": "x"}])

    assert len(reply.errors["recipients"]) == 10


def test_more_recipients_than_a_request_may_have(ask: Asker, sandbox: Sandbox):
    """The limit counts the recipients of all groups, and can be set."""
    sandbox.max_recipients = 3

    assert ask.send("a", "b", "c").status == 200
    assert set(ask.send("d", "e", "f", "g").errors) == {"recipients"}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b'{"a": NaN}', b"\xff", b'{"from_number": "\\ud83d"}', b'{"a": "\\uDC00"}']
)
def test_a_body_that_is_no_json_object(body, ask: Asker):
    """Broken JSON, another type than an object, and text that no one can write are refused."""
    reply = ask("POST", "/v1/api/send", body=body)

    assert (reply.status, set(reply.errors)) == (422, {"body"})


def test_whole_surrogate_pairs_are_text(ask: Asker, sandbox: Sandbox):
    """An emoji spelled in JSON escapes arrives as one character."""
    assert ask.send("😀").status == 200
    assert sandbox.texts_arrived == ["😀"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_has_no_fields(content_type, ask: Asker):
    """JSON under another name is not read."""
    reply = ask("POST", "/v1/api/send", {"sending_type": "peer_to_peer"}, content_type=content_type)

    assert set(reply.errors) == {"sending_type", "from_number", "params"}


@pytest.mark.parametrize(
    ("send_time", "taken"),
    [
        ("2025-10-09 08:58:19", False),  # a second less than five minutes ahead
        ("2025-10-09 08:58:20", True),
        ("2026-01-09 08:53:20", True),
        ("2026-01-09 08:53:21", False),  # a second more than three months
        ("2025-10-09 08:53:20", True),  # now, and before: sent at once
        ("2025-03-12 21:20:02", True),
        ("2025-10-10T08:00:00", False),
        ("2025-10-10 08:00", False),
        ("2025-10-10 8:00:00", False),
        ("2025-02-30 08:00:00", False),
        ("", False),
        (None, False),
        (1_760_100_000, False),
    ],
)
def test_when_a_message_can_be_scheduled(send_time, taken, ask: Asker, sandbox: Sandbox):
    """In five minutes to three calendar months, as UTC text; the past means at once."""
    reply = ask.send("hello", send_time=send_time)

    assert reply.status == (200 if taken else 422)
    assert taken or set(reply.errors) == {"send_time"}
    assert [message.send_time for message in sandbox.arrived] == ([send_time] if taken else [])


def test_a_strict_sandbox_refuses_the_past(ask: Asker, sandbox: Sandbox):
    """With ``past_send_time="refuse"`` a moment gone by is an error."""
    sandbox.past_send_time = "refuse"

    assert set(ask.send("hello", send_time="2025-03-12 21:20:02").errors) == {"send_time"}
    assert set(ask.upload("recipient,message\n09120000000,a\n", send_time="x").errors) == {"send_time"}


def test_three_months_from_the_end_of_a_long_month():
    """The 30th of November reaches to the last day of February."""
    assert latest_send_time(1_764_504_000).isoformat() == "2026-02-28T12:00:00+00:00"


def test_a_blocked_account_cannot_send(ask: Asker, sandbox: Sandbox):
    """A blocked account is told so by its token's page, and its sends are refused."""
    sandbox.send_block = True

    assert ask("POST", "/v1/api/acl/auth/check_token").json["data"]["send_block"] is True
    assert ask.send("hello").status == 403
    assert sandbox.arrived == []


@pytest.mark.parametrize(
    "token", ["", "Bearer sandbox-token", "AccessKey sandbox-token", "Sandbox-token", "\xe9"]
)
def test_the_token_comes_bare(token, ask: Asker, document):
    """A prefix before the token, or another token, is a wrong token."""
    reply = ask("POST", "/v1/api/send", document("peer_to_peer.request"), token=token)

    assert (reply.status, reply.json) == (401, document("peer_to_peer.response_401"))


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "send", 405), ("POST", "api/send", 404)])
def test_unknown_pages_are_refused_and_noted(method, path, status, ask: Asker, sandbox: Sandbox):
    """A doubled /api/ or another method meets the envelope, and stands among the requests."""
    reply = ask(method, f"/v1/api/{path}")

    assert (reply.status, reply.json["data"]) == (status, None)
    assert [(r.path, r.status, r.taken) for r in sandbox.requests] == [(f"/api/{path}", status, False)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("س" * 70, 1),
        ("س" * 71, 2),
        ("س" * 134, 2),
        ("س" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_parts(text, parts, ask: Asker):
    """GSM-7 160 and 153 with its extension counted double, else UTF-16 code units 70 and 67."""
    assert count_parts(text) == parts
    price = ask.post("send/calculate-price", {"number": "+983000505", "message": text}).json["data"]
    assert price == {"mci_price": 2370 * parts, "other_price": 2503 * parts, "parts": parts}


@pytest.mark.parametrize(
    ("recipient", "operator"),
    [
        ("+989120000000", "mci"),
        ("+989900000000", "mci"),
        ("+989350000000", "irancell"),
        ("+989410000000", "irancell"),
        ("+989200000000", "other"),
        ("+14155550100", "other"),
    ],
)
def test_operators(recipient, operator):
    """A number's first digits tell its operator."""
    assert operator_of(recipient) == operator


@pytest.mark.parametrize("line", ["+983000506", "+989120000000", "98BANK", "bank"])
def test_a_line_that_the_account_does_not_have(line, ask: Asker, sandbox: Sandbox):
    """A send from it is refused with 422 on ``from_number``, unless ``any_line`` lets it pass."""
    upload = "recipient,message\n09120000000,hello\n"

    for reply in (ask.send("hello", from_number=line), ask.upload(upload, from_number=line)):
        assert (reply.status, set(reply.errors)) == (422, {"from_number"})
    assert sandbox.arrived == []

    sandbox.any_line = True
    assert ask.send("hello", from_number=line).status == 200


@pytest.mark.parametrize("line", ["+983000505", "983000505", "00983000505", "3000505"])
def test_the_spellings_of_a_line(line, ask: Asker):
    """The contract does not say which are taken: all are."""
    assert ask.send("hello", from_number=line).status == 200
