"""Watching messages: what is counted, when it ends, and what a look costs."""

import json
import threading
from pathlib import Path

import pytest

from airflow_provider_p2psms.delivery.watch import MAX_FAILURES, DeliveryWatch
from airflow_provider_p2psms.errors import AuthenticationError, GatewayRefusedError, UnreachableError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.response import Page
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from tests.delivery.conftest import Clock

GOOD, UNDELIVERED, BLACKLISTED = "+989120000000", "+989120000003", "+989120000004"
ALL_THREE = (GOOD, UNDELIVERED, BLACKLISTED)
ZEROS = dict.fromkeys(
    ("sent", "delivered", "undelivered", "blacklisted", "pending", "failed", "cost", "parts"), 0
)


def test_no_ids_are_done_at_once(client: GatewayClient, asked):
    """Nothing to watch is done, all counts are zero, and the gateway is not asked."""
    look = DeliveryWatch(client, (), until="delivered", min_delivered=1).look()

    assert (look.counts.as_dict(), look.done, look.failure) == (ZEROS, True, None)
    assert 0 == asked()


def test_a_message_is_pending_until_it_is_sent(client: GatewayClient, send, clock: Clock):
    """Recipients of queued messages are pending; once sent they are counted with cost and parts."""
    ids = send("a" * 161, to=(GOOD, "+989350000000"))
    watch = DeliveryWatch(client, ids)

    assert {**ZEROS, "pending": 2} == watch.look().counts.as_dict()
    clock.now += 1
    look = watch.look()

    assert look.done
    assert (2, 0, 4) == (look.counts.sent, look.counts.pending, look.counts.parts)
    assert look.counts.cost > 0


def test_delivery_is_counted_by_recipient(client: GatewayClient, send, clock: Clock):
    """By until="delivered" each recipient is waited for, and counted by what the operator reports."""
    ids = send("hello", to=ALL_THREE)
    watch = DeliveryWatch(client, ids, until="delivered")
    clock.now += 1
    look = watch.look()
    assert (3, 3, False) == (look.counts.sent, look.counts.pending, look.done)

    clock.now += 2
    look = watch.look()

    counts = look.counts
    assert (look.done, look.failure) == (True, None)
    assert (3, 1, 1, 1, 0) == (
        counts.sent, counts.delivered, counts.undelivered, counts.blacklisted, counts.pending,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "done", "fails"),
    [(0.0, True, False), (1 / 3, True, False), (0.34, False, True), (1, False, True)],
)
def test_the_share_that_must_be_delivered(share, done, fails, client: GatewayClient, send, clock: Clock):
    """A share reached ends well, one out of reach ends badly, and the text says how far it came."""
    ids = send("hello", to=ALL_THREE)
    clock.now += 3

    look = DeliveryWatch(client, ids, until="delivered", min_delivered=share).look()

    assert (done, fails) == (look.done, look.failure is not None)
    if fails:
        assert f"min_delivered={share:g} cannot be reached any more.\n1 of 3 recipients have" in str(
            look.failure
        )


def test_a_share_is_reached_before_the_last_is_sent(client: GatewayClient, send, clock: Clock):
    """Stragglers are not waited for once the share is reached."""
    ids = send("now") + send("later", send_time="2025-10-09 12:00:00")
    clock.now += 3

    assert DeliveryWatch(client, ids, until="delivered", min_delivered=0.5).look().done
    assert not DeliveryWatch(client, ids, until="delivered", min_delivered=0.6).look().done


@pytest.mark.parametrize(
    ("text", "english", "persian"),
    [
        ("[[reject]]", "Rejected by the gateway's monitoring", "رد شده: متن پیام تایید نشد"),
        ("[[invalid]]", "Recipients wrong or invalid", "گیرندگان نامعتبر"),
        ("[[no-credit]]", "Not enough credit", "عدم اعتبار کافی"),
        ("[[system-error]]", "System error at the gateway", "خطای سیستم"),
    ],
)
@pytest.mark.parametrize("others", [0, 10])
def test_a_failed_message_says_why(others, text, english, persian, client: GatewayClient, send, clock: Clock):
    """A message that failed ends the watch at once, with reason, the gateway's own words, and the id."""
    good = send(*(f"good {number}" for number in range(others))) if others else []
    bad = send(f"bad {text}")
    clock.now += 1

    look = DeliveryWatch(client, [*good, *bad]).look()

    assert f"1 of {others + 1} messages were not sent." in str(look.failure)
    assert f"{english}" in str(look.failure)
    assert persian in str(look.failure)
    assert str(bad[0]) in str(look.failure)


