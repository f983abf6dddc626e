"""What a later try sends: exactly what the ledger does not hold, whatever has changed since."""

import itertools
import logging
import random
import re
import threading
import time
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
    UnsettledError,
)
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.records import Intent, Settlement
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules
from airflow_provider_p2psms.sending.payloads import PeerToPeer, PeerToPeerFile
from airflow_provider_p2psms.sending.timing import Timing

from .conftest import Sending, entries, numbers

LINE = "+983000505"
ROWS = [(number, f"text {place}") for place, number in enumerate(numbers(60))]


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A request that nobody heard of again is over soon."""
    return replace(settings, connect_timeout_s=0.1, read_timeout_s=1.4)


@pytest.fixture(autouse=True)
def _short_requests(send: Sending):
    """Requests leave soon after their intents, or never."""
    send.times = replace(send.times, start_within_s=0.3)


def arrived(sandbox):
    return Counter((message.recipient, message.text) for message in sandbox.arrived)


def once(rows):
    return Counter(dict.fromkeys(rows, 1))


@pytest.fixture
def stopped(send: Sending, sandbox: Sandbox):
    """A first try that ended after about half of the rows."""
    sandbox.order_fault("refuse_422", after=3)
    with pytest.raises(GatewayRefusedError):
        send(ROWS, batch_size=10, max_in_flight=1)
    assert once(ROWS[:30]) == arrived(sandbox)
    return send


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[::-1], "30 recipients were accepted"),
        ([("12", "hello")], "1 bad row"),
        (ROWS[30:], "were accepted"),
    ],
    ids=["rows in another order", "bad rows", "without the rows that were sent"],
)
def test_a_failure_hands_on_the_ids(rows, told, stopped, sandbox: Sandbox):
    """A later try that fails has all ids that were accepted, in the order of its rows and of the ledger."""
    sandbox.order_fault("refuse_422")
    kept: list[list[int]] = []

    with pytest.raises(P2PSMSError) as failed:
        stopped(rows, keep_ids=kept.append)

    assert told in "\n".join((str(failed.value), *getattr(failed.value, "__notes__", ())))
    ids = {(message.recipient, message.text): message.outbox_id for message in sandbox.arrived}
    in_rows = [ids[row] for row in rows if row in ids]
    assert [[*in_rows, *(each for each in ids.values() if each not in in_rows)]] == kept


def test_a_success_hands_on_no_ids(send: Sending):
    """They are in its result."""
    kept: list[list[int]] = []
    send(ROWS, keep_ids=kept.append)
    assert [] == kept


def test_a_failed_map_index_hands_on_its_own_ids(send: Sending, sandbox: Sandbox):
    """Where map indexes share a ledger, one that fails names no message of another."""
    send(ROWS[:10], ledger=LedgerRules(store=send.store, owner="0"))
    sandbox.order_fault("refuse_422")
    kept: list[list[int]] = []

    with pytest.raises(GatewayRefusedError):
        send(ROWS[10:20], ledger=LedgerRules(store=send.store, owner="1"), keep_ids=kept.append)

    assert [[]] == kept


@pytest.mark.parametrize("payload", [PeerToPeer(), PeerToPeerFile()])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 1_000])
def test_the_rest_is_sent(payload, batch_size, stopped, sandbox: Sandbox):
    """A later try sends what is left, in batches of any size and in either form, and counts both."""
    result = stopped(ROWS, payload=payload, batch_size=batch_size)

    assert once(ROWS) == arrived(sandbox)
    assert (60, 30) == (result.accepted, result.already_accepted)
    ids = {message.recipient: message.outbox_id for message in sandbox.arrived}
    assert [ids[number] for number, _ in ROWS] == result.message_outbox_ids
    assert {"accepted": 60} == Counter(row["outcome"] for row in stopped.outcomes)


def test_order_additions_and_amendments(stopped, sandbox: Sandbox):
    """Rows in another order, with some added, removed and corrected: what is new goes, nothing goes twice."""
    rows = [*ROWS[5:], (ROWS[0][0], "corrected text"), *[(number, "new") for number in numbers(70)[60:]]]
    random.Random(1).shuffle(rows)

    result = stopped(rows)

    assert once([*ROWS, *rows]) == arrived(sandbox)
    assert (66, 25) == (result.accepted, result.already_accepted)


def test_a_finished_send_sends_nothing_again(send: Sending, sandbox: Sandbox):
    """Cleared after a success: no request, the same result, and it says so."""
    first = send(ROWS, batch_size=10)
    requests = len(sandbox.requests)

    again = send(ROWS, batch_size=10)

    assert requests == len(sandbox.requests)
    assert first.as_dict() | {"already_accepted": 60} == again.as_dict()
    assert {"accepted": 60} == Counter(row["outcome"] for row in send.outcomes)


def test_rows_added_to_a_finished_send_count_as_sent_once_they_are(send: Sending, sandbox: Sandbox):
    """The completion of an earlier try speaks of its own rows alone."""
    send(ROWS, batch_size=10)
    sandbox.order_fault("refuse_422", after=0)
    more = [*ROWS, *[(number, "new") for number in numbers(70)[60:]]]

    with pytest.raises(GatewayRefusedError) as refused:
        send(more)

    assert any("60 recipients were accepted" in note for note in refused.value.__notes__)
    assert 70 == send(more).accepted
    assert once(more) == arrived(sandbox)


def test_the_end_of_a_send_is_one_write(send: Sending):
    """What came of the last requests and the completion become durable together, and not before."""
    writes = []

    class Watched(MemoryStore):
        def write_all(self, records):
            super().write_all(records)
            writes.append(Counter(type(entry).__name__ for entry in entries(self)))

    ledger = LedgerRules(store=Watched(), report_lag_s=0.2)
    send(ROWS, batch_size=15, max_in_flight=4, ledger=ledger)

    all_of_it = {"Opening": 1, "Intent": 4, "Settlement": 4, "Completion": 1}
    assert {"Opening": 1, "Intent": 4} in writes
    assert all_of_it == writes[-1]
    assert 0 == sum("Completion" in each for each in writes[:-1])


def test_what_was_accepted_is_written_though_the_gateway_stands_still(
    send: Sending, sandbox: Sandbox, patient
):
    """Fast requests share their writes; where no further one is due, their receipts do not wait for it."""
    # No request is late on a busy machine: each settlement is that of an accepted message.
    send.times = replace(send.times, start_within_s=60.0, write_every_s=0.05)
    places, goes_on, all_written = itertools.count(1), threading.Event(), []

    class StandsStill(PeerToPeer):
        def send(self, client, batch, **how):
            if next(places) > 30:
                assert goes_on.wait(60)
            return super().send(client, batch, **how)

    class Watched(MemoryStore):
        def write_all(self, records):
            super().write_all(records)
            settled = [entry for entry in entries(self) if isinstance(entry, Settlement)]
            if len(settled) >= 30 and not goes_on.is_set():
                all_written.append(True)
                goes_on.set()

    send(ROWS, batch_size=1, client=patient, payload=StandsStill(), ledger=LedgerRules(store=Watched()))

    assert all_written
    assert once(ROWS) == arrived(sandbox)


def test_another_time_is_no_other_message(send: Sending, sandbox: Sandbox):
    """`send_time` is no part of what a message is known by."""
    send(ROWS)

    class Tomorrow:
        send_time = staticmethod(lambda now: "2030-01-01 00:00:00")

    assert 60 == send(ROWS, timing=Tomorrow()).already_accepted
    assert 1 == sandbox.send_requests


def test_copies_are_counted(send: Sending, sandbox: Sandbox):
    """With `drop_duplicates` off, a later try sends as many copies as are still missing."""
    sandbox.duplicate_window_s = 0
    one = [("+989120000001", "hi")]
    send(one * 2, drop_duplicates=False)

    assert (5, 2) == ((result := send(one * 5, drop_duplicates=False)).accepted, result.already_accepted)
    assert 5 == len(sandbox.arrived)


def test_another_line_is_another_message(send: Sending, sandbox: Sandbox):
    """The same text from another line is another message."""
    send(ROWS[:1])
    send(ROWS[:1], from_number="+981234567890")

    assert ["+983000505", "+981234567890"] == [message.from_number for message in sandbox.arrived]


class TestInDoubt:
    """A try that was cut off with a request under way; the next one settles it first."""

    @pytest.fixture
    def cut_off(self, send: Sending, sandbox: Sandbox):
        """A first try whose third request was taken, or not, and whose answer nobody read."""

        def cut(fault):
            sandbox.order_fault(fault, after=2)
            with pytest.raises(OutcomeUnknownError):
                send(ROWS, batch_size=10, max_in_flight=1, ledger=self.rules(send, on_in_doubt="fail"))
            return send

        return cut

    def rules(self, send, **options):
        options = {"try_number": send.tries + 1, "report_lag_s": 0.2, **options}
        return LedgerRules(store=send.store, **options)

    @pytest.mark.parametrize("fault", ["500_after", "500_before", "partial", "cut_before_answer"])
    def test_reports_settle_it(self, fault, cut_off, sandbox: Sandbox):
        """What was taken is recorded with its ids, and the rest is sent."""
        send = cut_off(fault)

        result = send(ROWS)

        assert once(ROWS) == arrived(sandbox)
        assert {"500_after": 30, "500_before": 20, "partial": 25, "cut_before_answer": 30}[fault] == (
            result.already_accepted
        )
        ids = {message.recipient: message.outbox_id for message in sandbox.arrived}
        assert [ids[number] for number, _ in ROWS] == result.message_outbox_ids

    def test_reports_that_lag_are_waited_for(self, cut_off, sandbox: Sandbox):
        """What the reports show only later is not sent again meanwhile."""
        sandbox.report_lag_s = 1.0
        send = cut_off("500_after")

        send(ROWS, ledger=self.rules(send, report_lag_s=1.5))

        assert once(ROWS) == arrived(sandbox)

    def test_a_stop_ends_the_questions(self, cut_off, sandbox: Sandbox):
        """Told to stop, it asks no further and settles nothing: the next try does."""
        send = cut_off("500_after")
        stop = threading.Event()
        inner = send.client.report_recipients

        def stopped(*args, **kwargs):
            stop.set()
            return inner(*args, **kwargs)

        send.client.report_recipients = stopped
        with pytest.raises(P2PSMSError, match="stopped"):
            send(ROWS, stop=stop, max_in_flight=1, ledger=self.rules(send))
        assert 3 == sandbox.send_requests

        send.client.report_recipients = inner
        assert 60 == send(ROWS).accepted
        assert once(ROWS) == arrived(sandbox)

    def test_without_reports_nothing_more_is_sent(self, cut_off, sandbox: Sandbox):
        """No later try sends anything while it stays in doubt, and each says so."""
        sandbox.reports = False
        send = cut_off("500_after")

        for _ in range(2):
            with pytest.raises(UnsettledError, match="question to the gateway's reports failed") as caught:
                send(ROWS)
            assert "20 recipients were accepted, 10 are in doubt, 30" in " ".join(caught.value.__notes__)
        assert 3 == sandbox.send_requests

    def test_resending_what_is_in_doubt(self, cut_off, sandbox: Sandbox):
        """`on_in_doubt="resend"` sends it, for whoever has looked and knows that it is not there."""
        sandbox.reports = False
        send = cut_off("500_before")

        send(ROWS, ledger=self.rules(send, on_in_doubt="resend"))

        assert once(ROWS) == arrived(sandbox)
        assert 60 == send(ROWS).already_accepted

    def test_a_429_says_that_it_was_taken(self, cut_off, sandbox: Sandbox):
        """Reports are later than believed: the 429 holds a second copy back, and the ids are found."""
        sandbox.report_lag_s = 3.0
        send = cut_off("500_after")
        send.times = replace(send.times, patience_s=30.0)

        result = send(ROWS, ledger=self.rules(send, report_lag_s=0.5))

        assert once(ROWS) == arrived(sandbox)
        assert 60 == result.accepted

    def test_a_429_for_what_was_never_tried_is_a_refusal(self, send: Sending, sandbox: Sandbox):
        """Somebody else sent the same a moment ago: refused, with what it means."""
        send(ROWS[:1])
        send.store = MemoryStore()

        with pytest.raises(GatewayRefusedError, match="40 seconds"):
            send(ROWS[:1])

        assert 1 == len(sandbox.arrived)

    def test_the_same_text_of_another_task_is_not_taken_for_ours(self, cut_off, sandbox: Sandbox):
        """Others sent our texts to other numbers in the same moments: ours are sent all the same."""
        send = cut_off("500_before")
        others = [Group([f"+98935{place:07d}"], text) for place, (_, text) in enumerate(ROWS)]
        send.client.send_peer_to_peer(others, from_number="+983000505")

        send(ROWS)

        assert once([*ROWS, *((group.recipients[0], group.message) for group in others)]) == arrived(sandbox)

    def test_a_row_that_is_gone_belongs_to_the_result(self, cut_off, sandbox: Sandbox):
        """Messages in doubt whose rows are no longer handed in are settled all the same, with their ids."""
        send = cut_off("500_after")
        gone = ROWS[20:25]

        result = send([row for row in ROWS if row not in gone])

        assert once(ROWS) == arrived(sandbox)
        assert 60 == result.accepted
        assert sorted(message.outbox_id for message in sandbox.arrived) == sorted(result.message_outbox_ids)
        assert 60 == send(ROWS).accepted
        assert once(ROWS) == arrived(sandbox)

    def test_a_row_that_is_gone_and_was_not_taken_fails_the_task(self, cut_off, sandbox: Sandbox):
        """It cannot be sent any more; that is said once, after all others were sent."""
        send = cut_off("500_before")
        left = [row for row in ROWS if row not in ROWS[20:25]]

        with pytest.raises(InvalidMessageError, match="5 messages of an earlier try were not sent"):
            send(left)
        assert once(left) == arrived(sandbox)
        assert 55 == send(left).accepted

    def test_a_group_that_the_report_shows_in_part_is_in_doubt_as_a_whole(
        self, send: Sending, sandbox: Sandbox
    ):
        """It was taken with all its recipients. None is settled alone: its record tells of the rest."""
        sandbox.recipient_left_out = True
        sandbox.order_fault("500_after")
        rows = [(number, "hello") for number, _ in ROWS[:3]]
        with pytest.raises(UnsettledError):
            send(rows)
        assert {"in_doubt": 3} == Counter(row["outcome"] for row in send.outcomes)

        sandbox.recipient_left_out = False
        assert 3 == send(rows).already_accepted
        assert 1 == sandbox.send_requests

    def test_ids_of_an_answer_are_looked_up_where_no_list_shows_them(self, send: Sending, sandbox: Sandbox):
        """The answer has an id too many, and the report's clock is hours ahead: each id is asked for."""
        sandbox.clock_offset_s = 10_800.0
        sandbox.order_fault("too_many_ids")

        ids = send(ROWS[:3], ledger=self.rules(send, report_lag_s=None)).message_outbox_ids

        assert [each.outbox_id for each in sandbox.arrived] == ids
        assert 1 == sandbox.send_requests

    def test_a_send_that_ends_beside_a_doubt_says_that_it_is_not_settled(
        self, send: Sending, sandbox: Sandbox
    ):
        """The gateway is too busy for the one batch that may leave meanwhile: a later try asks again."""
        sandbox.report_lag_s = 3_600.0
        sandbox.order_fault("500_after")
        sandbox.order_fault("busy", times=None)

        with pytest.raises(UnsettledError, match="ended before it could be settled") as caught:
            send(ROWS, batch_size=30, ledger=self.rules(send, report_lag_s=None))

        assert "30 are in doubt, 30 were refused or not sent" in " ".join(caught.value.__notes__)

    def test_a_message_leaves_twice_at_most(self, send: Sending, sandbox: Sandbox):
        """A message that was sent again once, and is in doubt again, waits for a person."""
        sandbox.order_fault("500_before", times=None)

        with pytest.raises(OutcomeUnknownError, match="a third time"):
            send(ROWS, ledger=self.rules(send, report_lag_s=0.0))
        assert 2 == sandbox.send_requests

        sandbox.clear_faults()
        assert 60 == send(ROWS, ledger=self.rules(send, on_in_doubt="resend")).accepted
        assert once(ROWS) == arrived(sandbox)


