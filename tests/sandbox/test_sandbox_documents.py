"""What the gateway's documents print, the sandbox takes and answers."""

import json
import shutil
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker, Clock


def shape(value):
    """Reduce JSON to its keys and types; a list to the set of its elements' shapes."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner), sort_keys=True) for inner in value})
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


@pytest.fixture
def sent(ask: Asker, clock: Clock):
    """Send one message to one Irancell number, and wait until it is delivered; gives its id."""
    [outbox_id] = ask.send("متن پیام", to="+989350000000").ids
    clock.now += 60
    return outbox_id


ASK = {
    "peer_to_peer": lambda ask, document, sent: ask.post("send", document("peer_to_peer.request")),
    "peer_to_peer_file": lambda ask, document, sent: ask.upload(
        "recipient,message\r\n09120000000,a\r\n+989350000000,b\r\n",
        send_time=document("peer_to_peer_file.request")["send_time"],
        name=document("peer_to_peer_file.request")["files[]"],
    ),
    "calculate_price": lambda ask, document, sent: ask.post(
        "send/calculate-price", document("calculate_price.request")
    ),
    "check_token": lambda ask, document, sent: ask("POST", "/v1/api/acl/auth/check_token"),
    "credit": lambda ask, document, sent: ask.get("payment/credit/mine"),
    "numbers": lambda ask, document, sent: ask.get("number/numbers?page=1&per_page=10"),
    "report_by_bulk": lambda ask, document, sent: ask.get(f"report/by_bulk?messages_outbox_id={sent}"),
    "report_new_list": lambda ask, document, sent: ask.post("report/new_list", {"page": 1, "limit": 10}),
    "report_recipients": lambda ask, document, sent: ask.get(
        f"report/recipients?bulk_id={sent}&page=1&per_page=10"
    ),
    "report_bulk_stats": lambda ask, document, sent: ask.get(f"report/bulk_stats?bulk_id={sent}"),
    "send_cancel": lambda ask, document, sent: ask.post(
        "send/cancel",
        document("send_cancel.request")
        | {"message_outbox_id": ask.send("later", send_time="2025-10-10 08:00:00").ids[0]},
    ),
}

ASK_WRONGLY = {
    "peer_to_peer.response_422": lambda ask: ask.send(params=[{"recipients": ["+989120000000"]}]),
    "peer_to_peer_file.response_422": lambda ask: ask.upload("", files_field="other"),
    "calculate_price.response_422": lambda ask: ask.post("send/calculate-price", {"number": "+983000505"}),
    "report_new_list.response_422": lambda ask: ask.post("report/new_list", {"filters": {"state_id": "99"}}),
    "report_recipients.response_422": lambda ask: ask.get("report/recipients"),
    "report_bulk_stats.response_422": lambda ask: ask.get("report/bulk_stats"),
    "send_cancel.response_422": lambda ask: ask.post("send/cancel", {}),
    "send_cancel.response_404": lambda ask: ask.post("send/cancel", {"message_outbox_id": 1148303263}),
}


@pytest.mark.parametrize("page", ASK)
def test_a_success_has_the_printed_shape(page, ask: Asker, document, sent):
    """Every key and every JSON type of a printed success is what the sandbox answers."""
    reply = ASK[page](ask, document, sent)

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert shape(reply.json) == shape(document(f"{page}.response_200"))


@pytest.mark.parametrize("page", ASK)
def test_a_wrong_token_is_refused_as_printed(page, ask: Asker, document, sandbox: Sandbox):
    """Each page answers 401 word for word."""
    right = sandbox.token
    sandbox.token = "another"
    old: Any = SimpleNamespace(token=right, bound_port=sandbox.bound_port)
    ask.sandbox = old

    reply = ASK[page](ask, document, 1) if page != "send_cancel" else ask.post("send/cancel", {})

    assert reply.status == 401
    assert reply.json == document(f"{page}.response_401")
    assert not sandbox.arrived


@pytest.mark.parametrize("printed", ASK_WRONGLY)
def test_a_wrong_request_is_refused_as_printed(printed, ask: Asker, document):
    """Each printed refusal comes word for word."""
    reply = ASK_WRONGLY[printed](ask)

    assert reply.status == int(printed[-3:])
    assert reply.json == document(printed)


def test_the_first_send_of_a_sandbox_gets_the_printed_ids(ask: Asker, document):
    """The documents' own request on a fresh sandbox is answered by the documents' own answer."""
    assert ask.post("send", document("peer_to_peer.request")).json == document("peer_to_peer.response_200")


def test_the_printed_filters_are_understood(ask: Asker, document):
    """The documents' own list request is answered, though nothing matches it."""
    reply = ask.post("report/new_list", document("report_new_list.request"))

    assert reply.json["data"] == []
    assert reply.json["meta"]["total"] == 0
    assert reply.json["meta"]["from"] is None


@pytest.mark.parametrize("base", ["/v1", ""])
def test_the_pages_lie_below_both_base_addresses(base, ask: Asker, document):
    """A base address may come with its version or without."""
    assert ask("POST", f"{base}/api/send", document("peer_to_peer.request")).status == 200


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("kind", ["peer_to_peer", "peer_to_peer_file"])
def test_the_documents_curl_commands_work_unchanged(kind, sandbox: Sandbox, document, tmp_path):
    """Both documented sends are taken from curl as they are printed, with a send_time long past."""
    request = document(f"{kind}.request")
    if kind == "peer_to_peer":
        arguments = ["-H", "Content-Type: application/json", "-d", json.dumps(request)]
    else:
        (tmp_path / request["files[]"]).write_text("recipient,message\n09120000000,سلام\n", encoding="utf-8")
        fields = request | {"files[]": f"@{request['files[]']}"}
        arguments = [part for name, value in fields.items() for part in ("-F", f"{name}={value}")]

    answer = subprocess.run(
        [
            *("curl", "-sS", "-X", "POST", f"{sandbox.base_url}/api/send"),
            *("-H", f"Authorization: {sandbox.token}", "-H", "Accept: application/json", *arguments),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=30,
    )

    assert shape(json.loads(answer.stdout)) == shape(document(f"{kind}.response_200"))
    assert sandbox.texts_arrived == (
        ["پیام اول", "پیام اول", "پیام دوم"] if kind == "peer_to_peer" else ["سلام"]
    )
