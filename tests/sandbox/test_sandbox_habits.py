"""What the reports show with each habit, and how habits are turned."""

import re
from dataclasses import fields
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.habits import Habits
from tests.sandbox.conftest import Asker, Clock

SCHEDULED = "2025-10-09 09:53:20"  # an hour ahead of the clock
GROUP = [f"+98912000000{digit}" for digit in range(5)]


@pytest.fixture
def turn(sandbox: Sandbox):
    """Turn habits of the sandbox."""
    return lambda **habits: sandbox.turn(habits)


@pytest.fixture
def listed(ask: Asker):
    """Give one page of the list."""
    return lambda **body: ask.post("report/new_list", body)


@pytest.fixture
def record(ask: Asker):
    """Give the record of an outbox id."""
    return lambda outbox_id: ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").json["data"]


@pytest.fixture
def recipients(ask: Asker):
    """Give a page of the recipients of an outbox id."""
    return lambda outbox_id, query="": ask.get(f"report/recipients?bulk_id={outbox_id}{query}").json


TEXTS = [
    ({}, "hello", "hello"),
    ({"outbox_suffix": "\nلغو11"}, "hello", "hello\nلغو11"),
    ({"outbox_prefix": "[Shop] "}, "hello", "[Shop] hello"),
    ({"text_letters": "arabic"}, "یک", "يك"),
    ({"text_letters": "persian"}, "يك", "یک"),
    ({"text_digits": "persian"}, "12 ٣", "۱۲ ۳"),
    ({"text_digits": "arabic"}, "12 ۳", "١٢ ٣"),
    ({"text_digits": "latin"}, "۱۲ ٣", "12 3"),
    ({"text_zwnj": "dropped"}, "می\u200cرود", "میرود"),
    ({"text_zwnj": "blanked"}, "می\u200cرود", "می رود"),
    ({"text_line_ends": "crlf"}, "a\nb\r\nc", "a\r\nb\r\nc"),
    ({"text_line_ends": "blanked"}, "a\nb\r\nc", "a b c"),
    ({"text_line_ends": "br"}, "a\nb", "a<br>b"),
    ({"text_blanks_collapsed": True}, " a  b \n c ", "a b \n c"),
    ({"text_typographic": True}, '"a" - it\'s...', "“a” – it’s…"),
    ({"text_html_escaped": True}, "<a> & \"b\" 'c'", "&lt;a&gt; &amp; &quot;b&quot; &#039;c&#039;"),
    ({"text_html_escaped": True, "text_line_ends": "br"}, "<\n", "&lt;<br>"),
    ({"text_shortened_to": 3}, "hello", "hel"),
    ({"text_shortened_to": 3, "text_dots": "..."}, "hello", "hel..."),
    ({"text_shortened_to": 5, "text_dots": "..."}, "hello", "hello"),
    ({"text_shortened_to": 7, "outbox_suffix": "لغو11"}, "hello", "helloلغ"),
    ({"text_shown": "masked"}, "hello you", "hel** ***"),
    ({"text_shown": "digits_masked"}, "code ۱23", "code ***"),
    ({"text_shown": "null"}, "hello", None),
]


@pytest.mark.parametrize(("habits", "sent", "shown"), TEXTS)
def test_a_text_is_shown_otherwise(
    habits, sent, shown, ask: Asker, turn, sandbox: Sandbox, listed, record, recipients
):
    """The list, the record and the recipients show the same text; what arrived is what was sent."""
    turn(**habits)

    [outbox_id] = ask.send(sent).ids

    assert listed().json["data"][0]["message"] == shown
    assert (record(outbox_id)["message"], record(outbox_id)["summary"]) == (shown, shown)
    assert recipients(outbox_id)["data"][0]["message"] == shown
    assert sandbox.texts_arrived == [sent]


