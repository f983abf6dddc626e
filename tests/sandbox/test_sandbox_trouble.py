"""Trouble over HTTP: what becomes of messages, faults of one line, the account; and how much is kept."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker, Clock


@pytest.fixture
def outcomes(ask: Asker, clock: Clock):
    """Return how many messages have each outcome, once they have one."""

    def count():
        clock.now += 60
        total: dict[str, int] = {}
        for record in ask("GET", "/sandbox/messages?limit=1000").json["records"]:
            for name, number in record["outcomes"].items():
                total[name] = total.get(name, 0) + number
        return total

    return count


@pytest.mark.parametrize(
    ("fault", "state", "outcome"),
    [("rejected", "reject", "rejected"), ("no_credit", "no_credit", "no_credit")],
)
def test_a_message_that_ends_badly(fault, state, outcome, sandbox: Sandbox, ask: Asker, outcomes):
    """It is accepted and answered as ever; its report says what became of it, and it costs nothing."""
    sandbox.order_fault(fault)

    [outbox_id] = ask.send("hello").ids

    assert outcomes() == {outcome: 1}
    assert ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]["state"] == state
    assert ask.get("payment/credit/mine").json["data"]["credit"] == sandbox.credit
    assert ask.send("hello again").ids
    assert outcomes() == {outcome: 1, "delivered": 1}


@pytest.mark.parametrize("texts_each", [1, 10])
def test_a_share_is_not_delivered(texts_each, sandbox: Sandbox, ask: Asker, outcomes):
    """Whatever the size of a request, the share is exact."""
    sandbox.order_fault("undelivered", times=None, share=0.3)

    for number in range(20 // texts_each):
        ids = ask.send(*(f"text {number} {each}" for each in range(texts_each))).ids

    assert outcomes() == {"not_delivered": 6, "delivered": 14}
    statuses = {
        entry["message_status"]
        for outbox_id in ids
        for entry in ask.get(f"report/recipients?bulk_id={outbox_id}").json["data"]
    }
    assert statuses <= {"2", "3"}


def test_a_fault_of_one_line(sandbox: Sandbox, ask: Asker):
    """It hits sends from that line, in any spelling and as a file, too; others neither meet it nor count."""
    sandbox.order_fault("refuse_429", times=3, after=1, from_number="+981000")

    sent = [ask.send(f"other {number}").status for number in range(3)]
    sent += [
        ask.send(f"text {number}", from_number=line).status for number, line in enumerate(["981000"] * 2)
    ]
    sent += [ask.upload("recipient,message\n+989120000000,a\n", from_number="+981000").status]
    sent += [ask.send("x", from_number="BANK").status, ask("POST", "/v1/api/send", body=b"{").status]

    assert sent == [200, 200, 200, 200, 429, 429, 200, 422]
    assert sandbox.state()["faults"][0]["times"] == 1


def test_a_fault_of_all_paths(sandbox: Sandbox, ask: Asker):
    """``/`` is every path."""
    sandbox.order_fault("500_before", times=2, path="/")

    assert [ask.get("payment/credit/mine").status, ask.send("a").status] == [500, 500]
    assert ask.send("a").status == 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"share": 1.5}, "share is a number from 0 to 1, not 1.5"),
        ({"share": True}, "share is a number"),
        ({"from_number": 5}, "from_number is a line or an empty text, not 5"),
    ],
)
def test_a_bad_field_of_a_fault(given, sentence, ask: Asker):
    """Nothing is ordered."""
    reply = ask("POST", "/sandbox/faults", {"fault": "undelivered", **given})

    assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
    assert ask("GET", "/sandbox/state").json["faults"] == []


def test_all_trouble_is_seen_and_cleared(sandbox: Sandbox, ask: Asker):
    """Faults, habits, latency and a blocked account are one thing to see and to clear."""
    ask("POST", "/sandbox/faults", {"fault": "silence"})
    ask("POST", "/sandbox/habits", {"report_lag_s": 5})
    shown = ask("POST", "/sandbox/trouble", {"latency_s": 0.01, "send_block": True, "credit": 5}).json

    assert [each["fault"] for each in shown["faults"]] == ["silence"]
    assert shown | {"faults": []} == {
        "faults": [],
        "habits": {"report_lag_s": 5},
        "latency_s": 0.01,
        "send_block": True,
        "credit": 5,
        "lines": {},
    }
    page = ask("GET", "/trouble").content.decode()
    for words in ("fault silence, once", "habit report_lag_s: 5", "10 ms late", "the account is blocked"):
        assert words in page
    assert ask("DELETE", "/sandbox/trouble", token="").status == 401
    cleared = ask("DELETE", "/sandbox/trouble").json
    assert cleared == {
        "faults": [],
        "habits": {},
        "latency_s": 0,
        "send_block": False,
        "credit": 5,
        "lines": {},
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"latency": 1}, "no trouble 'latency'; known are latency_s, send_block, credit"),
        ({"latency_s": -1}, "latency_s is a number from 0"),
        ({"latency_s": True}, "latency_s is a number from 0"),
        ({"send_block": 1}, "send_block is true or false, not 1"),
        ([], "trouble is an object"),
    ],
)
def test_bad_trouble_is_refused(given, sentence, sandbox: Sandbox, ask: Asker):
    """Nothing of it is set."""
    if given:
        given = {"credit": 7, **given}

    reply = ask("POST", "/sandbox/trouble", given)

    assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
    assert sandbox.credit == 1e9


class TestKeep:
    """``keep`` bounds what a sandbox holds."""

    @pytest.fixture
    def sandbox(self, clock: Clock):
        with Sandbox(clock=clock, keep=5) as sandbox:
            yield sandbox

    def test_the_newest_messages_are_kept(self, sandbox: Sandbox, ask: Asker, clock: Clock):
        """Exactly so many, whatever requests brought them; what was spent stays spent."""
        for request in range(4):
            ask.send(*(f"text {request}{number}" for number in range(3)))
        clock.now += 60

        assert sandbox.texts_arrived == ["text 21", "text 22", "text 30", "text 31", "text 32"]
        assert sandbox.state()["messages"] == 5
        assert [request.id for request in sandbox.requests] == [3, 4]
        assert "5 messages" in ask("GET", "/").content.decode()
        assert ask.get("payment/credit/mine").json["data"]["credit"] == sandbox.credit - 12 * 2370

    def test_a_text_to_many_stays_whole(self, sandbox: Sandbox, ask: Asker):
        """A record with more recipients than are kept is kept with all of them."""
        to = [f"+98912000000{number}" for number in range(8)]
        ask.send("before")
        ask.send("x", params=[{"recipients": to, "message": "to all"}])

        assert sandbox.texts_arrived == ["to all"] * 8
        ask.send(*"abcde")
        assert sandbox.texts_arrived == list("abcde")

    def test_less_is_all_kept(self, sandbox: Sandbox, ask: Asker):
        """Nothing is deleted before there are more."""
        ask.send(*"abcde")

        assert sandbox.texts_arrived == list("abcde")
