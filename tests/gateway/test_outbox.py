"""Reading an outbox that is listed as the gateway likes: whole, or said not to be."""

import json
import threading
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import AuthenticationError
from airflow_provider_p2psms.gateway.outbox import (
    NoAnswerError,
    Outbox,
    QuestionPace,
)
from airflow_provider_p2psms.gateway.records import OutboxRecord, parse_record
from airflow_provider_p2psms.gateway.statuses import State

from .conftest import MakeClient, StartGateway, http

NOW = 1_800_000_000
RECORD = OutboxRecord(7, "+983000505", "hi", NOW, NOW, None, state=State.SENT)


def shown(outbox_id, **fields):
    return {
        "messages_outbox_id": str(outbox_id),
        "number": "+983000505",
        "message": "hi",
        "time": str(NOW),
        "time_send": str(NOW),
        "rcpts_count": "1",
        "state_id": 6,
        **fields,
    }


class Report:
    """Answers questions page by page; a test turns what is answered."""

    def __init__(self, entries, *, page_size=100, turn=None, page_turn=None):
        self.entries, self.page_size = list(entries), page_size
        self.turn = turn or (lambda number, page, answer: answer)
        self.questions, self.paths = [], []

    def __call__(self, conn, request):
        head, _, body = request.partition(b"\r\n\r\n")
        target = urlsplit(head.split(b" ")[1].decode())
        question = (
            json.loads(body)
            if body
            else {name: int(values[0]) for name, values in parse_qs(target.query).items()}
        )
        self.questions.append(question)
        self.paths.append(target.path)
        answer = self.turn(len(self.questions), question.get("page"), self.answer(question))
        status, document = answer if isinstance(answer, tuple) else (200, answer)
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        conn.sendall(http(status, payload, "Content-Type: application/json", "Connection: close"))

    def answer(self, question):
        if "page" not in question:
            return {"data": self.entries[0] if self.entries else None, "meta": {"status": True}}
        page, total = question["page"], len(self.entries)
        size = min(self.page_size, question.get("limit", self.page_size))
        return {
            "data": self.entries[(page - 1) * size : page * size],
            "meta": {
                "status": True,
                "current_page": page,
                "last_page": max(1, -(-total // size)),
                "total": total,
            },
        }


@pytest.fixture
def outbox(scripted: StartGateway, client: MakeClient):
    """Make outboxes over a report, without a wait between questions."""

    def make(report, **options):
        gateway = client(f"http://127.0.0.1:{scripted(report).port}/v1")
        pace = QuestionPace(questions=1000, stop=threading.Event())
        return Outbox(gateway, pace=pace, **options)

    return make


def read(outbox, report, **options):
    reading = outbox(report, **options).read(since=NOW - 0.5, until=NOW + 100.5)
    return len(reading.records), reading.is_whole


def turned(**meta):
    """Change ``meta``; what is ``None`` is left out."""

    def turn(number, page, answer):
        changed = answer["meta"] | meta
        return answer | {"meta": {name: value for name, value in changed.items() if value is not None}}

    return turn


def test_a_window_is_asked_for_and_nothing_else(outbox):
    """Dates are whole seconds that hold the window; neither line nor text narrows the list."""
    report = Report([shown(7)])

    assert (1, True) == read(outbox, report)
    assert [
        {
            "page": 1,
            "limit": 100,
            "filters": {"create_from_date": str(NOW - 1), "create_to_date": str(NOW + 101)},
        }
    ] == report.questions


@pytest.mark.parametrize(("number", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_all_pages_are_read(outbox, number, pages):
    """No question more than the report has pages."""
    report = Report(map(shown, range(1, number + 1)))

    assert (number, True) == read(outbox, report)
    assert pages == len(report.questions)


@pytest.mark.parametrize(
    ("page_size", "meta"),
    [
        (10, {}),
        (100, {"last_page": None}),
        (100, {"last_page": "null"}),
        (100, {"last_page": 1}),
        (100, {"last_page": 99}),
        (10, {"last_page": 3}),
        (100, {"current_page": None}),
        (100, {"total": "250"}),
    ],
    ids=str,
)
def test_a_list_may_say_little_of_its_pages(outbox, page_size, meta):
    """The total decides: pages may be smaller than asked for, and the number of the last one wrong."""
    report = Report(map(shown, range(1, 251)), page_size=page_size, turn=turned(**meta))

    assert (250, True) == read(outbox, report)


@pytest.mark.parametrize(
    "meta",
    [
        {"total": None},
        {"total": "many"},
        {"total": 251},
        {"total": 100},
        {"total": 249},
        {"current_page": 1},
        {"current_page": 0},
    ],
    ids=str,
)
def test_a_list_that_contradicts_itself_is_not_whole(outbox, meta):
    """A total that is missing or another, or another page than was asked for: all is read, nothing proved."""
    assert (250, False) == read(outbox, Report(map(shown, range(1, 251)), turn=turned(**meta)))


@pytest.mark.parametrize(
    "data",
    [None, {}, "none", [*map(shown, range(1, 100)), None], [*map(shown, range(1, 100)), {"id": 5}]],
    ids=["null", "object", "text", "not a record", "no id"],
)
def test_a_list_of_another_shape_is_not_whole(outbox, data):
    """What cannot be read may be ours."""
    report = Report(
        map(shown, range(1, 251)),
        turn=lambda _, page, answer: answer | {"data": data} if page == 1 else answer,
    )

    assert read(outbox, report)[1] is False


def test_an_empty_page_before_the_end_is_not_the_end(outbox):
    """What stands behind it is evidence; the list is not whole."""
    empty = lambda _, page, answer: answer | {"data": []} if page == 2 else answer  # noqa: E731
    report = Report(map(shown, range(1, 251)), turn=empty)

    assert (150, False) == read(outbox, report)


@pytest.mark.parametrize("refusal", [404, 422, 200])
def test_deep_pages_may_be_refused_or_empty(outbox, refusal):
    """What is shown is evidence; the list is not whole."""

    def turn(_, page, answer):
        if page < 2:
            return answer
        return (
            refusal,
            {"data": [] if refusal == 200 else None, "meta": {"status": refusal == 200, "total": 500}},
        )

    report = Report(map(shown, range(1, 501)), turn=turn)

    assert (100, False) == read(outbox, report)
    assert len(report.questions) <= 3


def test_a_page_number_that_is_ignored_is_seen(outbox):
    """The same page again is no other page."""
    report = Report(map(shown, range(1, 251)))
    report.turn = lambda _, page, answer: answer | {"data": report.entries[:100]}

    assert (100, False) == read(outbox, report)
    assert 2 == len(report.questions)


def test_an_unstable_order_is_read_twice(outbox):
    """A record that is seen twice hides another one; both readings together have all."""
    report = Report(map(shown, range(1, 151)))

    def turn(number, page, answer):
        return answer | {"data": [shown(1), *answer["data"][1:]]} if number == 2 else answer

    report.turn = turn

    assert (150, True) == read(outbox, report)


def test_an_order_that_stays_unstable_is_not_whole(outbox):
    """A record that neither reading shows may be ours."""
    report = Report(map(shown, range(1, 151)))
    report.turn = lambda _, page, answer: (
        answer | {"data": [shown(1), *answer["data"][1:]]} if page == 2 else answer
    )

    assert (149, False) == read(outbox, report)


def test_records_that_arrive_meanwhile_are_read_too(outbox):
    """They move others to a later page, and are counted at once."""
    report = Report(map(shown, range(1, 151)))

    def turn(number, page, answer):
        if number == 1:
            report.entries = [*map(shown, range(501, 506)), *report.entries]
        return answer

    report.turn = turn

    assert (155, True) == read(outbox, report)


def test_a_list_that_shrinks_is_not_whole(outbox):
    """A record that is gone moves another one to a page that was read before."""
    report = Report(map(shown, range(1, 103)))

    def turn(number, page, answer):
        if number == 1:
            report.entries = report.entries[1:]
        return answer

    report.turn = turn

    assert (101, False) == read(outbox, report)


def test_the_end_of_a_list_is_no_empty_page(outbox):
    """A record that is counted but never shown is missing, wherever the list ends."""
    report = Report(map(shown, range(1, 102)), turn=turned(total=102))

    assert (101, False) == read(outbox, report)
    assert [1, 2, 3] * 2 == [each["page"] for each in report.questions]


def test_pages_are_bounded(outbox):
    """A list without end is not whole."""
    report = Report(map(shown, range(1, 251)), page_size=10)

    assert (30, False) == read(outbox, report, most_pages=3)
    assert 3 == len(report.questions)


def asked(report):
    """Return how many pages were asked for, by their size."""
    return Counter(each["limit"] for each in report.questions)


def test_a_long_list_is_read_in_large_pages(outbox):
    """From 2,001 records on, where the gateway gives them; later readings begin with them."""
    report = Report(map(shown, range(1, 2_002)), page_size=10_000)
    ours = outbox(report)

    for _ in range(2):
        reading = ours.read(since=NOW - 0.5, until=NOW + 100.5)
        assert (2_001, True) == (len(reading.records), reading.is_whole)
    assert Counter({100: 1, 500: 1 + 5 + 5}) == asked(report)


def test_a_list_that_is_not_long_is_read_in_small_pages(outbox):
    """2,000 records take 20 questions, as they always did."""
    report = Report(map(shown, range(1, 2_001)), page_size=10_000)

    assert (2_000, True) == read(outbox, report)
    assert Counter({100: 20}) == asked(report)


@pytest.mark.parametrize(
    "refused",
    [None, (422, {"data": None, "meta": {"status": False, "message_code": "400-2"}}), (404, b"<html>")],
    ids=str,
)
def test_a_gateway_without_large_pages_costs_one_question(outbox, refused):
    """It gives 100 records whatever is asked for, or refuses the size."""
    report = Report(map(shown, range(1, 2_002)))
    report.turn = lambda _number, _page, answer: (
        refused if refused and report.questions[-1]["limit"] > 100 else answer
    )

    assert (2_001, True) == read(outbox, report)
    assert Counter({100: 21, 500: 1}) == asked(report)


@pytest.mark.parametrize("status", [429, 403, 503])
def test_no_answer_to_a_large_page_is_no_answer_and_the_next_reading_asks_for_small_ones(outbox, status):
    """A size that the gateway cannot bear keeps nobody from reading its list."""
    report = Report(map(shown, range(1, 2_002)))
    report.turn = lambda _number, _page, answer: (
        (status, {"data": None, "meta": {"status": False}}) if report.questions[-1]["limit"] > 100 else answer
    )
    ours = outbox(report)

    with pytest.raises(NoAnswerError):
        ours.read(since=NOW - 0.5, until=NOW + 100.5)
    assert ours.read(since=NOW - 0.5, until=NOW + 100.5).is_whole
    assert 1 == asked(report)[500]


def test_large_pages_that_leave_records_out_are_not_asked_for_again(outbox):
    """Such a reading is not whole; the next one has small pages, and is."""
    report = Report(map(shown, range(1, 2_002)), page_size=10_000)
    report.turn = lambda _number, _page, answer: (
        answer | {"data": answer["data"][:300]} if report.questions[-1]["limit"] > 100 else answer
    )
    ours = outbox(report)

    wholes = [ours.read(since=NOW - 0.5, until=NOW + 100.5).is_whole for _ in range(3)]

    assert [False, True, True] == wholes


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (429, {"data": None, "meta": {"status": False}}),
        (403, {"data": None, "meta": {"status": False}}),
        (404, {"data": None, "meta": {"status": False}}),
        (200, {"data": None, "meta": {"status": False}}),
        (500, {"data": None, "meta": {"status": False}}),
        (502, b"<html>"),
        (200, b"<html>"),
    ],
    ids=str,
)
def test_a_list_that_is_refused_is_no_answer(outbox, status, document):
    """It says nothing of any message, and is asked for once."""
    report = Report([shown(7)], turn=lambda *_: (status, document))

    with pytest.raises(NoAnswerError):
        read(outbox, report)
    assert 1 == len(report.questions)


def test_a_gateway_that_is_not_there_is_no_answer(client: MakeClient):
    """Nor is one that cannot be reached."""
    nobody = Outbox(client("http://127.0.0.1:9/v1"), pace=QuestionPace(stop=threading.Event()))

    with pytest.raises(NoAnswerError):
        nobody.read(since=NOW, until=NOW)


def test_a_token_that_is_not_accepted_is_said(outbox):
    """To ask again would not help."""
    report = Report([], turn=lambda *_: (401, {"data": None, "meta": {"status": False}}))

    for ask in (
        lambda each: each.find(7),
        lambda each: each.recipients(RECORD),
        lambda each: each.read(since=0, until=1),
    ):
        with pytest.raises(AuthenticationError):
            ask(outbox(report))


# --- one record


def test_one_record_is_found(outbox):
    """By its id, whatever the list shows."""
    assert OutboxRecord(7, "+983000505", "hi", NOW, NOW, 1, state=State.SENT) == outbox(
        Report([shown(7)])
    ).find(7)


@pytest.mark.parametrize("status", [404, 422, 400, 200])
def test_a_record_that_is_refused_is_not_shown(outbox, status):
    """Any refusal is: there is nothing to see."""
    assert (
        outbox(Report([], turn=lambda *_: (status, {"data": None, "meta": {"status": False}}))).find(7)
        is None
    )


@pytest.mark.parametrize("status", [429, 403, 502])
def test_a_question_for_a_record_may_get_no_answer(outbox, status):
    """That is about the question, not about the record."""
    report = Report([], turn=lambda *_: (status, {"data": None, "meta": {"status": False}}))

    with pytest.raises(NoAnswerError):
        outbox(report).find(7)
    with pytest.raises(NoAnswerError):
        outbox(report).recipients(RECORD)


@pytest.mark.parametrize("entries", [[], [shown(8)]], ids=["none", "another"])
def test_another_record_is_not_the_one(outbox, entries):
    """An answer without the id that was asked for shows nothing."""
    assert outbox(Report(entries)).find(7) is None


@pytest.mark.parametrize(
    ("field", "value", "name", "expected"),
    [
        ("messages_outbox_id", 7, "outbox_id", 7),
        ("number", None, "line", None),
        ("number", 3000505, "line", "3000505"),
        ("message", None, "text", None),
        ("message", "", "text", None),
        ("time", NOW, "at", NOW),
        ("time", NOW + 0.5, "at", NOW + 0.5),
        ("time", NOW * 1000 + 500, "at", NOW + 0.5),
        ("time", str(NOW * 1_000_000), "at", NOW),
        ("time", "2027-01-15 08:00:00", "at", NOW),
        ("time", "2027-01-15T11:30:00+03:30", "at", NOW),
        ("time", "1405-10-25 11:30:00", "at", None),
        ("time", "yesterday", "at", None),
        ("time", 0, "at", None),
        ("time", "nan", "at", None),
        ("time", "inf", "at", None),
        ("time", None, "at", None),
        ("time_send", NOW, "send_at", NOW),
        ("rcpts_count", "12", "count", 12),
        ("rcpts_count", None, "count", None),
        ("rcpts_count", -1, "count", None),
        ("rcpts_count", True, "count", None),
        ("state_id", "7", "is_failed", True),
        ("state_id", 3, "is_failed", True),
        ("state_id", 77, "is_failed", False),
        ("state_id", None, "is_failed", False),
    ],
)
def test_what_a_record_says_is_read(field, value, name, expected):
    """Numbers and texts of numbers, seconds and milliseconds; what cannot be read is left out."""
    assert expected == getattr(parse_record(shown(7, **{field: value})), name)


@pytest.mark.parametrize(
    "value", [None, 0, -1, "", "x", "7.0", 2**63, str(2**63), "9" * 5000, "۷", True, [7]]
)
def test_an_id_that_cannot_be_read_is_none(value):
    """Ids are positive and fit 63 bits."""
    assert parse_record(shown(7) | {"messages_outbox_id": value}) is None


# --- recipients


def people(number, **fields):
    return [{"recipient": f"+98912{place:07}", "message": "hi", **fields} for place in range(number)]


@pytest.mark.parametrize(("number", "page_size"), [(1, 100), (100, 100), (250, 100), (35, 10)])
def test_all_recipients_are_read_once(outbox, number, page_size):
    """They do not change, so whole ones are remembered."""
    report = Report(people(number), page_size=page_size)
    reader = outbox(report)

    found = reader.recipients(RECORD)

    assert [each["recipient"] for each in report.entries] == [each.number for each in found]
    assert {"hi"} == {each.text for each in found}
    assert found is reader.recipients(RECORD)
    assert -(-number // page_size) == len(report.questions)
    assert (7, 100) == (report.questions[0]["bulk_id"], report.questions[0]["per_page"])


@pytest.mark.parametrize(("count", "is_whole"), [(None, True), (0, True), (1, True), (4, True), (5, False)])
def test_the_record_may_count_more_recipients_than_are_shown(outbox, count, is_whole):
    """A count below what is shown is no count; one above it says that some are missing."""
    record = OutboxRecord(7, None, None, None, None, count, state=State.SENT)

    assert is_whole == (outbox(Report(people(4))).recipients(record) is not None)


def test_recipients_that_are_not_whole_are_asked_for_again(outbox):
    """The next question may show all."""
    report = Report([])
    reader = outbox(report)

    assert reader.recipients(RECORD) is None
    report.entries = people(2, message=None)
    assert [None, None] == [each.text for each in reader.recipients(RECORD)]


@pytest.mark.parametrize(
    "turn",
    [
        turned(total=None),
        turned(total=251),
        turned(total=249),
        turned(current_page=1),
        lambda _, page, answer: answer | {"data": None},
        lambda _, page, answer: answer | {"data": people(100)},
        lambda _, page, answer: answer | {"data": answer["data"][:50]},
        lambda _, page, answer: answer if page == 1 else (404, {"data": None, "meta": {"status": False}}),
    ],
    ids=["no total", "more", "fewer", "page 1", "null", "same page", "half pages", "no deep pages"],
)
def test_recipients_that_are_not_shown_whole_are_none(outbox, turn):
    """Some recipients of a record prove nothing of the others."""
    assert outbox(Report(people(250), turn=turn)).recipients(RECORD) is None


def test_pages_of_recipients_are_bounded(outbox):
    """A record without end is not whole."""
    assert outbox(Report(people(30), page_size=10), most_pages=2).recipients(RECORD) is None


# --- pace


def test_a_burst_is_allowed():
    """Questions wait only for those that came before."""
    pace = QuestionPace(questions=3, per_s=3600, stop=threading.Event())

    for _ in range(3):
        pace.wait()


def test_a_pace_is_kept():
    """At most so many questions in any span of time."""
    pace, start = QuestionPace(questions=3, per_s=0.2, stop=threading.Event()), elapsed()

    for _ in range(7):
        pace.wait()

    assert elapsed() - start >= 0.4


def test_nobody_waits_for_a_turn_once_the_send_is_stopped():
    """A thread that waits is woken, and later ones do not ask."""
    stop = threading.Event()
    pace = QuestionPace(questions=1, per_s=3600, stop=stop)
    pace.wait()
    threading.Timer(0.05, stop.set).start()

    for _ in range(2):
        with pytest.raises(NoAnswerError, match="stopped"):
            pace.wait()


def test_a_stopped_outbox_asks_nothing(scripted: StartGateway, client: MakeClient):
    """No question leaves."""
    report, stop = Report([shown(7)]), threading.Event()
    gateway = client(f"http://127.0.0.1:{scripted(report).port}/v1")
    stop.set()

    with pytest.raises(NoAnswerError, match="stopped"):
        Outbox(gateway, pace=QuestionPace(stop=stop)).find(7)
    assert [] == report.questions