@pytest.mark.parametrize(
    ("habits", "sent", "shown"),
    [
        ({"line_shown": "no_plus"}, "+983000505", "983000505"),
        ({"line_shown": "no_98"}, "+983000505", "3000505"),
        ({"line_shown": "double_zero"}, "+983000505", "00983000505"),
        ({"line_shown": "double_zero"}, "BANK", "BANK"),
        ({"line_shown": "null"}, "+983000505", None),
        ({"line_alias": "BANK"}, "+983000505", "BANK"),
    ],
)
def test_a_line_is_shown_otherwise(habits, sent, shown, ask: Asker, turn, listed, record):
    """The spelling differs, and the filter still goes by the line that sent."""
    turn(**habits)

    [outbox_id] = ask.send("hello", from_number=sent).ids

    assert listed(filters={"number": sent}).json["data"][0]["number"] == shown
    assert record(outbox_id)["number"] == shown


@pytest.mark.parametrize(
    ("habit", "shown"),
    [
        ("no_plus", ["989123456789", "14155550100"]),
        ("national", ["09123456789", "+14155550100"]),
        ("masked", ["+98912***6789", "+14155***0100"]),
        ("masked_national", ["0912***6789", "+141***0100"]),
    ],
)
def test_recipients_are_shown_otherwise(habit, shown, ask: Asker, turn, recipients):
    """Only a number of Iran has a national form."""
    turn(recipients_shown=habit)

    [outbox_id] = ask.send(params=[{"recipients": ["+989123456789", "+14155550100"], "message": "hello"}]).ids

    assert [entry["recipient"] for entry in recipients(outbox_id)["data"]] == shown


@pytest.mark.parametrize(
    ("habits", "shown", "count"),
    [
        ({"recipients_most": 4}, GROUP[:4], "5"),
        ({"recipients_most": 4, "rcpts_count": "absent"}, GROUP[:4], None),
        ({"recipients_most": 4, "rcpts_count": "0"}, GROUP[:4], "0"),
        ({"rcpts_count": "1"}, GROUP, "1"),
        ({"recipient_left_out": True}, GROUP[:4], "4"),
        ({"recipient_added": True}, [*GROUP, "+989990000000"], "6"),
    ],
)
def test_recipients_are_not_those_of_the_send(habits, shown, count, ask: Asker, turn, record, recipients):
    """The total of the page counts what is shown; the count in the record may say something else."""
    turn(**habits)

    [outbox_id] = ask.send(params=[{"recipients": GROUP, "message": "hello"}]).ids

    page = recipients(outbox_id)
    assert [entry["recipient"] for entry in page["data"]] == shown
    assert page["meta"]["total"] == len(shown)
    assert record(outbox_id).get("rcpts_count") == count


def test_a_lone_recipient_is_not_left_out(ask: Asker, turn, record, recipients):
    """Leaving one out is for groups."""
    turn(recipient_left_out=True)

    [outbox_id] = ask.send("hello").ids

    assert (len(recipients(outbox_id)["data"]), record(outbox_id)["rcpts_count"]) == (1, "1")


@pytest.mark.parametrize(
    ("habits", "shown"),
    [
        ({"time_local": True}, "1760012600"),
        ({"time_shown": "milliseconds"}, "1760000000000"),
        ({"time_shown": "text"}, "2025-10-09 08:53:20"),
        ({"time_shown": "text", "time_local": True}, "2025-10-09 12:23:20"),
        ({"time_shown": "absent"}, None),
        ({"clock_offset_s": 400}, "1760000400"),
        ({"clock_offset_s": -400.5}, "1759999599"),
    ],
)
def test_times_are_shown_otherwise(habits, shown, ask: Asker, turn, record):
    """Both times of a record have the same form."""
    turn(**habits)

    [outbox_id] = ask.send("hello").ids

    assert (record(outbox_id).get("time"), record(outbox_id).get("time_send")) == (shown, shown)


@pytest.mark.parametrize(("filters", "found"), [("1760000400", 1), ("1760000401", 0)])
def test_filters_go_by_the_times_that_are_shown(filters, found, ask: Asker, turn, listed):
    """A clock that is ahead is ahead for the filters, too."""
    turn(clock_offset_s=400)
    ask.send("hello")

    for name in ("create_from_date", "send_from_date"):
        assert listed(filters={name: filters}).json["meta"]["total"] == found


def test_filters_are_ignored(ask: Asker, turn, listed):
    """The list answers everything; a filter that cannot be read is refused all the same."""
    turn(filters_ignored=True)
    ask.send("hello")

    assert listed(filters={"number": "+981", "state_id": 3}).json["meta"]["total"] == 1
    assert listed(filters={"state_id": "x"}).status == 422


