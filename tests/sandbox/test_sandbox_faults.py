"""Every fault as a bare client sees it, and whether the messages were taken."""

import http.client
import json
import re
import socket

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.fault_words import FAULT_WORDS
from airflow_provider_p2psms.sandbox.faults import FAULTS, MESSAGE_FAULTS
from tests.sandbox.conftest import Asker

DEFAULTS = {"path": "/api/send", "delay_s": 5.0, "from_number": "", "share": 1.0}

BODY = json.dumps(
    {
        "sending_type": "peer_to_peer",
        "from_number": "+983000505",
        "params": [{"recipients": ["+989120000000"], "message": text} for text in ("a", "b", "c")],
    }
).encode()
TAKEN = ["a", "b", "c"]


@pytest.fixture
def raw(sandbox: Sandbox):
    """Send three groups over a bare socket and give every byte until the connection ends."""

    def send(timeout: float = 5) -> bytes:
        with socket.create_connection(("127.0.0.1", sandbox.bound_port), timeout=timeout) as connection:
            head = f"POST /v1/api/send HTTP/1.1\r\nHost: sandbox\r\nAuthorization: {sandbox.token}\r\n"
            head += (
                f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
            )
            connection.sendall(head.encode() + BODY)
            received = bytearray()
            while chunk := connection.recv(1 << 20):
                received += chunk
            return bytes(received)

    return send


def parts_of(raw_answer):
    """Split a raw answer into status, head and body."""
    head, _, body = raw_answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


@pytest.mark.parametrize(
    ("fault", "status", "taken"),
    [
        ("refuse_400", 400, []),
        ("refuse_401", 401, []),
        ("refuse_403", 403, []),
        ("refuse_404", 404, []),
        ("refuse_409", 409, []),
        ("refuse_413", 413, []),
        ("refuse_422", 422, []),
        ("refuse_429", 429, []),
        ("500_before", 500, []),
        ("500_after", 500, TAKEN),
        ("partial", 500, ["a"]),
        ("status_false", 200, []),
    ],
)
def test_a_fault_in_the_gateways_words(fault, status, taken, sandbox: Sandbox, raw):
    """These answer the gateway's envelope with ``status: false``."""
    sandbox.order_fault(fault)

    answered, head, body = parts_of(raw())

    assert (answered, sandbox.texts_arrived) == (status, taken)
    assert "content-type: application/json" in head
    assert json.loads(body)["meta"]["status"] is False
    assert json.loads(body)["data"] is None
    [request] = sandbox.requests
    assert (request.fault, request.status, request.taken) == (fault, status, bool(taken))


@pytest.mark.parametrize(
    ("fault", "status", "taken"),
    [
        ("502_html", 502, TAKEN),
        ("502_html_before", 502, []),
        ("404_html", 404, TAKEN),
        ("408_after", 408, TAKEN),
        ("499_after", 499, TAKEN),
        ("garbage", 200, TAKEN),
        ("redirect", 302, []),
        ("redirect_after", 302, TAKEN),
    ],
)
def test_a_fault_that_is_no_json(fault, status, taken, sandbox: Sandbox, raw):
    """These answer anything but JSON."""
    sandbox.order_fault(fault)

    answered, _, body = parts_of(raw())

    assert (answered, sandbox.texts_arrived) == (status, taken)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(body)


@pytest.mark.parametrize(
    ("fault", "ids"),
    [
        ("no_ids", None),
        ("too_few_ids", [1123594208, 1123594210]),
        ("too_many_ids", [1123594208, 1123594210, 1123594212, 1123594214]),
        ("zero_ids", [0, 0, 0]),
        ("negative_ids", [-1123594208, -1123594210, -1123594212]),
        ("huge_ids", [2**63, 2**63 + 1, 2**63 + 2]),
        ("one_id", [1123594208]),
    ],
)
def test_a_success_with_the_wrong_ids(fault, ids, sandbox: Sandbox, raw):
    """All is taken, but the ids do not tell so."""
    sandbox.order_fault(fault)

    status, _, body = parts_of(raw())

    assert (status, sandbox.texts_arrived) == (200, TAKEN)
    assert json.loads(body)["data"].get("message_outbox_ids") == ids
    assert json.loads(body)["meta"]["status"] is True


