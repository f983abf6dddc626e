"""From checked rows to what arrived, over real HTTP: each message once, each row accounted for."""

import itertools
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    LedgerError,
    P2PSMSError,
    UnreachableError,
    UnsettledError,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.records import Intent
from airflow_provider_p2psms.rows import RowRules, check_rows, read_rows
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.payloads import PeerToPeer, PeerToPeerFile

from .conftest import Sending, entries, numbers

UNKNOWN_FAULTS = [
    "500_before",
    "500_after",
    "502_html",
    "garbage",
    "not_utf8",
    "truncated",
    "cut_before_answer",
    "cut_before_taken",
    "silence",
    "no_ids",
    "too_few_ids",
    "too_many_ids",
    "too_large",
    "partial",
]
REFUSING_FAULTS = [
    "refuse_400",
    "refuse_401",
    "refuse_403",
    "refuse_404",
    "refuse_409",
    "refuse_413",
    "refuse_422",
    "refuse_429",
]


@pytest.mark.parametrize("payload", [PeerToPeer(), PeerToPeerFile()])
def test_each_row_arrives_once(payload, send: Sending, sandbox: Sandbox):
    """Every row reaches its number with its own text, in as few requests as fit; the result counts them."""
    rows = [(number, f"متن {place}") for place, number in enumerate(numbers(25))]

    result = send(rows, payload=payload, batch_size=10)

    assert Counter(rows) == Counter((message.recipient, message.text) for message in sandbox.arrived)
    assert (25, 0, 0, 0, 3) == (
        result.accepted, result.already_accepted, result.invalid, result.duplicates, result.requests
    )  # fmt: skip
    assert ("+983000505", None, 25) == (result.from_number, result.send_time, result.parts)
    ids = {message.recipient: message.outbox_id for message in sandbox.arrived}
    assert [ids[number] for number, _ in rows] == result.message_outbox_ids


def test_the_same_text_is_one_group(send: Sending, sandbox: Sandbox):
    """Numbers with the same text share a group and its id; outcomes give each row that id."""
    one, two, three = numbers(3)

    result = send([(one, "a"), (two, "b"), (three, "a")])

    assert 2 == len(result.message_outbox_ids)
    first, second = result.message_outbox_ids
    assert [str(first), str(second), str(first)] == [row["outbox_id"] for row in send.outcomes]
    assert {one: first, two: second, three: first} == {m.recipient: m.outbox_id for m in sandbox.arrived}


def test_duplicates_go_once(send: Sending, sandbox: Sandbox):
    """The same text to the same number, however it is spelled, is sent once and counted."""
    result = send(
        [("09120000001", "hi"), ("+989120000001", "hi"), ("۹۱۲۰۰۰۰۰۰۱", "hi"), ("09120000001", "ho")]
    )

    assert (2, 2) == (result.accepted, result.duplicates)
    assert ["hi", "ho"] == sandbox.texts_arrived
    assert ["accepted", "duplicate", "duplicate", "accepted"] == [row["outcome"] for row in send.outcomes]


def test_duplicates_among_thousands_go_once(send: Sending, sandbox: Sandbox):
    """A row that stands again, just behind or a thousand rows on, is the only one that is left out."""
    rows = [(number, f"text {place}") for place, number in enumerate(numbers(2_500))]
    again = {700: 3, 1_001: 1_000, 1_800: 999, 2_499: 2_498}
    for place, earlier in again.items():
        rows[place] = rows[earlier]

    result = send(rows)

    assert (2_500 - len(again), len(again)) == (result.accepted, result.duplicates)
    assert Counter(set(rows)) == Counter((each.recipient, each.text) for each in sandbox.arrived)
    outcomes = [row["outcome"] for row in send.outcomes]
    assert list(again) == [place for place, outcome in enumerate(outcomes) if outcome == "duplicate"]


def test_duplicates_go_as_often_as_asked(send: Sending, sandbox: Sandbox):
    """With `drop_duplicates` off the gateway gets each."""
    send([("09120000001", "hi"), ("09120000001", "hi")], drop_duplicates=False)

    assert ["hi", "hi"] == sandbox.texts_arrived


def test_one_bad_row_holds_all_back(send: Sending, sandbox: Sandbox):
    """Nothing leaves while a row is bad; the error and the outcomes name it, and the good rows, too."""
    rows = [("09120000001", "hi"), ("0912", "hi"), ("09120000003", "")]

    with pytest.raises(InvalidMessageError) as caught:
        send(rows)

    assert 0 == sandbox.send_requests
    assert (2, [2, 3]) == (caught.value.count, [problem.row for problem in caught.value.problems])
    assert "2 bad rows of 3" in str(caught.value)
    assert ["refused", "invalid", "invalid"] == [row["outcome"] for row in send.outcomes]