@pytest.mark.parametrize(
    ("offset_s", "shown"), [(0, 1_760_000_000), (90, 1_760_000_090), (-90, 1_759_999_910)]
)
def test_the_header_date(offset_s, shown, ask: Asker, turn):
    """Every answer is dated by the clock of the sandbox, or as far off as was asked for."""
    turn(date_offset_s=offset_s)

    for reply in (ask.send("hello"), ask.get("nothing"), ask("GET", "/sandbox/state")):
        assert parsedate_to_datetime(reply.headers["date"]).timestamp() == shown


def test_no_header_date(ask: Asker, turn, sandbox: Sandbox):
    """It can be absent, and a fault has it like any answer."""
    sandbox.order_fault("502_html")
    assert "date" in ask.send("hello").headers

    turn(date_absent=True)

    assert "date" not in ask.send("hello").headers


@pytest.mark.parametrize(
    ("habits", "last_page", "total"),
    [
        ({}, 3, 5),
        ({"last_page": "missing"}, ..., 5),
        ({"last_page": "null"}, None, 5),
        ({"last_page_counted_by": 1}, 5, 5),
        ({"last_page_counted_by": 100}, 1, 5),
        ({"total": "missing"}, 3, ...),
        ({"total": "null"}, 3, None),
        ({"total": "too_small"}, 3, 2),
    ],
)
def test_the_numbers_of_a_page_are_otherwise(habits, last_page, total, ask: Asker, turn, listed, recipients):
    """The list and the recipients count alike."""
    turn(**habits)
    ids = ask.send(*"abcd", to="+989120000009").ids
    ids += ask.send(params=[{"recipients": GROUP, "message": "hello"}]).ids

    for meta in (listed(limit=2).json["meta"], recipients(ids[-1], "&per_page=2")["meta"]):
        assert (meta.get("last_page", ...), meta.get("total", ...)) == (last_page, total)
        assert "pagination" not in meta


def test_the_numbers_of_a_page_are_nested(ask: Asker, turn, listed):
    """Those that are nested stand in an object of their own."""
    ask.send("hello")

    turn(last_page="nested")
    assert listed().json["meta"]["pagination"] == {"last_page": 1}
    turn(total="nested")

    meta = listed().json["meta"]
    assert meta["pagination"] == {"last_page": 1, "total": 1}
    assert not {"last_page", "total"} & set(meta)


@pytest.mark.parametrize(
    ("habits", "pages"),
    [
        ({}, [(1, "ed"), (2, "cb"), (3, "a"), (4, "")]),
        ({"page_empty": 2}, [(1, "ed"), (2, ""), (3, "a"), (4, "")]),
        ({"pages_deepest": 1}, [(1, "ed"), 422, 422, 422]),
        ({"pages_deepest": 2, "pages_deeper": "empty"}, [(1, "ed"), (2, "cb"), (3, ""), (4, "")]),
        ({"page_number": "ignored"}, [(1, "ed")] * 4),
        ({"page_number": "echoed"}, [(1, "ed"), (2, "ed"), (3, "ed"), (4, "ed")]),
        ({"page_size_most": 1}, [(1, "e"), (2, "d"), (3, "c"), (4, "b")]),
        ({"order": "oldest_first"}, [(1, "ab"), (2, "cd"), (3, "e"), (4, "")]),
    ],
)
def test_the_pages_of_the_list_are_otherwise(habits, pages, ask: Asker, turn, listed):
    """What four pages of two show, under which number."""
    turn(**habits)
    ask.send(*"abcde")

    replies = [listed(page=page, limit=2) for page in (1, 2, 3, 4)]

    assert pages == [
        (reply.json["meta"]["current_page"], "".join(record["message"] for record in reply.json["data"]))
        if reply.status == 200
        else reply.status
        for reply in replies
    ]


def test_the_pages_of_recipients_are_otherwise(ask: Asker, turn, recipients):
    """Habits of pages are those of recipients, too."""
    [outbox_id] = ask.send(params=[{"recipients": GROUP, "message": "hello"}]).ids
    turn(page_empty=2)

    pages = [recipients(outbox_id, f"&per_page=2&page={page}")["data"] for page in (1, 2, 3)]

    assert [[entry["recipient"] for entry in page] for page in pages] == [GROUP[:2], [], GROUP[4:]]