def test_a_cancelled_message_fails(client: GatewayClient, send):
    """State 7 counts as failed."""
    ids = send("hello", send_time="2025-10-09 12:00:00")
    client.cancel(ids[0])

    look = DeliveryWatch(client, ids).look()

    assert "Cancelled (لغو شده)" in str(look.failure)
    assert 1 == look.counts.failed


def test_many_failed_ids_are_named_in_part(client: GatewayClient, send, clock: Clock):
    """A long list of ids is cut, and the rest counted."""
    ids = send(*(f"[[reject]] {number}" for number in range(30)))
    clock.now += 1

    failure = str(DeliveryWatch(client, ids).look().failure)

    assert str(ids[19]) in failure
    assert str(ids[20]) not in failure
    assert "and 10 more" in failure


def test_failed_messages_can_be_counted_instead(client: GatewayClient, send, clock: Clock):
    """By on_failed="continue" the others are waited for."""
    ids = send("bad [[reject]]", "good", to=(GOOD, UNDELIVERED))
    clock.now += 1
    assert DeliveryWatch(client, ids, on_failed="continue").look().done

    clock.now += 2
    look = DeliveryWatch(client, ids, until="delivered", on_failed="continue").look()

    assert (look.done, look.counts.failed, look.counts.delivered, look.counts.undelivered) == (True, 2, 1, 1)


def test_ten_thousand_ids_cost_two_hundred_questions_a_look(
    client: GatewayClient, send_many, asked, clock: Clock
):
    """One look tells of 10,000 states, by pages; no look asks more than 200 questions, for delivery too."""
    ids = send_many(10_000)
    watch = DeliveryWatch(client, ids, until="delivered")
    clock.now += 1

    first = watch.look()
    questions = [asked()]
    for _ in range(2):
        watch.look()
        questions.append(asked())

    assert 10_000 == first.counts.sent
    assert not first.complete
    assert 200 >= max(questions)
    assert 190 <= min(questions)


def test_deliveries_of_more_ids_than_questions(client: GatewayClient, send_many, asked, clock: Clock):
    """Ids have their turns, final ones no more: all are told of in as many looks as it takes."""
    ids = send_many(200)
    watch = DeliveryWatch(client, ids, until="delivered", min_questions=30)
    clock.now += 3
    looks = [(watch.look(), asked())]
    while not looks[-1][0].done:
        looks.append((watch.look(), asked()))

    counts = looks[-1][0].counts
    assert 30 >= max(questions for _, questions in looks)
    assert 9 >= len(looks)
    assert (198, 1, 1) == (counts.delivered, counts.undelivered, counts.blacklisted)
    assert [False, True] == [looks[0][0].complete, looks[-1][0].complete]


def test_sent_messages_are_not_asked_for_again(client: GatewayClient, send, send_many, asked, clock: Clock):
    """Once most are sent a look costs what the others do."""
    ids = send_many(1_000) + send("later", send_time="2025-10-09 12:00:00")
    watch = DeliveryWatch(client, ids)
    clock.now += 1
    watch.look()
    asked()

    assert 1 == watch.look().counts.pending
    assert 1 == asked()


def test_messages_of_others_in_between(client: GatewayClient, send, send_many, asked, clock: Clock):
    """In the midst of ten times as many messages of others each id is found, at 200 questions a look."""
    ids = []
    for batch in range(20):
        ids += send(*(f"mine {batch} {number}" for number in range(50)))
        send_many(500, text=f"other {batch}")
        clock.now += 120
    watch = DeliveryWatch(client, ids)

    look, looks = watch.look(), 1
    assert 200 >= asked()
    while not look.done:
        look, looks = watch.look(), looks + 1
        assert 200 >= asked()

    assert 3 >= looks


