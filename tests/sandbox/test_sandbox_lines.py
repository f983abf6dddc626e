"""Trouble of one line (sender) alone: it outranks that of all lines, in any spelling of the line."""

from dataclasses import fields
from time import monotonic
from typing import Any

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.habits import HABITS_PER_LINE, Habits
from tests.sandbox.conftest import Asker, Clock

LINE = "+981000"
SPELLINGS = ("981000", "1000", "00981000", "+98 1000")


@pytest.fixture
def shown(ask: Asker):
    """Return what the reports show of a field, by the line that sent it."""

    def look(field="message"):
        return {each["number"]: each[field] for each in ask.post("report/new_list", {}).json["data"]}

    return look


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_habit_of_one_line(spelling, ask: Asker, shown):
    """Its messages are shown with it; those of other lines as the habits of all have it."""
    ask("POST", "/sandbox/habits", {"outbox_suffix": " all"})
    ask("POST", "/sandbox/habits", {"from_number": spelling, "outbox_suffix": " one", "time_shown": "absent"})
    ask.send("hello", from_number=LINE)
    [other] = ask.send("hello").ids

    assert shown() == {LINE: "hello one", "+983000505": "hello all"}
    [record] = [each for each in ask.post("report/new_list", {}).json["data"] if each["number"] == LINE]
    assert ("time" in record, record["message"]) == (False, "hello one")
    assert "time" in ask.get(f"report/by_bulk?messages_outbox_id={other}").json["data"]
    one = ask.get(f"report/by_bulk?messages_outbox_id={record['messages_outbox_id']}").json["data"]
    assert (one["summary"], one["message"]) == ("hello one", "hello one")
    [recipient] = ask.get(f"report/recipients?bulk_id={record['messages_outbox_id']}").json["data"]
    assert recipient["message"] == "hello one"


def test_each_habit_of_messages_can_be_that_of_a_line(sandbox: Sandbox, ask: Asker):
    """The others are refused with a sentence that says why, and nothing changes."""
    for habit in fields(Habits):
        value = habit.metadata["choices"][-1] if habit.metadata["choices"] else habit.default
        reply = ask("POST", "/sandbox/habits", {"from_number": LINE, habit.name: value})
        if habit.name in HABITS_PER_LINE:
            assert (reply.status, reply.json[habit.name]) == (200, value)
        else:
            assert reply.status == 422
            assert reply.json["error"].startswith(
                f"{habit.name} cannot be a habit of one line: it changes a list"
            )

    assert set(sandbox.turned_by_line()[LINE]) == set(HABITS_PER_LINE)
    assert sandbox.habits_turned() == {}


def test_the_report_lag_of_one_line(sandbox: Sandbox, ask: Asker, clock: Clock, shown):
    """The reports hold its messages back, in the list and as a single record; more or less than others."""
    sandbox.turn({"report_lag_s": 100})
    sandbox.turn({"report_lag_s": 300}, from_number="1000")
    sandbox.turn({"report_lag_s": 0}, from_number="BANK")
    ids = {line: ask.send("hello", from_number=line).ids[0] for line in ("+983000505", LINE, "BANK")}

    seen = [set(shown())]
    for _ in range(2):
        clock.now += 150
        seen.append(set(shown()))

    assert seen == [{"BANK"}, {"BANK", "+983000505"}, {"BANK", "+983000505", LINE}]
    clock.now -= 150
    found = {line: ask.get(f"report/by_bulk?messages_outbox_id={each}").status for line, each in ids.items()}
    assert found == {"+983000505": 200, LINE: 404, "BANK": 200}


def test_times_of_one_line(sandbox: Sandbox, ask: Asker, shown, clock: Clock):
    """They are shown and filtered by the clock of the line."""
    sandbox.turn({"clock_offset_s": 600}, from_number=LINE)
    ask.send("hello", from_number=LINE)
    ask.send("hello")

    now = int(clock.now)
    assert shown("time") == {LINE: str(now + 600), "+983000505": str(now)}
    later = ask.post("report/new_list", {"filters": {"create_from_date": now + 300}}).json
    assert ([each["number"] for each in later["data"]], later["meta"]["total"]) == ([LINE], 1)