def test_an_unstable_order(ask: Asker, turn, listed):
    """Each question is answered in another order, so that pages overlap and miss records."""
    turn(order="unstable")
    texts = [f"text {number}" for number in range(50)]
    ask.send(*texts)

    answers = [[record["message"] for record in listed(limit=50).json["data"]] for _ in range(5)]

    assert all(sorted(answer) == sorted(texts) for answer in answers)
    assert len({tuple(answer) for answer in answers}) == 5


@pytest.mark.parametrize(
    ("shape", "data"), [("null", lambda _: None), ("items", lambda data: {"items": data})]
)
def test_the_data_has_another_shape(shape, data, ask: Asker, turn, listed, recipients):
    """The list and the recipients have the same shape."""
    [outbox_id] = ask.send("hello").ids
    plain = listed().json["data"], recipients(outbox_id)["data"]

    turn(list_shape=shape)

    assert (listed().json["data"], recipients(outbox_id)["data"]) == tuple(map(data, plain))


def test_each_message_has_a_lag_of_its_own(ask: Asker, turn, listed, clock: Clock):
    """Between the two lags the reports show more and more, not in the order of the sends."""
    turn(report_lag_s=10, report_lag_most_s=110)
    ids = ask.send(*map(str, range(100))).ids

    seen = []
    for seconds in (9, 1, 50, 50):
        clock.now += seconds
        seen.append([int(record["messages_outbox_id"]) for record in listed(limit=100).json["data"]])

    assert (seen[0], len(seen[1]) < 5, sorted(seen[3])) == ([], True, ids)
    assert 30 < len(seen[2]) < 70
    assert sorted(seen[2]) != ids[: len(seen[2])]


def test_a_scheduled_message_is_listed_when_it_is_sent(ask: Asker, turn, listed, clock: Clock):
    """Until then no report shows it; one that was sent at once is there."""
    turn(scheduled_listed="when_sent")
    ask.send("now")
    [outbox_id] = ask.send("later", send_time=SCHEDULED).ids

    assert [record["message"] for record in listed().json["data"]] == ["now"]
    assert ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}").status == 404
    clock.now += 3600
    assert [record["message"] for record in listed().json["data"]] == ["later", "now"]


def test_a_scheduled_message_is_listed_by_its_send_time(ask: Asker, turn, listed):
    """It is there at once, under the time at which it will be sent, and found by that."""
    turn(scheduled_listed="by_send_time")
    ask.send("later", send_time=SCHEDULED)

    [record] = listed().json["data"]

    assert record["time"] == record["time_send"] == "1760003600"
    assert listed(filters={"create_to_date": "1760003599"}).json["data"] == []
    assert listed(filters={"create_from_date": "1760003600"}).json["data"] == [record]


def test_questions_have_a_limit(ask: Asker, turn, listed, clock: Clock):
    """More questions within a minute get 429; sends are no questions, and the next minute counts anew."""
    turn(report_limit_per_minute=2)
    [outbox_id] = ask.send("hello").ids

    assert [listed().status for _ in range(3)] == [200, 200, 429]
    reply = ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}")
    assert (reply.status, reply.json["data"], reply.json["meta"]["status"]) == (429, None, False)
    assert ask.send("two").status == 200
    clock.now += 60
    assert [listed().status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("fault", "status"),
    [("refuse_403", 403), ("refuse_404", 404), ("status_false", 200), ("500_before", 500)],
)
def test_a_report_fails_by_order(fault, status, ask: Asker, sandbox: Sandbox, listed, record):
    """A fault that is ordered for a report path hits that report alone."""
    [outbox_id] = ask.send("hello").ids
    sandbox.order_fault(fault, path="/report/by_bulk")

    failed = ask.get(f"report/by_bulk?messages_outbox_id={outbox_id}")

    assert (failed.status, failed.json["meta"]["status"]) == (status, False)
    assert (listed().status, record(outbox_id)["message"]) == (200, "hello")