class TestScheduled:
    """A scheduled batch is lost; how the reports list scheduled messages decides what can be known."""

    @pytest.mark.parametrize("fault", ["500_after", "500_before"])
    @pytest.mark.parametrize(
        ("listed", "is_settled"), [("at_once", True), ("by_send_time", True), ("when_sent", False)]
    )
    def test_it_is_never_sent_twice(self, listed, is_settled, fault, send: Sending, sandbox: Sandbox):
        """Where scheduled messages are listed, another one is the witness; else it stays in doubt."""
        sandbox.scheduled_listed = listed
        sandbox.order_fault(fault, after=1)
        tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        timing, ledger = Timing(send_at_utc=tomorrow), LedgerRules(store=send.store)

        if is_settled:
            assert 60 == send(ROWS, batch_size=20, max_in_flight=1, timing=timing, ledger=ledger).accepted
            assert once(ROWS) == arrived(sandbox)
        else:
            with pytest.raises(UnsettledError):
                send(ROWS, batch_size=20, max_in_flight=1, timing=timing, ledger=ledger)
            assert {1} == set(arrived(sandbox).values())

    @pytest.mark.parametrize("listed", ["at_once", "by_send_time"])
    def test_the_users_word_is_not_enough_where_it_is_listed_by_its_time(
        self, listed, send: Sending, sandbox: Sandbox
    ):
        """With `report_lag` a lone batch that was taken is found, or stays in doubt; it never goes twice."""
        sandbox.scheduled_listed = listed
        sandbox.order_fault("500_after")
        timing = Timing(send_at_utc=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5))

        with suppress(UnsettledError):
            send(ROWS, timing=timing, ledger=LedgerRules(store=send.store, report_lag_s=0.2))
        assert once(ROWS) == arrived(sandbox)