def test_bad_rows_can_be_skipped(send: Sending, sandbox: Sandbox):
    """With `on_invalid="skip"` the good rows go and the bad ones are counted and written down."""
    result = send([("09120000001", "hi"), ("0912", "hi")], on_invalid="skip")

    assert (1, 1) == (result.accepted, result.invalid)
    assert ["hi"] == sandbox.texts_arrived
    assert ["accepted", "invalid"] == [row["outcome"] for row in send.outcomes]


def test_the_error_shows_the_first_hundred(send: Sending):
    """Of 200 bad rows a hundred are shown and all are counted; no digit of theirs is."""
    with pytest.raises(InvalidMessageError) as caught:
        send([(f"0912345{number:03d}", "hi") for number in range(200)])

    assert (200, 100) == (caught.value.count, len(caught.value.problems))
    assert "… and 100 more" in str(caught.value)
    assert "0912345" not in str(caught.value)


def test_outcomes_name_each_row_to_its_owner(send: Sending):
    """The key column stands in the outcomes as it was handed in."""
    rows = [{"recipient": number, "id": f"order {place}"} for place, number in enumerate(numbers(3))]

    send(rows, text="{id}", key_column="id")

    assert [("1", "order 0"), ("2", "order 1"), ("3", "order 2")] == [
        (row["row"], row["key"]) for row in send.outcomes
    ]


def test_no_rows_make_no_request(send: Sending, sandbox: Sandbox):
    """An empty send is a result of zeros."""
    result = send([])

    assert (0, 0, []) == (result.handed_in, result.requests, result.message_outbox_ids)
    assert 0 == sandbox.send_requests


@pytest.mark.parametrize(("guard", "limit"), [("max_recipients", 2), ("max_parts", 5)])
def test_a_guard_passed_sends_nothing(guard, limit, send: Sending, sandbox: Sandbox):
    """Above a guard nothing is sent, and the error names it with both numbers."""
    with pytest.raises(InvalidMessageError, match=guard):
        send([(number, "x" * 200) for number in numbers(3)], **{guard: limit})

    assert 0 == sandbox.send_requests
    assert {"refused"} == {row["outcome"] for row in send.outcomes}


@pytest.mark.sampled(11)
@pytest.mark.parametrize("payload", [PeerToPeer(), PeerToPeerFile()])
@pytest.mark.parametrize("fault", UNKNOWN_FAULTS)
def test_each_row_arrives_once_whatever_the_answer(fault, payload, send: Sending, sandbox: Sandbox):
    """After an answer that cannot be trusted the reports are asked; only what was not taken goes again."""
    sandbox.order_fault(fault, after=1)
    rows = [(number, f"text {number}") for number in numbers(40)]

    result = send(rows, payload=payload, batch_size=10, max_in_flight=2)

    assert Counter(rows) == Counter((message.recipient, message.text) for message in sandbox.arrived)
    ids = {message.recipient: message.outbox_id for message in sandbox.arrived}
    assert [ids[number] for number, _ in rows] == result.message_outbox_ids
    assert (40, 0) == (result.accepted, result.already_accepted)
    assert {"accepted": 40} == Counter(row["outcome"] for row in send.outcomes)


@pytest.mark.sampled(11)
@pytest.mark.parametrize("payload", [PeerToPeer(), PeerToPeerFile()])
@pytest.mark.parametrize("fault", UNKNOWN_FAULTS)
def test_without_reports_what_is_in_doubt_stays_so(fault, payload, send: Sending, sandbox: Sandbox):
    """A gateway without reports cannot settle it: nothing goes again, and each row is named."""
    sandbox.reports = False
    sandbox.order_fault(fault, after=1)
    rows = [(number, f"text {number}") for number in numbers(40)]

    with pytest.raises(UnsettledError) as caught:
        send(rows, payload=payload, batch_size=10, max_in_flight=1)

    assert 2 == sandbox.send_requests
    told = " ".join(caught.value.__notes__)
    assert "They are in doubt since 20" in told
    assert "10 recipients were accepted, 10 are in doubt, 20 were refused or not sent" in told
    assert ["accepted"] * 10 + ["in_doubt"] * 10 + ["refused"] * 20 == [
        row["outcome"] for row in send.outcomes
    ]
    assert {1} == set(Counter((m.recipient, m.text) for m in sandbox.arrived).values())