def test_every_habit_is_documented():
    """The page of habits has a row for each, with its values."""
    page = (Path(__file__).parents[2] / "docs" / "sandbox-habits.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE))

    assert list(rows) == [habit.name for habit in fields(Habits)]
    for habit in fields(Habits):
        assert re.findall(r"`(\w+)`", rows[habit.name]) == list(habit.metadata["choices"])


class TestTurning:
    """Keywords, the API and the page."""

    def test_a_habit_is_a_keyword(self, asker: type[Asker]):
        """A sandbox starts with the habits that it is given."""
        with Sandbox(outbox_suffix="لغو11") as sandbox:
            asker(sandbox).send("hello")
            assert asker(sandbox).post("report/new_list", {}).json["data"][0]["message"] == "helloلغو11"

    def test_all_are_off_at_first(self, ask: Asker, sandbox: Sandbox):
        """GET shows every habit under its name."""
        shown = ask("GET", "/sandbox/habits", token="").json

        assert shown == {habit.name: habit.default for habit in fields(Habits)} == sandbox.habits()
        assert sandbox.habits_turned() == {}

    def test_post_keeps_the_others_and_put_does_not(self, ask: Asker, sandbox: Sandbox):
        """Both answer all habits as they are now."""
        ask("POST", "/sandbox/habits", {"report_lag_s": 3600, "outbox_suffix": "لغو11"})
        shown = ask("POST", "/sandbox/habits", {"time_local": True}).json

        turned = {"report_lag_s": 3600, "outbox_suffix": "لغو11", "time_local": True}
        assert shown == {**shown, **turned}
        assert sandbox.habits_turned() == turned

        ask("PUT", "/sandbox/habits", {"time_local": True})

        assert sandbox.habits_turned() == {"time_local": True}

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"thunder": 1}, "no habit 'thunder'; known are reports, report_lag_s, "),
            ({"text_zwnj": "eaten"}, "text_zwnj is one of as_sent, dropped, blanked, not 'eaten'"),
            ({"text_zwnj": []}, "text_zwnj is one of as_sent, dropped, blanked, not []"),
            ({"outbox_suffix": 11}, "outbox_suffix is a text, not 11"),
            ({"time_local": 1}, "time_local is true or false, not 1"),
            ({"page_empty": 1.5}, "page_empty is a whole number, not 1.5"),
            ({"page_empty": True}, "page_empty is a whole number, not True"),
            ({"page_empty": -1}, "page_empty is 0 or more, not -1"),
            ({"report_lag_s": "1"}, "report_lag_s is a number of seconds, not '1'"),
            ({"report_lag_s": True}, "report_lag_s is a number of seconds, not True"),
            ({"report_lag_s": -0.5}, "report_lag_s is 0 or more, not -0.5"),
            ({"clock_offset_s": float("inf")}, "clock_offset_s is a number of seconds, not inf"),
            ([], "habits are an object of names and values"),
        ],
    )
    def test_a_bad_habit_is_named(self, given, sentence, ask: Asker, sandbox: Sandbox):
        """It is refused with a sentence, and nothing changes, also where others are good."""
        if given:
            given = {"report_limit_per_minute": 5, **given}

        reply = ask("POST", "/sandbox/habits", given)

        assert (reply.status, reply.json["error"].startswith(sentence)) == (422, True)
        assert sandbox.habits_turned() == {}

    def test_what_is_no_json_is_refused(self, ask: Asker):
        """With a sentence of the parser."""
        reply = ask("POST", "/sandbox/habits", body=b"{")

        assert (reply.status, "error" in reply.json) == (422, True)

    def test_a_bad_keyword_is_an_error(self):
        """Nothing starts with it."""
        with pytest.raises(ValueError, match="page_empty is 0 or more, not -1"):
            Sandbox(page_empty=-1)

    def test_the_page_shows_what_is_turned(self, ask: Asker, turn):
        """Habits that are off are not shown."""
        assert "Trouble is on" not in ask("GET", "/").content.decode()

        turn(outbox_suffix="<لغو11>")

        page = ask("GET", "/").content.decode()
        assert "Trouble is on" in page
        assert "habit outbox_suffix: &lt;لغو11&gt;" in page
        assert "outbox_prefix" not in page