class TestFiles:
    """The ledger in files."""

    def rules(self, folder: Path, try_number: int, **options):
        return LedgerRules(store=ObjectStore(folder), try_number=try_number, report_lag_s=0.2, **options)

    def test_a_lost_folder_is_in_doubt(self, send: Sending, sandbox: Sandbox, tmp_path):
        """A later try that finds no ledger sends nothing: nobody knows what was sent."""
        send(ROWS, ledger=self.rules(tmp_path / "a", 1))

        with pytest.raises(OutcomeUnknownError, match="ledger_path"):
            send(ROWS, ledger=self.rules(tmp_path / "b", 2, must_exist=True))

        assert 1 == sandbox.send_requests

    def test_an_old_try_sends_nothing_more(self, send: Sending, sandbox: Sandbox, tmp_path):
        """Once a newer try has begun the old one, still alive, lets nothing leave: neither twice nor lost."""
        sandbox.latency_s = 0.05

        class Replaced(PeerToPeer):
            def send(self, client, batch, **how):
                ids = super().send(client, batch, **how)
                if sandbox.send_requests == 3:
                    send(ROWS, batch_size=10, ledger=rules(tmp_path, 2))
                return ids

        rules = self.rules
        with pytest.raises(ReplacedError, match="newer try"):
            send(ROWS, batch_size=10, max_in_flight=1, payload=Replaced(), ledger=rules(tmp_path, 1))

        assert once(ROWS) == arrived(sandbox)
        # What the newer one wrote stands: the old one knows less.
        assert {"accepted": 60} == Counter(row["outcome"] for row in send.outcomes)


