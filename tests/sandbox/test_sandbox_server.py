"""The sandbox as a server in this process: start, stop, restart, many clients, its page, its fixture."""

import contextlib
import http.client
import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_p2psms import sandbox as room
from airflow_provider_p2psms.sandbox import Arrived, NotedRequest, Sandbox
from airflow_provider_p2psms.sandbox.store import Store
from tests.sandbox.conftest import Asker, Clock

pytest_plugins = ["pytester"]


def test_addresses(sandbox: Sandbox):
    """Everything needed to reach it can be read from it."""
    address = f"127.0.0.1:{sandbox.bound_port}"

    assert sandbox.base_url == f"http://{address}/v1"
    assert sandbox.connection_uri == f"p2psms://:sandbox-token@{address}/v1?from_number=%2B983000505"
    assert sandbox.outbox_url == f"http://{address}/"


def test_a_token_is_quoted_in_the_uri_and_hidden_in_the_repr():
    """A token with special characters survives the URI, and shows nowhere else."""
    sandbox = Sandbox(token="a/b@c:d")

    assert sandbox.connection_uri == "p2psms://:a%2Fb%40c%3Ad@127.0.0.1:0/v1?from_number=%2B983000505"
    assert "a/b" not in repr(sandbox)


@pytest.mark.parametrize(
    ("host", "shown", "local"),
    [
        ("127.0.0.1", "127.0.0.1:0", True),
        ("localhost", "localhost:0", True),
        ("::1", "[::1]:0", True),
        ("0.0.0.0", "127.0.0.1:0", False),
        ("::", "[::1]:0", False),
        ("gateway.test", "gateway.test:0", False),
    ],
)
def test_hosts(host, shown, local):
    """An address for all interfaces is shown as one that can be called."""
    sandbox = Sandbox(host=host)

    assert (sandbox.base_url, sandbox.is_local) == (f"http://{shown}/v1", local)


def test_what_arrived_hides_texts_in_its_repr(sandbox: Sandbox, ask: Asker):
    """The records can be logged; texts and numbers are there for who asks for them."""
    ask.send("secret", send_time="2025-10-10 08:00:00")

    assert sandbox.arrived == [
        Arrived(1123594208, "+989120000000", "secret", "+983000505", "2025-10-10 08:00:00", request=1)
    ]
    assert "secret" not in repr(sandbox.arrived)
    assert "+989120000000" not in repr(sandbox.arrived)


def test_requests_are_noted(sandbox: Sandbox, ask: Asker, clock: Clock):
    """Each request is there with its kind, its size and its answer."""
    ask.send("hello")
    ask.upload("recipient,message\n09120000000,hi\n")
    ask("POST", "/api/report/new_list", {})

    assert [(r.id, r.kind, r.status, r.taken, r.fault) for r in sandbox.requests] == [
        (1, "peer_to_peer", 200, True, None),
        (2, "peer_to_peer_file", 200, True, None),
        (3, "report/new_list", 200, False, None),
    ]
    assert sandbox.requests[2] == NotedRequest(
        3, clock.now, "POST", "/api/report/new_list", "report/new_list", 2, None, 200, taken=False
    )
    assert (sandbox.send_requests, sandbox.state()["requests"]) == (2, 3)


def test_reset_forgets_everything(sandbox: Sandbox, ask: Asker):
    """After a reset the sandbox is as new."""
    first = ask.send("hello").ids
    sandbox.keep_silent()

    sandbox.reset()

    assert (sandbox.arrived, sandbox.requests, sandbox.state()["faults"]) == ([], [], [])
    assert ask.send("hello").ids == first


def test_a_restart_on_the_same_file_remembers(tmp_path, asker: type[Asker], clock: Clock):
    """What arrived, its ids, the reports, the credit and the 40-second rule outlive the process."""
    options = {"database": tmp_path / "sandbox.sqlite", "clock": clock, "credit": 5_000.0}
    with Sandbox(**options) as before:
        [outbox_id] = asker(before).send("hello").ids
        arrived, requests = before.arrived, before.requests

    with Sandbox(**options) as after:
        assert (after.arrived, after.requests) == (arrived, requests)
        ask = asker(after)
        assert ask.send("hello").status == 429
        assert ask.send("two").ids == [outbox_id + 2]
        [beyond] = ask.send("three").ids
        clock.now += 10
        states = [
            ask.get(f"report/by_bulk?messages_outbox_id={known}").json["data"]["state_id"]
            for known in (outbox_id, beyond)
        ]
        assert states == [6, 8]


def test_the_same_sandbox_starts_again(asker: type[Asker]):
    """Stopped twice it does no harm; started again on memory it is empty."""
    sandbox = Sandbox()
    sandbox.stop()
    with sandbox:
        asker(sandbox).send("hello")
    sandbox.stop()

    with sandbox:
        assert sandbox.arrived == []


def test_it_stops_while_clients_wait(asker: type[Asker]):
    """Silent and idle connections are cut, and stopping takes no time."""
    sandbox = Sandbox(latency_s=30).start()
    idle = socket.create_connection(("127.0.0.1", sandbox.bound_port))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asker(sandbox).send, "hello")
        while not sandbox.arrived:
            threading.Event().wait(0.01)

        sandbox.stop()

        with pytest.raises(ConnectionError):
            answer.result(timeout=5)
    assert idle.recv(1) == b""
    idle.close()


