"""``/sandbox/messages``: list, wait, export, cancel and delete over HTTP; what the page asks of the store."""

import csv
import html
import io
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker, Clock

DAY = "2025-10-10 08:53:20"


@pytest.fixture
def find(ask: Asker):
    """Return the texts that a query finds, newest first."""
    return lambda query="": [
        each["text"] for each in ask("GET", f"/sandbox/messages?{query}", token="").json["records"]
    ]


def test_a_record(ask: Asker, clock: Clock):
    """It says all that is known of a message, with each recipient."""
    [outbox_id] = ask.send("سلام", to="+989120000003").ids
    clock.now += 60

    answer = ask("GET", "/sandbox/messages").json

    assert (answer["outbox"], answer["messages"], answer["next"]) == (1, 1, None)
    [record] = answer["records"]
    assert record == {
        "outbox_id": outbox_id,
        "text": "سلام",
        "from_number": "+983000505",
        "kind": "peer_to_peer",
        "parts": 1,
        "cost": 2370,
        "state_id": 6,
        "state": "finish",
        "outcomes": {"not_delivered": 1},
        "accepted_at": "2025-10-09T08:53:20.000+00:00",
        "send_at": "2025-10-09T08:53:20.000+00:00",
        "dag_id": None,
        "run_id": None,
        "task_id": None,
        "request": 1,
        "recipients": [
            {"recipient": "+989120000003", "text": "سلام", "outcome": "not_delivered", "status": 3}
        ],
    }
    assert ask("GET", f"/sandbox/messages/{outbox_id}").json == record
    assert ask("GET", "/sandbox/messages/1").status == ask("GET", "/sandbox/messages/x").status == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=0912 345 67 89", "a"),
        ("q=٠٩١٢٣٤٥", "a"),
        ("q=%2B98912345", "a"),
        ("q=00989123", "a"),
        ("q=6789", "a"),
        ("q=كتاب", "a"),
        ("q=مي خواهم", "a"),
        ("q=CODE", "b"),
        ("q=code  ۱۲", "b"),
        ("q=%25", ""),
        ("q=0935", "b"),
        ("to=0912 345 6789", "a"),
        ("to=0912 345 678", ""),
        ("sender=%2B981000", "b"),
        ("kind=peer_to_peer_file", ""),
        ("state=rejected", "c"),
        ("state=delivered", "ab"),
        ("state=scheduled", "d"),
        ("state=cancelled", ""),
        ("since=2025-10-09T08:53:21", "bcd"),
        ("since=2025-10-09T08:53:21&before=2025-10-09T08:53:22Z", "b"),
        ("request=2", "b"),
        ("q=%D9%A9%D9%A8%D9%A7&nonsense=1", ""),
    ],
)
def test_filters(query, found, ask: Asker, clock: Clock):
    """Each finds what it names; together they narrow down; unknown ones are left out."""
    texts = {"a": "کتاب می‌خواهم", "b": "Your Code 123", "c": "[[reject]]", "d": "later"}
    ask.send(texts["a"], to="+989123456789")
    clock.now += 1
    ask.send(texts["b"], to="+989350000000", from_number="+981000")
    clock.now += 1
    ask.send(texts["c"])
    ask.send(texts["d"], send_time=DAY)
    clock.now += 60

    reply = ask("GET", f"/sandbox/messages?{quote(query, safe='=&%')}")

    assert [each["text"] for each in reply.json["records"]] == [texts[name] for name in reversed(found)]
    assert reply.json["outbox"] == len(found)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=sent_maybe", "state is one of scheduled, queued"),
        ("since=yesterday", "since is a time in UTC"),
        ("outbox_id=x", "outbox_id is a whole number"),
        ("limit=1001", "limit is 1,000 or less"),
        ("wait_s=601", "wait_s is 600 or less"),
        ("count=-1", "count is a whole number"),
    ],
)
def test_a_bad_value_is_refused_by_the_api_and_left_out_by_the_page(query, sentence, ask: Asker):
    """The API answers 422 with a sentence that names it."""
    reply = ask("GET", f"/sandbox/messages?{query}")

    assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
    assert ask("GET", f"/?{query}").status == 200