@pytest.mark.parametrize(
    ("fault", "status", "says_yes"),
    [("202_with_ids", 202, True), ("500_with_ids", 500, True), ("busy_with_ids", 503, False)],
)
def test_the_right_ids_under_another_status(fault, status, says_yes, sandbox: Sandbox, raw):
    """All is taken and the ids are right, but the status does not say so."""
    sandbox.order_fault(fault)

    answered, head, body = parts_of(raw())

    assert (answered, sandbox.texts_arrived) == (status, TAKEN)
    assert json.loads(body)["data"]["message_outbox_ids"] == [1123594208, 1123594210, 1123594212]
    assert json.loads(body)["meta"]["status"] is says_yes
    assert ("retry-after: 1" in head) == (status == 503)
    assert [(request.status, request.taken) for request in sandbox.requests] == [(status, True)]


def test_one_id_for_a_file(sandbox: Sandbox, ask: Asker):
    """The reports know all rows under that id, each recipient with its own text; the record has the first."""
    sandbox.order_fault("one_id")
    rows = [("+989120000001", "a"), ("+989120000002", "b" * 200), ("+989120000003", "a")]

    [outbox_id] = ask.upload("recipient,message\n" + "".join(f"{to},{text}\n" for to, text in rows)).ids

    record = ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]
    assert (record["message"], record["rcpts_count"], record["part"]) == ("a", "3", "2")
    recipients = ask.get(f"report/recipients?bulk_id={outbox_id}").json["data"]
    assert [(entry["recipient"], entry["message"]) for entry in recipients] == rows
    assert [(message.recipient, message.text) for message in sandbox.arrived] == rows
    assert ask.post("report/new_list", {}).json["meta"]["total"] == 1
    assert "b" * 200 in ask("GET", "/?q=bbb").content.decode()
    assert ask.send("b" * 200, to="+989120000002").status == 429
    assert ask.send("a", to="+989120000002").status == 200


def test_an_id_for_each_recipient(sandbox: Sandbox, ask: Asker):
    """The reports know each message under an id of its own, whatever its group."""
    sandbox.order_fault("id_per_recipient")
    numbers = ["+989120000001", "+989120000002"]

    ids = ask.send(
        params=[{"recipients": numbers, "message": "a"}, {"recipients": numbers[:1], "message": "b"}]
    ).ids

    assert [(message.outbox_id, message.recipient, message.text) for message in sandbox.arrived] == [
        (ids[0], numbers[0], "a"),
        (ids[1], numbers[1], "a"),
        (ids[2], numbers[0], "b"),
    ]
    records = ask.post("report/new_list", {}).json["data"]
    assert [record["rcpts_count"] for record in records] == ["1", "1", "1"]


def test_not_utf8(sandbox: Sandbox, raw):
    """The answer is the right one in another encoding."""
    sandbox.order_fault("not_utf8")

    _, _, body = parts_of(raw())

    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert sandbox.texts_arrived == TAKEN


def test_truncated(sandbox: Sandbox, raw):
    """The body ends before the length that was promised."""
    sandbox.order_fault("truncated")

    status, head, body = parts_of(raw())
    promised = int(head.partition("content-length: ")[2].split()[0])

    assert status == 200
    assert 0 < len(body) < promised
    assert sandbox.texts_arrived == TAKEN


@pytest.mark.parametrize(("fault", "taken"), [("cut_before_answer", TAKEN), ("cut_before_taken", [])])
def test_a_cut_connection(fault, taken, sandbox: Sandbox, raw):
    """The connection ends without a byte."""
    sandbox.order_fault(fault)

    assert raw() == b""
    assert sandbox.texts_arrived == taken
    assert [(request.status, request.taken) for request in sandbox.requests] == [(None, bool(taken))]


def test_silence(sandbox: Sandbox, raw):
    """No byte comes until the client leaves; all was taken and noted before."""
    sandbox.keep_silent()

    with pytest.raises(TimeoutError):
        raw(timeout=0.3)

    assert sandbox.texts_arrived == TAKEN
    assert [(request.fault, request.status, request.taken) for request in sandbox.requests] == [
        ("silence", None, True)
    ]