def test_when_a_scheduled_message_of_one_line_is_listed(sandbox: Sandbox, ask: Asker, shown):
    """It is hidden until it is sent; that of another line is listed at once."""
    sandbox.turn({"scheduled_listed": "when_sent"}, from_number=LINE)
    for line in (LINE, "+983000505"):
        ask.send("hello", from_number=line, send_time="2025-10-09 12:00:00")

    assert set(shown()) == {"+983000505"}


def test_the_latency_of_one_line(asker: type[Asker]):
    """Its sends wait, as JSON and as a file; those of other lines and other requests do not."""
    with Sandbox(duplicate_window_s=0) as sandbox:
        ask = asker(sandbox)
        ask("POST", "/sandbox/trouble", {"from_number": "1234567890", "latency_s": 0.3})

        def took_s(line):
            began = monotonic()
            assert ask.send("hello", from_number=line).status == 200
            return monotonic() - began

        assert took_s("+981234567890") >= 0.3 > took_s("+983000505")
        began = monotonic()
        assert ask.upload("recipient,message\n+989120000000,a\n", from_number="981234567890").status == 200
        assert monotonic() - began >= 0.3
        sandbox.latency_s = 0.3
        ask("POST", "/sandbox/trouble", {"from_number": "+981234567890", "latency_s": 0})
        assert took_s("+981234567890") < 0.3 <= took_s("+983000505")


def test_the_credit_of_one_line(sandbox: Sandbox, ask: Asker, clock: Clock):
    """Its own credit alone pays for its messages; the account's credit pays for the other lines."""
    sandbox.turn({"credit": 2 * 2370}, from_number="1000")
    sandbox.credit = 2370

    ids = ask.send("a", "b", "c", from_number=LINE).ids + ask.send("d", "e").ids
    clock.now += 60

    states = [ask("GET", f"/sandbox/messages/{each}").json["state_id"] for each in ids]
    assert states == [6, 6, 8, 6, 8]
    assert ask.get("payment/credit/mine").json["data"]["credit"] == 0
    sandbox.turn({"credit": None}, from_number=LINE)
    assert ask.get("payment/credit/mine").json["data"]["credit"] == -2 * 2370


def test_the_credit_of_a_line_without_any(sandbox: Sandbox, ask: Asker, clock: Clock):
    """Other lines have as much as before."""
    ask("POST", "/sandbox/trouble", {"from_number": LINE, "credit": 0})

    ids = ask.send("a", from_number=LINE).ids + ask.send("a").ids
    clock.now += 60

    assert [ask("GET", f"/sandbox/messages/{each}").json["state_id"] for each in ids] == [8, 6]


def test_a_fault_of_a_line_outranks_that_of_all(sandbox: Sandbox, ask: Asker):
    """Whichever was ordered first, and in any spelling; the other one waits."""
    sandbox.order_fault("refuse_400", times=2)
    for spelling in SPELLINGS:
        sandbox.order_fault("refuse_403", from_number=spelling)

    sent = [ask.send("hello", from_number=LINE).status for _ in range(5)] + [ask.send("hello").status]

    assert sent == [403, 403, 403, 403, 400, 400]


def test_trouble_of_lines_is_seen_and_cleared(sandbox: Sandbox, ask: Asker):
    """The banner names the line; PUT turns the line's other habits off, and null takes a value off."""
    ask("POST", "/sandbox/habits", {"from_number": LINE, "report_lag_s": 5, "outbox_suffix": "<11>"})
    trouble = ask("POST", "/sandbox/trouble", {"from_number": LINE, "latency_s": 0.25, "credit": 1000}).json
    own = {"report_lag_s": 5, "outbox_suffix": "<11>", "latency_s": 0.25, "credit": 1000}
    assert trouble["lines"] == {LINE: own}
    assert ask("GET", "/sandbox/trouble").json == trouble

    page = ask("GET", "/").content.decode()
    for words in (
        "habit report_lag_s: 5, from +981000",
        "habit outbox_suffix: &lt;11&gt;, from +981000",
        "every answer to a send is 250 ms late, from +981000",
        "the credit is 1,000 rial in all, from +981000",
    ):
        assert words in page
    assert ask("GET", "/sandbox/habits?from_number=1000").json["report_lag_s"] == 5
    assert ask("GET", "/sandbox/habits").json == {each.name: each.default for each in fields(Habits)}

    assert ask("PUT", "/sandbox/habits", {"from_number": "1000", "time_local": True}).json["time_local"]
    ask("POST", "/sandbox/trouble", {"from_number": "1000", "credit": None})
    assert sandbox.turned_by_line() == {"1000": {"latency_s": 0.25, "time_local": True}}
    assert ask("DELETE", "/sandbox/trouble").json["lines"] == {}
    assert sandbox.turned_by_line() == {}