def test_all_records_a_few_at_a_time(ask: Asker):
    """``next`` leads on, whatever comes meanwhile."""
    ask.send(*"abcde")
    first = ask("GET", "/sandbox/messages?limit=2").json
    ask.send("f")
    second = ask("GET", f"/sandbox/messages?limit=2&until={first['next']}").json
    third = ask("GET", f"/sandbox/messages?limit=2&until={second['next']}").json

    shown = [each["text"] for page in (first, second, third) for each in page["records"]]
    assert ("".join(shown), third["next"]) == ("edcba", None)


class TestWaiting:
    """A script in any language waits for messages with one request."""

    def test_what_is_there_is_answered_at_once(self, ask: Asker, find):
        """A text to many counts as many messages; with ``to``, as one for each record."""
        ask.send("hello", params=[{"recipients": ["+989120000001", "+989120000002"], "message": "hello"}])

        assert find("count=2&wait_s=60") == ["hello"]
        assert ask("GET", "/sandbox/messages?to=09120000001").json["messages"] == 1

    def test_what_comes_later_is_waited_for(self, sandbox: Sandbox, ask: Asker, find):
        """The answer comes with the message."""
        found = []
        waiting = threading.Thread(target=lambda: found.extend(find("q=later&wait_s=60")))
        waiting.start()
        while not sandbox._feed._watchers:
            time.sleep(0.005)
        ask.send("sooner")
        ask.send("later")
        waiting.join(10)

        assert found == ["later"]

    def test_a_state_that_time_brings_is_waited_for(self, asker: type[Asker]):
        """No request is needed for a message to be delivered."""
        with Sandbox(queue_s=0.1, delivery_s=0.1) as sandbox:
            ask = asker(sandbox)
            ask.send("hello")

            reply = ask("GET", "/sandbox/messages?state=delivered&wait_s=60")

        assert (reply.status, reply.json["messages"]) == (200, 1)

    def test_what_does_not_come_is_a_408(self, ask: Asker):
        """With what there is by then."""
        ask.send("one")

        reply = ask("GET", "/sandbox/messages?count=2&wait_s=1")

        assert reply.status == 408
        assert reply.json["error"] == "1 of 2 messages came within 1 seconds"
        assert [each["text"] for each in reply.json["records"]] == ["one"]

    def test_the_sandbox_stops_while_someone_waits(self, asker: type[Asker]):
        """The connection is cut."""
        with Sandbox() as sandbox:
            failed = []

            def wait():
                try:
                    asker(sandbox)("GET", "/sandbox/messages?wait_s=600", timeout=60)
                except OSError as err:
                    failed.append(err)

            waiting = threading.Thread(target=wait)
            waiting.start()
            while not sandbox._feed._watchers:
                time.sleep(0.005)
        waiting.join(10)

        assert failed


def test_export(ask: Asker, clock: Clock):
    """CSV and JSON have a row a message, filtered as the list is, and texts as they came."""
    texts = ['a "quoted", text', "two\r\nlines", "=1+1", "سلام"]
    ask.send(*texts, to="+989120000001")
    ask.send("other", to="+989120000002")
    clock.now += 60

    exported = ask("GET", "/sandbox/messages.csv?to=09120000001")
    rows = list(csv.DictReader(io.StringIO(exported.content.decode(), newline="")))
    as_json = ask("GET", "/sandbox/messages.json?to=09120000001").json

    assert exported.headers["content-disposition"] == 'attachment; filename="messages.csv"'
    assert [row["text"] for row in rows] == texts[::-1] == [row["text"] for row in as_json]
    assert {row["outcome"] for row in rows} == {"delivered"}
    assert rows[0].keys() == as_json[0].keys()
    assert ask("GET", "/sandbox/messages.json?q=nothing").json == []


def test_more_than_a_chunk_is_exported(ask: Asker):
    """A large export is written a thousand records at a time."""
    rows = [f"+989120000000,text {number}" for number in range(2_500)]
    ask.upload("recipient,message\n" + "\n".join(rows) + "\n")

    assert len(ask("GET", "/sandbox/messages.json").json) == 2_500
    assert ask("GET", "/sandbox/messages.csv").content.count(b"\r\n") == 2_501


