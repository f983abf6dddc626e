"""Questions against a gateway of a few lines that answers whatever a test says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.verifying.asking import Questions, Times
from airflow_provider_p2psms.verifying.paging import ask_pages
from airflow_provider_p2psms.verifying.watching import Sighting, read_time


class Gateway:
    """Answers each question with the next (status, document); the last one stays."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bytes]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gateway.asked.append((self.path, self.headers["Authorization"], body))
                status, document = gateway.next_answer(json.loads(body) if body else {})
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response_only(status)
                for name, value in (("Content-Length", str(len(content))), *gateway.headers):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_):
                pass

        self.headers = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next_answer(self, question):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(question) if callable(answer) else answer

    @property
    def settings(self):
        return GatewaySettings(base_url=f"http://127.0.0.1:{self.server.server_port}/v1", token="secret")


@pytest.fixture
def ask():
    """Make questions to a gateway with these answers; pauses are noted, not made."""
    made = []

    def start(*answers, **times):
        gateway = Gateway(answers)
        pauses: list[float] = []
        questions = Questions(gateway.settings, times=Times(**times), sleep=pauses.append)
        made.append((gateway, questions))
        return questions, gateway, pauses

    yield start
    for gateway, questions in made:
        questions.close()
        gateway.server.shutdown()
        gateway.server.server_close()


def envelope(data, **meta):
    return 200, {"data": data, "meta": {"status": True, **meta}}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((500, {"data": None, "meta": {"status": False}}), "HTTP 500"),
        ((200, {"data": None, "meta": {"status": False}}), "status: false"),
        ((200, b"<html>"), "no JSON envelope"),
        ((200, b"\xff"), "no JSON envelope"),
        ((200, [1]), "no JSON envelope"),
    ],
)
def test_what_is_no_answer(ask, answer, problem):
    """A question that got no answer has no records, and is counted by the reason."""
    questions, gateway, _ = ask(answer)

    reply = questions.by_id(7)

    assert (False, problem, None, []) == (reply.is_ok, reply.problem, reply.record, reply.records)
    assert {problem: 1} == questions.problems
    assert ("/v1/api/report/by_bulk?messages_outbox_id=7", "secret", b"") == gateway.asked[0]


def test_a_gateway_that_is_not_there(ask):
    """No connection is no answer, too."""
    questions, gateway, _ = ask(envelope([]))
    gateway.server.shutdown()
    gateway.server.server_close()

    assert "no answer" == questions.by_id(7).problem


def test_a_meta_that_is_none(ask):
    """Without a status in meta the HTTP status decides."""
    questions, _, _ = ask((200, {"data": {"messages_outbox_id": "7"}, "meta": None}))

    assert {"messages_outbox_id": "7"} == questions.by_id(7).record


@pytest.mark.parametrize(
    ("header", "offsets"), [("Thu, 01 Jan 1970 00:00:00 GMT", 1), ("no date", 0), ("1 Jan 1970 00:00", 1)]
)
def test_the_date_header(ask, header, offsets):
    """Its difference from our clock is noted where it can be read."""
    questions, gateway, _ = ask(envelope([]))
    gateway.headers.append(("Date", header))

    questions.by_id(7)

    assert offsets == len(questions.offsets)
    assert all(offset < -1e9 for offset in questions.offsets)


def test_a_question_is_repeated_with_growing_pauses(ask):
    """Server errors are asked again, three times in all; a refusal for good is not."""
    questions, gateway, pauses = ask((500, {}), (503, {}), envelope([]), busy_pause_s=2.0)

    assert questions.insist(lambda: questions.by_id(7)).is_ok
    assert [2.0, 4.0] == pauses

    gateway.answers = [(404, {"data": None, "meta": {"status": False}})]
    assert 404 == questions.insist(lambda: questions.by_id(7)).status
    assert (4, {"HTTP 500": 1, "HTTP 503": 1}) == (questions.count, questions.problems)


def test_the_pace(ask):
    """After so many questions the next one waits until the first is long enough ago."""
    questions, _, pauses = ask(envelope([]), questions=2, per_s=60.0)

    for _ in range(3):
        questions.by_id(7)

    [pause] = pauses
    assert 50 < pause <= 60


def test_questions_long_ago_do_not_count(ask):
    """The pace looks at the last seconds alone."""
    questions, _, pauses = ask(envelope([]), questions=1, per_s=0.0)

    for _ in range(3):
        questions.by_id(7)

    assert [] == pauses


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("1744121368", 1744121368.0),
        (1744121368.5, 1744121368.0),
        ("1970-01-01 00:01:00", 60.0),
        ("1970-01-01T00:01:00+00:00", 60.0),
        ("soon", None),
        (None, None),
    ],
)
def test_times_of_reports(value, time):
    """A time is a number, or a text in UTC."""
    assert time == read_time(value)


# --- pages

AT = 1_760_000_000


def sighting(outbox_id, **listed):
    record = {"messages_outbox_id": str(outbox_id), "time": str(AT), **listed}
    return Sighting(outbox_id, "BCDFGA|text", AT, AT, listed=record, listed_s=1.0)


def pages_of(answer, ask, *sightings):
    questions, _, _ = ask(answer, busy_pause_s=0.0, questions=1_000)
    return ask_pages(questions, sightings or [sighting(1)], line="+983000505")


def test_no_page_is_answered(ask):
    """Each line says so."""
    found = pages_of((500, {}), ask)

    assert "A page of 2 is not answered: HTTP 500." == found["report.pages"].observed
    assert "HTTP 500" in found["report.limit"].observed
    assert "HTTP 500." == found["report.last_page"].observed
    assert "create_from_date and create_to_date: HTTP 500" in found["report.filters"].observed


def test_pages_that_hold_more_than_asked_and_count_wrongly(ask):
    """A limit that is ignored, without per_page, and a current_page that stays."""
    records = [{"messages_outbox_id": str(number), "time": str(AT)} for number in range(1, 4)]
    found = pages_of(envelope(records, current_page=3, last_page=1, total=3), ask)

    for words in ("current_page is not the page asked for", "per_page is missing", "A page of 2 holds 3"):
        assert words in found["report.pages"].observed
    assert "limit=100: 3 records" in found["report.limit"].observed


def test_a_null_list(ask):
    """Data may be null though the list has shown the message before."""
    found = pages_of(envelope(None, total=1, last_page=1, current_page=1, per_page=2), ask)

    assert found["report.pages"].observed.startswith("data is null. total is 1 where 0 records are shown.")
    assert "without filters the last page, 1, is empty." == found["report.last_page"].observed.lower()


def test_filters_in_milliseconds(ask):
    """Where records count milliseconds, the filters may do so, too."""

    def answer(question):
        since = question["filters"].get("create_from_date")
        until = question["filters"].get("create_to_date")
        is_in = since is None or int(since) <= AT * 1000 <= int(until)
        return envelope(
            [{"messages_outbox_id": "1", "time": str(AT * 1000)}] if is_in else [], total=int(is_in)
        )

    found = pages_of(answer, ask, sighting(1, time=str(AT * 1000)))

    filters = found["report.filters"].values
    assert ("does not find the message", "works") == (
        filters["create_from_date and create_to_date"], filters["dates in milliseconds"],
    )  # fmt: skip