@pytest.mark.parametrize("fault", [*REFUSING_FAULTS, "status_false"])
def test_a_refusal_stops_the_send(fault, send: Sending, sandbox: Sandbox):
    """After a refusal nothing more leaves; what was accepted and what was not is told apart."""
    sandbox.order_fault(fault, after=1)

    with pytest.raises(GatewayRefusedError):
        send([(number, "hi") for number in numbers(30)], batch_size=10, max_in_flight=1)

    assert 2 == sandbox.send_requests
    assert 10 == len(sandbox.arrived)
    assert ["accepted"] * 10 + ["refused"] * 20 == [row["outcome"] for row in send.outcomes]


def test_what_is_under_way_is_recorded_when_another_fails(send: Sending, sandbox: Sandbox):
    """A failure waits for the requests beside it, and counts what they brought."""
    sandbox.latency_s = 0.05
    sandbox.order_fault("refuse_422")

    with pytest.raises(GatewayRefusedError):
        send([(number, "hi") for number in numbers(100)], batch_size=10, max_in_flight=4)

    outcomes = Counter(row["outcome"] for row in send.outcomes)
    assert 30 <= len(sandbox.arrived) == outcomes["accepted"] < 90
    assert 100 == outcomes["accepted"] + outcomes["refused"]


def test_a_gateway_that_is_not_there_is_tried_again(send: Sending):
    """What never left is tried a few times, then ends as unreachable: nothing was sent."""
    send.times = replace(send.times, connect_pause_s=0.01)
    nowhere = GatewayClient(GatewaySettings(base_url="http://127.0.0.1:1/v1", token="t"))

    with nowhere, pytest.raises(UnreachableError):
        send([("09120000001", "hi")], client=nowhere)

    assert ["refused"] == [row["outcome"] for row in send.outcomes]


class Late(PeerToPeer):
    """A payload whose first so many requests are too late to begin."""

    def __init__(self, requests: int) -> None:
        self._late = itertools.chain(itertools.repeat(True, requests), itertools.repeat(False))

    def send(self, client, batch, **how):
        return super().send(client, batch, **how | ({"start_by": 0.0} if next(self._late) else {}))


def test_a_request_that_is_late_gets_a_new_intent(send: Sending, sandbox: Sandbox):
    """A connection that took so long that its request may not begin any more is no reason to end the send."""
    send.times = replace(send.times, connect_attempts=1)
    rows = [(number, "hi") for number in numbers(30)]

    assert 30 == send(rows, batch_size=10, payload=Late(requests=2)).accepted
    assert 30 == len(sandbox.arrived)
    assert 3 == sandbox.send_requests


def test_a_request_that_is_always_late_ends_the_send(send: Sending, sandbox: Sandbox):
    """After a few rounds the try ends; nothing was sent, and a later try may."""
    send.times = replace(send.times, connect_attempts=1)

    with pytest.raises(UnreachableError):
        send([("09120000001", "hi")], payload=Late(requests=1_000))

    assert 0 == sandbox.send_requests


def test_stopping_lets_nothing_more_leave(send: Sending, sandbox: Sandbox):
    """Once stopped no new request leaves; those under way are finished and recorded."""

    def stop_at_the_third(_path):
        if sandbox.send_requests == 2:
            send.stop.set()

    sandbox.on_request(stop_at_the_third)

    with pytest.raises(P2PSMSError, match="stopped"):
        send([(number, "hi") for number in numbers(100)], batch_size=10, max_in_flight=1)

    outcomes = Counter(row["outcome"] for row in send.outcomes)
    assert 30 == len(sandbox.arrived) == outcomes["accepted"]
    assert 70 == outcomes["refused"]


def test_a_sender_sends_more_than_once(send: Sending, sandbox: Sandbox):
    """A run leaves its caller's stop as it was, so the next run sends what is new, and nothing twice."""
    sender = send.sender()
    first, both = [(number, "hi") for number in numbers(1)], [(number, "hi") for number in numbers(2)]

    assert 1 == sender.send(check_rows(read_rows(first), RowRules())).accepted
    assert not send.stop.is_set()
    assert 2 == sender.send(check_rows(read_rows(both), RowRules())).accepted
    assert 2 == len(sandbox.arrived) == sandbox.send_requests