def test_a_send_beside_others_is_read_by_pages(client: GatewayClient, send_many, asked, clock: Clock):
    """Shards that send at once have their batches in turns: one look finds all of one shard."""
    ids = []
    for batch in range(10):
        ids += send_many(250, text=f"mine {batch}")
        send_many(750, text=f"other {batch}")
    clock.now += 1

    look = DeliveryWatch(client, ids).look()

    assert (look.done, look.counts.sent) == (True, 2_500)
    assert 110 >= asked()


def test_a_send_in_a_busy_hour_is_found_in_one_look(client: GatewayClient, send_many, asked, clock: Clock):
    """Others send much in the seconds before and behind a send: the pages in the middle come first."""
    send_many(10_000, text="before")
    ids = []
    for batch in range(4):
        ids += send_many(500, text=f"mine {batch}")
        send_many(500, text=f"other {batch}")
    send_many(10_000, text="behind")
    clock.now += 1

    look = DeliveryWatch(client, ids).look()

    assert (look.done, look.counts.sent) == (True, 2_000)
    assert 60 >= asked()


def test_the_next_look_asks_only_for_pages_with_what_is_pending(
    client: GatewayClient, send_many, asked, clock: Clock
):
    """A message that was seen on a page is looked for there again; pages of others are read once."""
    send_many(2_000, text="before")
    ids = send_many(1_000)
    send_many(2_000, text="behind")
    watch = DeliveryWatch(client, ids)

    assert 1_000 == watch.look().counts.pending
    assert 11 <= asked() <= 16
    assert 1_000 == watch.look().counts.pending
    assert 11 >= asked()
    clock.now += 1
    assert watch.look().done
    assert 11 >= asked()


@pytest.mark.proof
def test_a_crowd_without_end(client: GatewayClient, send, send_many, asked, clock: Clock, sandbox: Sandbox):
    """Where others crowd every page, ids have their turns, and all are found in a few looks."""
    ids = []
    for batch in range(30):
        ids += send(*(f"mine {batch} {number}" for number in range(10)))
        send_many(1_500, text=f"other {batch}")
    watch = DeliveryWatch(client, ids)
    clock.now += 1

    look, looks = watch.look(), 1
    while not look.done:
        assert 200 >= asked()
        look, looks = watch.look(), looks + 1

    assert 300 == look.counts.sent
    assert 4 >= looks


def test_sends_of_different_days_and_lines(client: GatewayClient, send_many, asked, clock: Clock):
    """Ids of several sends are told apart by the gaps between them."""
    first = send_many(300)
    clock.now += 86_400
    send_many(8_000, text="other")
    clock.now += 86_400
    second = send_many(300, line="+981234567890")
    clock.now += 1

    look = DeliveryWatch(client, [*second, *first]).look()

    assert (look.done, look.counts.sent) == (True, 600)
    assert 12 >= asked()


def test_pages_are_asked_four_at_a_time(client: GatewayClient, send_many, asked, clock: Clock):
    """The pages of a large send are on their way together; the first one alone says how many there are."""
    ids = send_many(900)
    clock.now += 1
    together = threading.Barrier(4)

    class WaitingForThree:
        report_by_bulk = client.report_by_bulk
        report_bulk_stats = client.report_bulk_stats

        def report_list(self, filters, *, page, limit):
            if page > 1:
                together.wait(timeout=60)
            return client.report_list(filters, page=page, limit=limit)

    look = DeliveryWatch(WaitingForThree(), ids).look()

    assert (look.done, look.counts.sent) == (True, 900)
    assert 9 + 2 == asked()


def test_an_id_that_no_report_shows_is_pending(client: GatewayClient, send, clock: Clock):
    """An unknown id is waited for, as a fresh one is; it is no error."""
    ids = send("hello")
    clock.now += 1

    look = DeliveryWatch(client, [*ids, 999]).look()

    assert (look.done, look.failure, look.counts.pending, look.counts.sent) == (False, None, 1, 1)


@pytest.mark.parametrize("place", [0, -1])
def test_an_unknown_id_at_the_edge_of_a_send(place, client: GatewayClient, send_many, asked, clock: Clock):
    """The others of the send are found by pages all the same."""
    ids = send_many(300)
    clock.now += 1

    look = DeliveryWatch(client, [*ids, ids[place] + 2 * place + 1]).look()

    assert (300, 1) == (look.counts.sent, look.counts.pending)
    assert 7 >= asked()