class TestFaultsOfOurOwn:
    """What is not the gateway's fault ends a try, too, and the next one goes on."""

    def test_a_ledger_that_fails(self, send: Sending, sandbox: Sandbox):
        """Nothing leaves on top of a record that was not written; what had left is settled by the reports."""

        class Disk(MemoryStore):
            fails = True

            def write(self, key, value):
                if self.fails and sandbox.arrived:
                    raise LedgerError("The disk is full.")
                super().write(key, value)

        send.store = disk = Disk()
        with pytest.raises(LedgerError, match="full"):
            send(ROWS, batch_size=5, max_in_flight=1)
        assert 0 < len(sandbox.arrived) < 60

        disk.fails = False
        assert 60 == send(ROWS).accepted
        assert once(ROWS) == arrived(sandbox)

    def test_an_error_while_a_request_is_under_way(self, send: Sending, sandbox: Sandbox):
        """Whatever it is, it says nothing about the messages: they are in doubt, and looked for."""

        class Faulty(PeerToPeer):
            def send(self, client, batch, **how):
                super().send(client, batch, **how)
                raise RuntimeError("a bug")

        with pytest.raises(OutcomeUnknownError):
            send(ROWS, payload=Faulty(), ledger=LedgerRules(store=send.store, on_in_doubt="fail"))
        assert {"in_doubt": 60} == Counter(row["outcome"] for row in send.outcomes)

        assert 60 == send(ROWS).already_accepted
        assert once(ROWS) == arrived(sandbox)

    def test_a_time_that_comes_too_near(self, send: Sending, sandbox: Sandbox):
        """A long send asks again for every batch whether its time can still be scheduled."""

        class Nearing(Timing):
            def send_time(self, now):
                if sandbox.send_requests == 2:
                    raise InvalidMessageError("send_time is less than 5 minutes ahead.")

        with pytest.raises(InvalidMessageError, match="5 minutes"):
            send(ROWS, timing=Nearing(), batch_size=10, max_in_flight=1)
        assert {"accepted": 20, "refused": 40} == Counter(row["outcome"] for row in send.outcomes)

        assert 60 == send(ROWS).accepted
        assert once(ROWS) == arrived(sandbox)

    def test_a_time_that_is_too_near_once_its_intent_is_written(self, send: Sending, sandbox: Sandbox):
        """Nothing leaves; the intent counts as one for later, whose messages a report may list otherwise."""
        asked = []

        class Nearing(Timing):
            def send_time(self, now):
                asked.append(now)
                if len(asked) > 1:
                    raise InvalidMessageError("send_time is less than 5 minutes ahead.")

        with pytest.raises(InvalidMessageError, match="5 minutes"):
            send(ROWS, timing=Nearing())
        assert 0 == sandbox.send_requests
        assert [True] == [each.is_scheduled for each in entries(send.store) if isinstance(each, Intent)]

    def test_a_long_send_says_how_far_it_is(self, send: Sending, sandbox: Sandbox, caplog):
        """With counts and a rate, and no number or text."""
        send.times = replace(send.times, progress_every_s=0.01)
        caplog.set_level(logging.INFO)
        sandbox.latency_s = 0.02

        send(ROWS, batch_size=20, max_in_flight=1)

        [*_, last] = [line for line in caplog.messages if line.startswith("Sent ")]
        assert re.fullmatch(r"Sent \d+ of 60 recipients \(\d+ %\), [\d,]+/s, [\d,]+ s left\.", last)
        assert ROWS[0][0] not in caplog.text