def test_slow(sandbox: Sandbox, raw):
    """The right answer comes late; a client who leaves before does no harm."""
    sandbox.order_fault("slow", delay_s=60)
    with pytest.raises(TimeoutError):
        raw(timeout=0.2)
    assert sandbox.texts_arrived == TAKEN

    sandbox.reset()
    sandbox.order_fault("slow", delay_s=0.05)
    assert parts_of(raw())[0] == 200


def test_too_large(sandbox: Sandbox, raw):
    """The body goes on for 64 MB, and stops when the client leaves."""
    sandbox.order_fault("too_large", times=2)

    assert len(raw()) > 60 * 1024 * 1024
    assert sandbox.texts_arrived == TAKEN

    sandbox.duplicate_window_s = 0
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.bound_port, timeout=5)
    headers = {"Authorization": sandbox.token, "Content-Type": "application/json"}
    connection.request("POST", "/v1/api/send", BODY, headers)
    connection.getresponse().read(1000)
    connection.close()


def test_whoever_follows_the_redirect_is_noted(sandbox: Sandbox, ask: Asker):
    """The address it leads to answers a success, and takes nothing."""
    sandbox.order_fault("redirect")
    location = ask.send("hello").headers["location"]
    assert location == f"http://localhost:{sandbox.bound_port}/sandbox/elsewhere"

    reply = ask("GET", "/sandbox/elsewhere")

    assert reply.ids == [1]
    assert [request.path for request in sandbox.requests] == ["/api/send", "/sandbox/elsewhere"]
    assert sandbox.arrived == []


def test_partial_takes_half_of_a_file(sandbox: Sandbox, ask: Asker):
    """Rows of a file are taken by half as well."""
    sandbox.order_fault("partial")

    reply = ask.upload("recipient,message\n" + "".join(f"09120000000,{text}\n" for text in "abcd"))

    assert (reply.status, sandbox.texts_arrived) == (500, ["a", "b"])


def test_times_and_after(sandbox: Sandbox, ask: Asker):
    """A fault skips the first sends, hits as often as ordered, and is then over."""
    sandbox.order_fault("500_before", times=2, after=1)

    assert [ask.send(text).status for text in "abcd"] == [200, 500, 500, 200]


def test_faults_wait_for_each_other(sandbox: Sandbox, ask: Asker):
    """Of two faults that could hit a request, the one ordered first does."""
    sandbox.order_fault("refuse_400")
    sandbox.order_fault("refuse_403")
    sandbox.order_fault("refuse_404", after=3)

    assert [ask.send(text).status for text in "abcde"] == [400, 403, 200, 404, 200]


def test_a_fault_for_all(sandbox: Sandbox, ask: Asker):
    """Without a number of times it hits until it is cleared; other pages are spared."""
    sandbox.order_fault("502_html", times=None)

    assert [ask.send(text).status for text in "abc"] == [502, 502, 502]
    assert ask.get("payment/credit/mine").status == 200
    sandbox.clear_faults()
    assert ask.send("d").status == 200


def test_a_fault_for_another_page(sandbox: Sandbox, ask: Asker):
    """``path`` names the end of another page's path."""
    sandbox.order_fault("garbage", path="/report/new_list")
    sandbox.order_fault("no_ids", path="/payment/credit/mine")

    assert ask.send("a").ids
    assert ask.post("report/new_list", {}).content == b"Thank you for your message!"
    assert ask.post("report/new_list", {}).json["meta"]["total"] == 1
    assert ask.get("payment/credit/mine").json["data"]["gift"] == 0


def test_a_refusal_is_stronger_than_a_lost_answer(sandbox: Sandbox, ask: Asker):
    """A request that the contract refuses gets its refusal; the fault is used up."""
    sandbox.keep_silent()

    assert ask.send("").status == 422
    assert ask.send("hello").status == 200
    assert [request.fault for request in sandbox.requests] == [None, None]