@pytest.mark.parametrize("count", [1, 30])
def test_a_gateway_without_reports(count, client: GatewayClient, send_many, sandbox: Sandbox):
    """Where all questions are answered with 404 the first look says so; nothing would ever come."""
    ids = send_many(count)
    sandbox.reports = False

    with pytest.raises(GatewayRefusedError, match=r"404 to every question.*Base URL"):
        DeliveryWatch(client, ids).look()


def test_reports_that_are_refused(client: GatewayClient, send, sandbox: Sandbox):
    """A refusal of another kind is told in the gateway's words."""
    sandbox.report_lag_s = 3600
    sandbox.order_fault("refuse_403", path="/api/report/new_list")

    with pytest.raises(GatewayRefusedError, match="HTTP 403"):
        DeliveryWatch(client, send("a")).look()


def test_reports_that_show_nothing_yet_are_asked_once_whether_they_are_there(
    client: GatewayClient, send, sandbox: Sandbox, asked
):
    """An id that is not shown yet is answered with 404, too; where pages are shown, it is waited for."""
    sandbox.report_lag_s = 3600
    watch = DeliveryWatch(client, send("a"))

    assert 1 == watch.look().counts.pending
    assert 2 == asked()
    assert 1 == watch.look().counts.pending
    assert 1 == asked()


def test_ids_that_were_not_asked_for_yet(client: GatewayClient, send, caplog):
    """The log tells ids that no look has asked for apart from those that the reports do not show."""
    caplog.set_level("INFO")

    DeliveryWatch(client, send("a", "b", "c", "d"), min_questions=7).look()

    assert "2 of them were not asked for yet" in caplog.text
    assert "are not in the gateway's reports so far" not in caplog.text


def test_a_watch_that_was_stopped(client: GatewayClient, send, asked):
    """It asks nothing any more."""
    watch = DeliveryWatch(client, send("hello"))
    watch.stop()

    assert not watch.look().done
    assert 0 == asked()


@pytest.mark.parametrize("count", [3, 300])
def test_reports_that_come_late(
    count, client: GatewayClient, send_many, sandbox: Sandbox, asked, clock: Clock
):
    """What the reports do not show yet costs hardly a question, and is found when they do."""
    sandbox.report_lag_s = 60
    ids = send_many(count)
    watch = DeliveryWatch(client, ids)

    assert count == watch.look().counts.pending
    assert 4 >= asked()
    clock.now += 61

    assert watch.look().done


def test_the_log_tells_what_is_new(client: GatewayClient, send, sandbox: Sandbox, clock: Clock, caplog):
    """A look that finds nothing new adds no line; after one without an answer all is told again."""
    caplog.set_level("INFO", logger=DeliveryWatch.__module__)

    def told(watch):
        caplog.clear()
        watch.look()
        return [record.getMessage() for record in caplog.records]

    watch = DeliveryWatch(client, [*send("hello"), 999])
    pending = ["2 outbox ids: 2 pending", "1 of them are not in the gateway's reports so far."]

    assert [pending, [], []] == [told(watch) for _ in range(3)]
    sandbox.order_fault("refuse_429", path="/api/report/by_bulk")
    assert ["No answer"] == [line[:9] for line in told(watch)]
    assert [pending, []] == [told(watch) for _ in range(2)]

    clock.now += 1

    assert told(watch)[0].startswith("2 outbox ids: 1 sent, 1 pending")
    assert not told(watch)


def test_silence_is_borne_and_then_told(sandbox: Sandbox, send):
    """Looks without an answer find nothing new, wait longer, and end with an error at the tenth in a row."""
    ids = send("hello")
    settings = GatewaySettings(base_url="http://127.0.0.1:1", token="t", connect_timeout_s=0.2)
    with GatewayClient(settings) as nobody:
        watch = DeliveryWatch(nobody, ids)
        pauses = []
        for _ in range(MAX_FAILURES - 1):
            assert 1 == watch.look().counts.pending
            pauses.append(watch.pause_s(60))

        with pytest.raises(UnreachableError, match="no answer 10 times in a row"):
            watch.look()

    assert [120, 240, 480, 960, 1920] + [1920] * 4 == pauses