def test_a_ledger_of_format_1_goes_on(send: Sending, sandbox: Sandbox):
    """It has digests of texts as they were typed; this version knows them by folded texts otherwise."""
    rows = [(number, f"سلام علي {place}") for place, number in enumerate(numbers(5))]  # its ya is Arabic
    ids = send.client.send_peer_to_peer(
        [Group([number], text) for number, text in rows[:2]], from_number=LINE
    )
    at = time.time()
    intents = [
        Intent(place, at - 1, at, LINE, old_digest(rows[place], scope="old run"), offset=0.001)
        for place in (0, 1)
    ]
    settlement = Settlement("1-0123abcd", 0, b64encode(zigzag(ids.outbox_ids[0])).decode(), at)
    send.store.write("p2psms.1-0123abcd.0", msgspec.to_builtins([*intents, settlement]))
    rules = LedgerRules(store=send.store, scope="run", old_scope="old run", try_number=2, report_lag_s=0.2)

    result = send(rows, ledger=rules)

    assert (5, 2) == (result.accepted, result.already_accepted)
    assert once(rows) == arrived(sandbox)


def old_digest(row: tuple[str, str], *, scope: str) -> str:
    own = blake2b(f"{scope}\0{LINE}".encode(), digest_size=32).digest()
    digest = blake2b("\0".join(row).encode(), salt=own[:16], person=own[16:], digest_size=12).digest()
    return b64encode(digest).decode()


def zigzag(number: int) -> bytes:
    """Write one id as format 1 does: doubled, since steps may be negative, and seven bits a byte."""
    packed, rest = bytearray(), 2 * number
    while rest > 127:
        packed.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*packed, rest])