ODD_ORDERS = [
    ({"fault": "thunder"}, "fault is one of refuse_400, "),
    ({"fault": []}, "fault is one of refuse_400, "),
    ({"fault": "silence", "times": 0}, "times is a whole number from 1 to 1,000,000,000 (or null for all"),
    ({"fault": "silence", "times": 1.5}, "times is a whole number"),
    ({"fault": "silence", "times": True}, "times is a whole number"),
    ({"fault": "silence", "times": "2"}, "times is a whole number"),
    ({"fault": "silence", "times": float("nan")}, "times is a whole number"),
    ({"fault": "silence", "times": 10**400}, "times is a whole number"),
    ({"fault": "silence", "after": -1}, "after is a whole number from 0"),
    ({"fault": "silence", "after": None}, "after is a whole number from 0"),
    ({"fault": "slow", "delay_s": -1}, "delay_s is a number of seconds"),
    ({"fault": "slow", "delay_s": False}, "delay_s is a number of seconds"),
    ({"fault": "slow", "delay_s": float("nan")}, "delay_s is a number of seconds"),
    ({"fault": "slow", "delay_s": float("inf")}, "delay_s is a number of seconds"),
    ({"fault": "slow", "path": "send"}, "path is a text that begins with a slash"),
    ({"fault": "slow", "path": 1}, "path is a text that begins with a slash"),
]


@pytest.mark.parametrize(("order", "sentence"), ODD_ORDERS)
def test_an_order_with_a_bad_field(order, sentence, sandbox: Sandbox, ask: Asker):
    """The sentence names the field, here and over HTTP, and nothing is ordered."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        sandbox.order_fault(**order)
    reply = ask("POST", "/sandbox/faults", order)

    assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
    assert sandbox.state()["faults"] == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "an order is an object with the fields fault, times, after, path, delay_s"),
        (b"{}", "fault is missing"),
        (b'{"fault": "silence", "when": 1}', "an order has no field 'when'; known are fault, times,"),
        (b"{", "Expecting property name"),
        (b"", "Expecting value"),
        (b"\xff", "'utf-8' codec can't decode"),
        (b"[" * 60_000, "the JSON is nested too deeply"),
        (b'{"a":' * 10_500 + b"1" + b"}" * 10_500, "the JSON is nested too deeply"),
        (b'{"fault": ' + b"[" * 900 + b"]" * 900 + b"}", "fault is one of refuse_400, "),
    ],
)
def test_an_order_that_cannot_be_read(body, sentence, sandbox: Sandbox, ask: Asker):
    """Another shape than an order's is refused with a sentence, and nothing is ordered."""
    reply = ask("POST", "/sandbox/faults", body=body)

    assert (reply.status, reply.json["error"][: len(sentence)]) == (422, sentence)
    assert sandbox.state()["faults"] == []


def test_an_order_that_is_too_long(ask: Asker):
    """An order needs a few bytes; a long one is not read to its end."""
    reply = ask("POST", "/sandbox/faults", body=b" " * 70_000)

    assert (reply.status, reply.json) == (413, {"error": "an order has at most 65,536 bytes"})


def test_faults_by_the_control_pages(ask: Asker):
    """Faults can be ordered and cleared over HTTP with the token, and seen without it."""
    order = {"fault": "500_before", "times": 2, "after": 1}

    state = ask("POST", "/sandbox/faults", order).json
    assert state["faults"] == [order | DEFAULTS]
    assert [ask.send(text).status for text in "ab"] == [200, 500]

    assert ask("GET", "/sandbox/state", token="").json == {
        "requests": 2,
        "send_requests": 2,
        "outbox": 1,
        "messages": 1,
        "faults": [order | DEFAULTS | {"times": 1, "after": 0}],
    }
    assert ask("DELETE", "/sandbox/faults").json["faults"] == []
    assert ask.send("c").status == 200


def test_every_fault_is_documented():
    """The module's table names each fault."""
    from airflow_provider_p2psms.sandbox import faults

    told = faults.__doc__ or ""
    known = {**FAULTS, **MESSAGE_FAULTS}
    assert [name for name in known if name not in told and name.removeprefix("refuse") not in told] == []
    assert set(FAULT_WORDS) == set(known)