# The signal may strike between the opening of a socket and whoever would close it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_waits_for_what_is_under_way(send: Sending, sandbox: Sandbox):
    """A time-out that strikes in the middle lets nothing more leave; what was under way is recorded."""

    def strike(*_):
        raise TimeoutError

    def strike_at_the_third(_path):
        if sandbox.send_requests == 2:
            os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, strike)
    sandbox.on_request(strike_at_the_third)
    rows = [(number, "hi") for number in numbers(100)]
    try:
        with pytest.raises(TimeoutError):
            send(rows, batch_size=10, max_in_flight=1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert 30 == len(sandbox.arrived) == Counter(row["outcome"] for row in send.outcomes)["accepted"]

    assert (100, 30) == ((result := send(rows)).accepted, result.already_accepted)
    assert 100 == len(sandbox.arrived)


def test_at_most_so_many_requests_at_once(send: Sending, sandbox: Sandbox):
    """`max_in_flight` requests are under way, never more, and more than one."""
    lock, current, seen = threading.Lock(), [0], []

    class Counted(PeerToPeer):
        def send(self, client, batch, **how):
            with lock:
                current[0] += 1
                seen.append(current[0])
            try:
                return super().send(client, batch, **how)
            finally:
                with lock:
                    current[0] -= 1

    sandbox.latency_s = 0.02
    send([(number, "hi") for number in numbers(200)], batch_size=10, max_in_flight=3, payload=Counted())

    assert 3 == max(seen)


def test_outcomes_that_cannot_be_written_hold_the_send_back(send: Sending, sandbox: Sandbox):
    """A path that cannot be written is found out before anything is sent."""

    def nowhere():
        raise PermissionError

    with pytest.raises(LedgerError, match="PermissionError"):
        send([("09120000001", "hi")], open_outcomes=nowhere)

    assert 0 == sandbox.send_requests


def test_outcomes_lost_after_the_send_are_written_by_the_next_try(send: Sending, sandbox: Sandbox):
    """If writing fails at the end, a later try sends nothing again and writes them."""
    calls = []

    def full():
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left")
        return send.open_outcomes()

    with pytest.raises(LedgerError, match="outcomes file cannot be written"):
        send([("09120000001", "hi")], open_outcomes=full)

    send([("09120000001", "hi")])
    assert 1 == sandbox.send_requests
    assert ["accepted"] == [row["outcome"] for row in send.outcomes]


def test_requests_keep_their_pace(send: Sending, sandbox: Sandbox):
    """With `requests_per_second` no request leaves before its turn, however many may be under way."""
    moments: list[float] = []
    sandbox.on_request(lambda _path: moments.append(time.monotonic()))
    start = time.monotonic()

    send([(number, "hi") for number in numbers(60)], batch_size=5, requests_per_second=20)

    assert 12 == len(moments)
    assert [] == [turn for turn, moment in enumerate(moments) if moment - start < turn / 20]


def test_a_slow_pace_outlasts_its_intents(send: Sending, sandbox: Sandbox):
    """Where a turn comes later than an intent lasts, the intent is written when it is near, and once."""
    send.times = replace(send.times, start_within_s=0.4)

    result = send([(number, "hi") for number in numbers(4)], batch_size=1, requests_per_second=1)

    assert (4, 4) == (result.accepted, sandbox.send_requests)
    assert 4 == sum(isinstance(entry, Intent) for entry in entries(send.store))


def test_a_busy_gateway_is_waited_for(send: Sending, sandbox: Sandbox):
    """A 503 in the gateway's own words took nothing: all requests wait as long as it asks."""
    sandbox.order_fault("busy")
    start = time.monotonic()

    result = send([(number, "hi") for number in numbers(30)], batch_size=10, max_in_flight=1)

    assert (30, 30, 4) == (result.accepted, len(sandbox.arrived), result.requests)
    assert time.monotonic() - start >= 1.0


def test_a_busy_proxy_is_not_believed(send: Sending, sandbox: Sandbox):
    """A 503 of a proxy, `Retry-After` or not, says nothing about the message: the reports are asked."""
    sandbox.order_fault("busy_html")

    assert 1 == send([("09120000001", "hi")]).accepted
    assert ["hi"] == sandbox.texts_arrived
    assert 1 == sandbox.send_requests


def test_a_gateway_that_stays_busy_ends_the_try(send: Sending, sandbox: Sandbox):
    """After a few rounds, and at once if it asks for more than minutes, the try ends; a later one goes on."""
    for _ in range(4):
        sandbox.order_fault("busy")

    with pytest.raises(UnreachableError):
        send([("09120000001", "hi")])
    assert [] == sandbox.arrived
    assert 1 == send([("09120000001", "hi")]).accepted


def test_nobody_waits_for_hours(send: Sending, sandbox: Sandbox):
    """A gateway that asks to wait longer than a worker should is left to a later try."""
    send.times = replace(send.times, longest_wait_s=0.5)
    sandbox.order_fault("busy")

    with pytest.raises(UnreachableError, match="asks to wait"):
        send([("09120000001", "hi")])
    assert 1 == sandbox.send_requests
    assert ["refused"] == [row["outcome"] for row in send.outcomes]