@pytest.mark.parametrize(
    ("path", "given", "sentence"),
    [
        ("habits", {"from_number": 5, "report_lag_s": 1}, "from_number is a line or an empty text, not 5"),
        (
            "habits",
            {"from_number": "+", "report_lag_s": 1},
            "from_number is a line or an empty text, not '+'",
        ),
        ("habits", {"from_number": LINE, "report_lag_s": -1}, "report_lag_s is 0 or more, not -1"),
        ("habits", {"from_number": LINE, "thunder": 1}, "no habit 'thunder'; known are report_lag_s, "),
        (
            "habits",
            {"from_number": LINE, "latency_s": 1},
            "latency_s is no habit; order it on /sandbox/trouble",
        ),
        ("habits", {"report_lag_s": None}, "report_lag_s is a number of seconds, not None"),
        ("trouble", {"from_number": LINE, "latency_s": -1}, "latency_s is a number from 0"),
        ("trouble", {"from_number": LINE, "send_block": True}, "send_block blocks the account, not one line"),
        (
            "trouble",
            {"from_number": LINE, "report_lag_s": 1},
            "no trouble 'report_lag_s'; known are latency_s",
        ),
        ("trouble", {"latency_s": None}, "latency_s is a number from 0"),
        (
            "faults",
            {"fault": "silence", "from_number": "-"},
            "from_number is a line or an empty text, not '-'",
        ),
    ],
)
def test_bad_trouble_of_a_line_is_refused(path, given, sentence, sandbox: Sandbox, ask: Asker):
    """With a sentence; nothing of it is set."""
    reply = ask("POST", f"/sandbox/{path}", {**given})

    assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
    assert (sandbox.turned_by_line(), sandbox.habits_turned(), sandbox.state()["faults"]) == ({}, {}, [])


def test_the_fixture_names_a_bad_value(sandbox: Sandbox):
    """As the API does; for all lines it takes latency and credit beside habits."""
    bad: list[Any] = [[], {"latency_s": -1}, {"report_lag_s": 5, "credit": "much"}]
    for given in bad:
        with pytest.raises(
            ValueError, match=r"habits are an object|latency_s is a number|credit is a number"
        ):
            sandbox.turn(given)
    assert (sandbox.habits_turned(), sandbox.credit) == ({}, 1e9)

    sandbox.turn({"report_lag_s": 5, "latency_s": 0.01, "credit": 7})

    assert (sandbox.habits_turned(), sandbox.latency_s, sandbox.credit) == ({"report_lag_s": 5}, 0.01, 7)


def test_the_page_of_a_line(sandbox: Sandbox, ask: Asker):
    """It has the forms of that line, without what only all lines have; without a line, those of all."""
    sandbox.turn({"report_lag_s": 7}, from_number=LINE)

    page = ask("GET", "/trouble?from_number=%2B981000").content.decode()
    assert page.count('<input type="hidden" name="from_number" value="+981000">') == 2
    assert 'name="report_lag_s" value="7" data-all="0.0"' in page
    assert "page_size_most" not in page
    assert "send_block" not in page
    sandbox.turn({"report_lag_s": 8}, from_number="1000")
    assert 'value="8"' in ask("GET", "/trouble?from_number=1000").content.decode()
    assert (
        ask("GET", "/trouble?from_number=1000").content
        == ask("GET", "/trouble?from_number=%2B981000").content
    )
    assert ask("GET", "/trouble?from_number=5555").content.decode().count("<bdi>5555</bdi></a>") == 1
    assert ask("GET", "/trouble?from_number=-").content == ask("GET", "/trouble").content
    assert ask("GET", "/sandbox/habits?from_number=-").status == 422
