"""What the reports tell of a message as time goes by."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker, Clock

SCHEDULED = "2025-10-09 09:53:20"  # an hour ahead of the clock


@pytest.fixture
def state(ask: Asker):
    """Tell the state of an outbox id."""
    return lambda outbox_id: ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"][
        "state_id"
    ]


@pytest.fixture
def recipient_statuses(ask: Asker):
    """Tell what became of each recipient of an outbox id."""
    return lambda outbox_id: [
        entry["message_status"] for entry in ask.get(f"report/recipients?bulk_id={outbox_id}").json["data"]
    ]


def test_a_message_is_queued_then_sent_then_delivered(ask: Asker, clock: Clock, state, recipient_statuses):
    """State 5 becomes 6; recipients go from 0 over 1 to 2, or to what their number asks for."""
    numbers = ["+989120000000", "+989120000003", "+989120000004"]
    [outbox_id] = ask.send(params=[{"recipients": numbers, "message": "hello"}]).ids

    seen = []
    for seconds in (0, 1, 1, 1):
        clock.now += seconds
        seen.append((state(outbox_id), recipient_statuses(outbox_id)))

    assert seen == [(5, ["0"] * 3), (6, ["0"] * 3), (6, ["1"] * 3), (6, ["2", "3", "4"])]


@pytest.mark.parametrize(
    ("text", "final_state"),
    [("a [[reject]]", 3), ("[[invalid]] b", 4), ("[[no-credit]]", 8), ("[[system-error]]", 9)],
)
def test_magic_texts_fail(text, final_state, ask: Asker, clock: Clock, state):
    """A magic text ends in its state, and its recipients are not delivered."""
    [outbox_id] = ask.send(text).ids
    assert state(outbox_id) == 5

    clock.now += 1

    assert state(outbox_id) == final_state
    recipients = ask.get(f"report/recipients?bulk_id={outbox_id}").json["data"]
    assert [entry["message_status"] for entry in recipients] == ["3"]
    comment = ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]["reject_comment"]
    assert bool(comment) == (final_state == 3)


def test_a_scheduled_message_waits(ask: Asker, clock: Clock, state):
    """It stays queued until its time has come."""
    [outbox_id] = ask.send("hello", send_time=SCHEDULED).ids

    clock.now += 3600
    assert state(outbox_id) == 5
    clock.now += 1
    assert state(outbox_id) == 6


def test_a_scheduled_message_can_be_cancelled(ask: Asker, clock: Clock, state):
    """Cancelled once it is in state 7 for good; a second time there is nothing to cancel."""
    [outbox_id] = ask.send("hello", send_time=SCHEDULED).ids
    clock.now += 3300

    assert ask.post("send/cancel", {"message_outbox_id": outbox_id}).status == 200
    assert ask.post("send/cancel", {"message_outbox_id": outbox_id}).status == 404
    clock.now += 3600
    assert state(outbox_id) == 7


@pytest.mark.parametrize("send_time", [SCHEDULED, ...])
def test_too_late_to_cancel(send_time, ask: Asker, clock: Clock, state):
    """Within five minutes of sending, or for a message sent at once, cancelling answers 404."""
    [outbox_id] = ask.send("hello", send_time=send_time).ids
    clock.now += 3301

    assert ask.post("send/cancel", {"message_outbox_id": outbox_id}).status == 404
    assert state(outbox_id) != 7


@pytest.mark.parametrize(("wrong", "status"), [("1", 422), (True, 422), (None, 422), (-1, 404), (2**63, 404)])
def test_what_cannot_be_cancelled(wrong, status, ask: Asker):
    """An id is an integer, and one that was never given is not found."""
    assert ask.post("send/cancel", {"message_outbox_id": wrong}).status == status


def test_reports_lag_behind(ask: Asker, sandbox: Sandbox, clock: Clock):
    """A send shows in no report until the lag is over."""
    sandbox.report_lag_s = 30
    [outbox_id] = ask.send("hello").ids
    pages = [f"report/{page}={outbox_id}" for page in ("by_bulk?messages_outbox_id", "recipients?bulk_id")]
    pages.append(f"report/bulk_stats?bulk_id={outbox_id}")

    assert [ask.get(page).status for page in pages] == [404, 404, 404]
    assert ask.post("report/new_list", {}).json["meta"]["total"] == 0
    clock.now += 30
    assert [ask.get(page).status for page in pages] == [200, 200, 200]
    assert ask.post("report/new_list", {}).json["meta"]["total"] == 1


def test_a_gateway_without_reports(ask: Asker, sandbox: Sandbox):
    """With ``reports=False`` every report page answers 404, and sends go on."""
    sandbox.reports = False

    assert ask.send("hello").status == 200
    assert ask.post("report/new_list", {}).status == 404
    assert ask.get("report/by_bulk?messages_outbox_id=1123594208").status == 404


def test_ids_are_integers_in_sends_and_text_in_reports(ask: Asker):
    """The record of a send carries its id as text."""
    [outbox_id] = ask.send("hello").ids

    record = ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]

    assert record["messages_outbox_id"] == str(outbox_id)
    assert (record["time"], record["time_send"]) == ("1760000000", "1760000000")
    assert (record["number"], record["message"], record["part"]) == ("+983000505", "hello", "1")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["sale", "late hello", "hello"]),
        ({"number": "+981000"}, ["sale"]),
        ({"number": "+98100"}, []),
        ({"messages_outbox_id": "1123594210"}, ["late hello"]),
        ({"messages_outbox_id": 1123594210}, ["late hello"]),
        ({"create_from_date": "1760000100"}, ["sale"]),
        ({"create_to_date": "1760000000"}, ["late hello", "hello"]),
        ({"create_from_date": "1760000000", "create_to_date": "1760000000"}, ["late hello", "hello"]),
        ({"send_from_date": "1760003600"}, ["late hello"]),
        ({"send_to_date": "1760003599"}, ["sale", "hello"]),
        ({"message": "hello"}, ["late hello", "hello"]),
        ({"message": "HELLO"}, []),
        ({"state_id": "5"}, ["sale", "late hello"]),
        ({"state_id": 6}, ["hello"]),
        ({"from_exit_count": 1}, ["hello"]),
        ({"to_exit_count": 0}, ["sale", "late hello"]),
        ({"username": "*", "state_id": None}, ["sale", "late hello", "hello"]),
    ],
)
def test_the_list_is_filtered(filters, found, ask: Asker, clock: Clock):
    """Each filter narrows the list, newest first; the number is matched whole, the text by any part."""
    ask.send("hello")
    ask.send("late hello", send_time=SCHEDULED)
    clock.now += 100.5
    ask.send("sale", from_number="+981000")

    reply = ask.post("report/new_list", {"filters": filters})

    assert [record["message"] for record in reply.json["data"]] == found
    assert reply.json["meta"]["total"] == len(found)


def test_the_list_has_pages(ask: Asker):
    """The paging numbers count from 1 and end with the last page."""
    ask.send(*"abcde")

    reply = ask.post("report/new_list", {"page": 3, "limit": 2})

    assert [record["message"] for record in reply.json["data"]] == ["a"]
    assert reply.json["meta"] == {
        "current_page": 3,
        "from": 5,
        "last_page": 3,
        "path": "/api/report/new_list",
        "per_page": 2,
        "to": 5,
        "total": 5,
        "status": True,
        "message": "انجام شد",
        "message_code": "200-1",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"page": 0},
        {"page": "x"},
        {"limit": True},
        {"limit": 10**30},
        {"filters": []},
        {"filters": {"message": 5}},
        {"filters": {"create_from_date": "today"}},
    ],
)
def test_a_list_request_at_fault(body, ask: Asker):
    """What cannot be read is refused, not ignored."""
    assert ask.post("report/new_list", body).json["meta"]["message_code"] == "400-2"


@pytest.mark.parametrize("state_id", ["10", -1, "x"])
def test_an_unknown_state(state_id, ask: Asker):
    """A state outside the table has a code of its own."""
    reply = ask.post("report/new_list", {"filters": {"state_id": state_id}})

    assert (reply.status, reply.json["meta"]["message_code"]) == (422, "400-31")


def test_recipients_have_pages(ask: Asker):
    """Recipients come in their order, page by page."""
    numbers = [f"+98912000000{digit}" for digit in range(5)]
    [outbox_id] = ask.send(params=[{"recipients": numbers, "message": "hello"}]).ids

    reply = ask.get(f"report/recipients?bulk_id={outbox_id}&page=2&per_page=2")

    assert [entry["recipient"] for entry in reply.json["data"]] == numbers[2:4]
    assert (reply.json["meta"]["total"], reply.json["meta"]["last_page"]) == (5, 3)


@pytest.mark.parametrize("page", ["by_bulk?messages_outbox_id", "recipients?bulk_id", "bulk_stats?bulk_id"])
@pytest.mark.parametrize(("value", "status"), [("1", 404), ("x", 422), ("", 422)])
def test_an_id_that_was_never_given(page, value, status, ask: Asker):
    """A report of an unknown id is not found; of no id, refused."""
    assert ask.get(f"report/{page}={value}").status == status


def test_statistics_count_by_outcome_operator_and_language(ask: Asker, clock: Clock):
    """Counts are text, zeros integers, and an operator outside the two printed ones gets a key of its own."""
    numbers = ["+989120000000", "+989120000001", "+989350000003", "+14155550100"]
    [outbox_id] = ask.send(params=[{"recipients": numbers, "message": "hello"}]).ids
    clock.now += 60

    stats = ask.get(f"report/bulk_stats?bulk_id={outbox_id}").json["data"]

    assert stats["operators_delivered"] == {
        "irancell": {"en": 0, "fa": 0},
        "mci": {"en": "2", "fa": 0},
        "other": {"en": "1", "fa": 0},
    }
    assert stats["operators_failed"]["irancell"] == {"en": "1", "fa": 0}
    assert stats["operators_pending"]["mci"] == {"en": 0, "fa": 0}


def test_credit_is_debited_when_a_message_is_sent(ask: Asker, sandbox: Sandbox, clock: Clock):
    """Neither a queued, nor a failed, nor a cancelled message costs anything."""
    sandbox.credit = 10_000.0
    credit = lambda: ask.get("payment/credit/mine").json["data"]["credit"]  # noqa: E731

    ask.send("hello", to="+989120000000")
    ask.send("[[reject]]")
    [scheduled] = ask.send("later", send_time=SCHEDULED).ids
    ask.post("send/cancel", {"message_outbox_id": scheduled})
    assert credit() == 10_000

    clock.now += 7200
    assert credit() == 10_000 - 2370


def test_a_message_beyond_the_credit_fails(ask: Asker, sandbox: Sandbox, clock: Clock, state):
    """When the credit is promised to others, a message ends in state 8; a cancelled one gives it back."""
    sandbox.credit = 2 * 2370
    first, scheduled, beyond = (ask.send(text, send_time=at).ids[0] for text, at in
                                (("a", ...), ("b", SCHEDULED), ("c", ...)))  # fmt: skip
    ask.post("send/cancel", {"message_outbox_id": scheduled})
    [after] = ask.send("d").ids
    [magic] = ask.send("[[reject]]", send_time=SCHEDULED).ids
    assert ask.post("send/cancel", {"message_outbox_id": magic}).status == 200

    clock.now += 1

    assert [state(outbox_id) for outbox_id in (first, scheduled, beyond, after)] == [6, 7, 8, 6]


def test_lines_have_pages(ask: Asker, sandbox: Sandbox):
    """The account's lines come page by page."""
    sandbox.lines = ("+981", "+982", "+983")

    lines = ask.get("number/numbers?page=2&per_page=2").json["data"]

    assert [line["number"] for line in lines] == ["+983"]
    assert ask.get("number/numbers?page=0").status == 422


@pytest.mark.parametrize("body", [{"message": "x"}, {"number": "+98"}, {"number": "+98", "message": " "}])
def test_a_price_needs_a_line_and_a_text(body, ask: Asker):
    """A missing field is named."""
    assert ask.post("send/calculate-price", body).status == 422