def test_it_cuts_a_connection_of_its_last_moment():
    """What was accepted as it stopped is cut like all others: the client reads an end, not silence."""
    with contextlib.ExitStack() as clients:
        for _ in range(30):
            with Sandbox() as sandbox:
                address = ("127.0.0.1", sandbox.bound_port)
                opened = [clients.enter_context(socket.create_connection(address)) for _ in range(3)]
            for client in opened:
                client.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""


def test_latency_delays_the_answer(asker: type[Asker]):
    """With a latency the right answer still comes."""
    with Sandbox(latency_s=0.01) as sandbox:
        assert asker(sandbox).send("hello").status == 200


def test_a_taken_port_and_a_broken_database(sandbox: Sandbox, tmp_path):
    """Neither leaves anything open."""
    with pytest.raises(OSError, match=f"port {sandbox.bound_port} of 127.0.0.1 is in use; choose another"):
        Sandbox(port=sandbox.bound_port).start()
    with pytest.raises(OSError, match=r"it cannot listen on port 0 of 192\.0\.2\.1: "):
        Sandbox(host="192.0.2.1").start()
    with pytest.raises(sqlite3.Error):
        Sandbox(database=tmp_path).start()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"port": 65_536}, "port is from 0 to 65535, not 65536"),
        ({"port": -1}, "port is from 0 to 65535, not -1"),
        ({"latency_s": -1}, "latency_s is 0 or more, not -1"),
        ({"queue_s": float("nan")}, "queue_s is 0 or more, not nan"),
        ({"delivery_s": float("inf")}, "delivery_s is 0 or more, not inf"),
    ],
)
def test_an_option_out_of_range(option, sentence):
    """It is an error with a sentence, before anything starts."""
    with pytest.raises(ValueError, match=sentence):
        Sandbox(**option)


def test_a_line_for_each_request(asker: type[Asker], clock: Clock):
    """The log counts messages and ids, names faults and fields, and shows no number and no text."""
    lines: list[str] = []
    with Sandbox(clock=clock, log=lines.append) as sandbox:
        ask = asker(sandbox)
        ask.send("secret", "two")
        ask.send("secret three")
        ask.upload("recipient,message\n0912,secret\n")
        ask("POST", "/v1/api/send", {}, token="guess")
        sandbox.order_fault("502_html")
        ask.send("four")
        sandbox.order_fault("cut_before_answer")
        with pytest.raises(ConnectionError):
            ask.send("five")
        ask.get("payment/credit/mine")
        ask("GET", "/v1/api/a%1Bb")

    told = [re.findall(r"^\d\d:\d\d:\d\d (.+) [\d,]+ ms\Z", line)[0] for line in lines]
    assert told == [
        "send 2 messages → 2 ids",
        "send 1 message → 1 id",
        "send → HTTP 422 (files)",
        "send → HTTP 401",
        "send 1 message → fault 502_html (HTTP 502)",
        "send 1 message → fault cut_before_answer (no answer)",
        "payment/credit/mine → HTTP 200",
        "a\\x1bb → HTTP 404",
    ]


def test_a_request_that_fails_inside_leaves_nothing(sandbox: Sandbox, ask: Asker, clock: Clock, monkeypatch):
    """When the sandbox itself fails after taking a message, neither the message nor its price stays."""
    sandbox.credit = 2370
    with monkeypatch.context() as broken:
        broken.setattr(Store, "note_answer", lambda *_, **__: 1 / 0)
        assert ask.send("hello").status == 500

    assert (sandbox.arrived, sandbox.requests) == ([], [])
    [outbox_id] = ask.send("hello").ids
    clock.now += 1
    assert ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]["state_id"] == 6