def test_an_answer_ends_the_count_of_silences(sandbox: Sandbox, client: GatewayClient, send):
    """An answer of "not yet" is one, too: silences in a row are counted anew after it."""
    ids = send("hello")
    watch = DeliveryWatch(client, ids)
    for _ in range(3):
        sandbox.order_fault("502_html_before", times=3 * (MAX_FAILURES - 1), path="/api/report/by_bulk")
        for _ in range(MAX_FAILURES - 1):
            assert not watch.look().done
        watch.look()

        assert 60 == watch.pause_s(60)


def test_too_many_questions_are_a_silence(sandbox: Sandbox, client: GatewayClient, send):
    """A 429 to a question is borne like no answer."""
    sandbox.order_fault("refuse_429", path="/api/report/by_bulk")
    watch = DeliveryWatch(client, send("hello"))

    assert 1 == watch.look().counts.pending
    assert 1 == watch.failures


def test_a_wrong_token_is_told_at_once(sandbox: Sandbox, send):
    """What waiting cannot mend is raised."""
    ids = send("hello")
    settings = GatewaySettings(base_url=sandbox.base_url, token="other")
    with GatewayClient(settings) as client, pytest.raises(AuthenticationError):
        DeliveryWatch(client, ids).look()


class Printed:
    """The gateway's printed answers as reports, changed where a test says."""

    def __init__(self, **changes):
        self.changes = changes

    def report_by_bulk(self, outbox_id):
        document = Path(__file__).parents[1] / "documents/report_by_bulk.response_200.json"
        record = json.loads(document.read_bytes())["data"]
        return {**record, "messages_outbox_id": str(outbox_id), **self.changes}

    def report_list(self, filters, *, page, limit):
        raise AssertionError("not asked for a list")

    def report_bulk_stats(self, outbox_id):
        raise AssertionError("not asked for counts")


def test_the_printed_record():
    """The documents' own record is read: sent, one recipient, its cost, its parts."""
    look = DeliveryWatch(Printed(), [5544778899]).look()

    assert {**ZEROS, "sent": 1, "cost": 1064.0, "parts": 1} == look.counts.as_dict()


@pytest.mark.parametrize("state", [10, "77", "archived", None])
def test_an_unknown_state_is_shown_and_never_fatal(state, caplog):
    """A state that the documents do not have is pending, and named in the log."""
    look = DeliveryWatch(Printed(state_id=state), [5544778899]).look()

    assert (look.done, look.failure, look.counts.pending) == (False, None, 1)
    assert f"{{'{state}': 1}}" in caplog.text


def test_the_gateways_words_are_told_without_what_is_private():
    """A comment that quotes text and number is shown without them."""
    reports = Printed(
        state_id=3, message="the secret text", reject_comment="the secret text to +989120000000!"
    )

    failure = str(DeliveryWatch(reports, [1]).look().failure)

    assert "… to …!" in failure
    assert "secret" not in failure
    assert "912" not in failure


@pytest.mark.parametrize(
    "changes",
    [{"rcpts_count": None, "cost": None, "part": None, "status": None, "number": ""}, {"cost": "x"}],
)
def test_fields_that_are_missing(changes):
    """A record that says less is one recipient, without cost, its parts counted from its text."""
    look = DeliveryWatch(Printed(**changes), [1]).look()

    assert {**ZEROS, "sent": 1, "parts": 1} == look.counts.as_dict()


@pytest.mark.parametrize("changes", [{"messages_outbox_id": None}, {"messages_outbox_id": "2"}])
def test_a_record_of_another_id_is_none(changes):
    """What the gateway answers for another id is not taken for this one's."""
    assert 1 == DeliveryWatch(Printed(**changes), [1]).look().counts.pending


def test_records_without_time_and_line():
    """Where records do not tell when and from where, the pages are asked for without a window."""

    class Bare(Printed):
        def report_list(self, filters, *, page, limit):
            self.filters = filters
            return Page(tuple(self.report_by_bulk(each) for each in range(1, 11)), 1, 1, 10)

    reports = Bare(time=None, number=None)

    assert 10 == DeliveryWatch(reports, range(1, 11)).look().counts.sent
    assert {} == reports.filters