def test_cancel(sandbox: Sandbox, ask: Asker, clock: Clock):
    """A scheduled message is cancelled as by the gateway's own path; what cannot be is a 409."""
    [outbox_id] = ask.send("later", send_time=DAY).ids

    assert ask("POST", f"/sandbox/messages/{outbox_id}/cancel", {}, token="").status == 401
    assert ask("POST", f"/sandbox/messages/{outbox_id}/cancel", {}).json == {"cancelled": outbox_id}
    for wrong in (outbox_id, 1, "x", 10**30):
        assert ask("POST", f"/sandbox/messages/{wrong}/cancel", {}).status == 409
    assert ask("GET", "/sandbox/messages").json["records"][0]["state"] == "cancel"


def test_delete_all(sandbox: Sandbox, ask: Asker):
    """Messages and requests are gone, faults stay, and no id is given a second time."""
    [before] = ask.send("one").ids
    sandbox.order_fault("silence", after=5)

    assert ask("DELETE", "/sandbox/messages", token="").status == 401
    state = ask("DELETE", "/sandbox/messages").json

    assert (state["messages"], state["requests"], len(state["faults"])) == (0, 0, 1)
    assert ask.send("one").ids[0] > before


def test_the_request_and_its_answer(ask: Asker, sandbox: Sandbox):
    """Both are shown as text, with the fault that stood in; without the token nothing is kept."""
    sandbox.order_fault("502_html")
    ask.send("<b>hello</b>")
    ask("POST", "/v1/api/send", {"params": "secret"}, token="wrong")

    page = ask("GET", "/requests?request=1").content.decode()
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "HTTP 502, by the fault 502_html; without it:\nHTTP 200" in page
    assert "secret" not in ask("GET", "/requests?request=2").content.decode()
    assert ask("GET", "/requests?request=x").status == 200


def test_events(ask: Asker, sandbox: Sandbox):
    """A page hears of each change; beyond this machine it needs the token."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", sandbox.bound_port, timeout=10)
    connection.request("GET", "/sandbox/events")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-frame-options"] == "DENY"
    lines = iter(answer.readline, b"")

    assert next(line for line in lines if line.startswith(b"data")) == b"data: open\n"
    for change in (lambda: ask.send("a"), lambda: sandbox.order_fault("silence"), sandbox.clear_faults):
        change()
        assert next(line for line in lines if line.startswith(b"data")) == b"data: changed\n"
    connection.close()


def test_a_database_of_an_earlier_version_is_opened(tmp_path, clock: Clock, asker: type[Asker]):
    """Its messages are shown as before, what they cost is spent, and the 40-second rule knows them."""
    import sqlite3

    with sqlite3.connect(tmp_path / "old.sqlite") as old:
        old.executescript(Path(__file__).with_name("version_2.sql").read_text(encoding="utf-8"))
    old.close()
    clock.now = 1_760_000_010.0  # ten seconds after they were sent

    for _ in range(2):  # the second time it is of the present version
        with Sandbox(database=tmp_path / "old.sqlite", clock=clock, credit=3 * 2370) as sandbox:
            ask = asker(sandbox)
            records = ask("GET", "/sandbox/messages").json["records"]
            assert [each["outcomes"] for each in records] == [
                {"cancelled": 2},
                {"rejected": 2},
                {"not_delivered": 1, "delivered": 1},
            ]
            assert ask.get("payment/credit/mine").json["data"]["credit"] == 2370
            assert ask.send("hello", from_number="3000505", to="+989120000001").status == 429
            assert "hello" in html.unescape(ask("GET", "/requests?request=1").content.decode())
    with Sandbox(database=tmp_path / "old.sqlite", clock=clock, credit=3 * 2370) as sandbox:
        ids = asker(sandbox).send("one more", "no more").ids
        clock.now += 60
        assert [asker(sandbox)("GET", f"/sandbox/messages/{each}").json["state_id"] for each in ids] == [6, 8]


def test_another_version_of_the_database_is_not_opened(tmp_path):
    """A sentence says what to do."""
    import sqlite3

    with sqlite3.connect(tmp_path / "old.sqlite") as old:
        old.execute("CREATE TABLE outbox (id)")
    old.close()

    with pytest.raises(sqlite3.DatabaseError, match="another version of the sandbox; name another file"):
        Sandbox(database=tmp_path / "old.sqlite").start()