def test_half_a_request_is_none(sandbox: Sandbox):
    """A client who leaves in the middle of a body has sent nothing."""
    with socket.create_connection(("127.0.0.1", sandbox.bound_port)) as connection:
        head = f"POST /v1/api/send HTTP/1.1\r\nHost: x\r\nAuthorization: {sandbox.token}\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
    with socket.create_connection(("127.0.0.1", sandbox.bound_port)) as connection:
        connection.sendall(b"GET /sandbox/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in connection.recv(1000)

    assert sandbox.requests == []


def test_a_kept_connection_is_answered_at_once(sandbox: Sandbox, ask: Asker):
    """Nothing holds an answer back: a hundred requests on one connection take no four seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.bound_port, timeout=10)
    began = time.monotonic()
    for _ in range(100):
        connection.request("POST", "/v1/api/acl/auth/check_token", b"{}", {"Authorization": sandbox.token})
        assert connection.getresponse().read()
    connection.close()

    assert time.monotonic() - began < 3.5


def test_many_clients_at_once(tmp_path, asker: type[Asker]):
    """Eight clients lose nothing, double nothing, and share no id, with a file as with memory."""
    with Sandbox(database=tmp_path / "sandbox.sqlite") as sandbox, ThreadPoolExecutor(8) as pool:
        ask = asker(sandbox)

        replies = list(
            pool.map(
                lambda number: ask.send(*(f"{number}-{place}" for place in range(100))),
                range(40),
            )
        )

        ids = [outbox_id for reply in replies for outbox_id in reply.ids]
        assert len(set(ids)) == len(ids) == 4_000
        assert len(set(sandbox.texts_arrived)) == 4_000
        by_id = {message.outbox_id: message.text for message in sandbox.arrived}
        for number, reply in enumerate(replies):
            assert [by_id[outbox_id] for outbox_id in reply.ids] == [
                f"{number}-{place}" for place in range(100)
            ]


def test_of_equal_requests_at_once_one_is_taken(sandbox: Sandbox, ask: Asker):
    """The 40-second rule holds between requests that arrive together."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: ask.send("hello").status, range(8)))

    assert sorted(statuses) == [200] + [429] * 7
    assert sandbox.texts_arrived == ["hello"]


def test_the_outbox_page_shows_what_arrived(sandbox: Sandbox, ask: Asker, clock: Clock):
    """Messages and faults are there; texts are escaped and find their direction themselves."""
    ask.send("<b>سلام</b>", "[[reject]]")
    sandbox.order_fault("silence", times=None)
    clock.now += 60

    page = ask("GET", "/", token="").content.decode()

    assert '<td class="text" dir="auto">&lt;b&gt;سلام&lt;/b&gt;</td>' in page
    for shown in (
        "1123594208",
        "+989120000000",
        "6 finish",
        "delivered",
        "3 reject",
        "fault silence, always, on /api/send",
    ):
        assert shown in page
    assert "POST /api/send" in ask("GET", "/requests", token="").content.decode()


def test_the_outbox_page_is_searched_and_paged(ask: Asker):
    """Search finds numbers, texts and ids; pages hold fifty; an id has a page of its own."""
    ids = ask.send(*(f"text {number:03}" for number in range(120))).ids
    ask.send("other", to="+989350000000")
    rows = lambda query: ask("GET", f"/?{query}").content.decode().count('class="text"')  # noqa: E731

    assert [rows(f"page={page}") for page in (1, 2, 3, 4)] == [50, 50, 21, 0]
    assert rows("q=935") == 1
    assert rows("q=text+007") == 1
    assert rows(f"q={ids[5]}") == 1
    assert rows(f"outbox_id={ids[7]}") == 1
    assert rows("outbox_id=x&page=x") == 50
    assert "page 2 of 3" in ask("GET", "/?q=text&page=2").content.decode()


def test_an_empty_outbox_page(ask: Asker):
    """A fresh sandbox has a page too, and looking at it is no request."""
    assert "None." in ask("GET", "/").content.decode()
    assert ask.sandbox.requests == []


def test_the_fixture_leads_the_connection_to_a_sandbox(pytester):
    """Any test of a user can ask for ``p2psms_sandbox``; the connection points to it, for that test alone."""
    pytester.makepyfile(
        """
        import os
        import urllib.request


        def test_inside(p2psms_sandbox):
            assert os.environ["AIRFLOW_CONN_P2PSMS_DEFAULT"] == p2psms_sandbox.connection_uri
            assert urllib.request.urlopen(p2psms_sandbox.outbox_url).status == 200


        def test_after():
            assert "AIRFLOW_CONN_P2PSMS_DEFAULT" not in os.environ
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2)


def test_the_fixture_in_this_process(p2psms_sandbox: Sandbox, asker: type[Asker]):
    """Messages are delivered in a moment."""
    [outbox_id] = asker(p2psms_sandbox).send("hello").ids

    status = None
    while status != "2":
        reply = asker(p2psms_sandbox).get(f"report/recipients?bulk_id={outbox_id}")
        status = reply.json["data"][0]["message_status"]


def python(code):
    """Run code in a fresh interpreter; gives what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_plugin_is_almost_free_to_import():
    """A test run that uses no sandbox pays for none of its libraries."""
    loaded = json.loads(
        python(
            "import sys, json, airflow_provider_p2psms.sandbox.pytest_plugin\n"
            "heavy = {'starlette', 'uvicorn', 'jinja2', 'airflow', 'sqlite3', 'asyncio'}\n"
            "print(json.dumps(sorted(heavy & set(sys.modules))))"
        )
    )

    assert set(loaded) <= {"asyncio"}  # pytest itself may load it


def test_the_room_imports_without_its_extra():
    """Only the use of a name needs the libraries; an unknown name is an ordinary error."""
    code = "import sys; sys.modules['starlette'] = None; from airflow_provider_p2psms import sandbox"
    assert python(code) == ""
    hint = "try: sandbox.Sandbox\nexcept ModuleNotFoundError as err: print(err)"
    assert "pip install 'airflow-provider-p2psms[sandbox]'" in python(f"{code}\n{hint}")

    with pytest.raises(AttributeError, match="no attribute 'Gateway'"):
        room.Gateway  # type: ignore[attr-defined]  # noqa: B018 - reading it is the test
