"""Ledgers in several places, as after a change of settings: read as one, written where their intents lie."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_p2psms.errors import OutcomeUnknownError, P2PSMSError, ReplacedError
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.digest import Digests
from airflow_provider_p2psms.ledger.ledger import Ledger, read_history
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules, Place
from airflow_provider_p2psms.sending.payloads import PeerToPeerFile

from .conftest import Sending, numbers

ROWS = [(number, f"text {place}") for place, number in enumerate(numbers(30))]


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A request that nobody heard of again is over soon."""
    return replace(settings, connect_timeout_s=0.1, read_timeout_s=1.4)


@pytest.fixture(autouse=True)
def _short_requests(send: Sending):
    """Requests leave soon after their intents, or never."""
    send.times = replace(send.times, start_within_s=0.3)


@pytest.fixture
def new():
    """The store that a changed setting names."""
    return MemoryStore()


@pytest.fixture
def go_on(send: Sending, new):
    """Send with the ledger in the new store; the store of the earlier tries is the other place."""

    def go_on(rows=ROWS, *, others=None, **options):
        rules = {
            "try_number": send.tries + 1,
            "report_lag_s": 0.2,
            "must_exist": True,
            "others": [Place(send.store)] if others is None else others,
            **options,
        }
        return send(rows, batch_size=10, max_in_flight=1, ledger=LedgerRules(store=new, **rules))

    return go_on


def begin(send, sandbox, fault):
    """Let a first try with the earlier settings end at its second batch, in doubt."""
    sandbox.order_fault(fault, after=1)
    rules = LedgerRules(store=send.store, on_in_doubt="fail")
    with pytest.raises(OutcomeUnknownError):
        send(ROWS, batch_size=10, max_in_flight=1, ledger=rules)


def arrived(sandbox):
    return Counter((message.recipient, message.text) for message in sandbox.arrived)


@pytest.mark.parametrize(("fault", "taken"), [("500_after", 20), ("partial", 15), ("500_before", 10)])
def test_a_doubt_of_the_other_place_is_settled_there(
    fault, taken, send: Sending, sandbox: Sandbox, new, go_on
):
    """What the reports show is written where the intent lies; the rest is sent once, by the new ledger."""
    begin(send, sandbox, fault)

    result = go_on()

    assert Counter(ROWS) == arrived(sandbox)
    assert (len(ROWS), taken) == (result.accepted, result.already_accepted)
    assert [] == read_history(send.store, "p2psms")[0].doubts
    # What was accepted before stays in the other place, what leaves now stands in the new one.
    assert taken == len(read_history(send.store, "p2psms")[0].accepted)
    assert len(ROWS) - taken == len(read_history(new, "p2psms")[0].accepted)


def test_a_further_try_sends_nothing(send: Sending, sandbox: Sandbox, go_on):
    """Both places together hold all that was sent."""
    begin(send, sandbox, "500_before")
    first = go_on()
    requests = sandbox.send_requests

    again = go_on()

    assert requests == sandbox.send_requests
    assert (len(ROWS), first.message_outbox_ids) == (again.already_accepted, again.message_outbox_ids)


def test_the_places_may_change_back(send: Sending, sandbox: Sandbox, new, go_on):
    """With the earlier setting again nothing is sent twice either."""
    begin(send, sandbox, "500_after")
    go_on()
    back = LedgerRules(store=send.store, try_number=3, report_lag_s=0.2, must_exist=True, others=[Place(new)])

    assert len(ROWS) == send(ROWS, ledger=back).already_accepted
    assert Counter(ROWS) == arrived(sandbox)


def test_what_no_report_shows_stays_in_doubt_in_both_places(send: Sending, sandbox: Sandbox, new, go_on):
    """While the reports fail, a lost answer of before keeps its intent, and is settled by a later try."""
    begin(send, sandbox, "500_after")
    sandbox.order_fault("500_before", path="/api/report/new_list", times=None)

    with pytest.raises(P2PSMSError):
        go_on(report_lag_s=None)

    assert 10 == sum(len(doubt.digests) for doubt in read_history(send.store, "p2psms")[0].doubts)
    sandbox.clear_faults()
    assert len(ROWS) == go_on().accepted
    assert Counter(ROWS) == arrived(sandbox)


@pytest.mark.parametrize("fault", ["no_ids", "500_after"])
def test_what_leaves_again_without_an_answer_to_trust(fault, send: Sending, sandbox: Sandbox, go_on):
    """What an earlier try could not send leaves once more; the reports settle that lost answer, too."""
    begin(send, sandbox, "500_before")
    sandbox.order_fault(fault)

    assert len(ROWS) == go_on().accepted

    assert Counter(ROWS) == arrived(sandbox)


@pytest.mark.parametrize("where", ["new", "other"])
def test_a_newer_try_in_either_place_stops_an_older_one(where, send: Sending, sandbox: Sandbox, tmp_path):
    """A try whose successor has begun in one of its places sends nothing more."""
    places = {"new": ObjectStore(tmp_path / "new"), "other": ObjectStore(tmp_path / "other")}
    send.store = places["other"]
    begin(send, sandbox, "500_before")
    opened = LedgerRules(store=places["new"], try_number=2, others=[Place(places["other"])]).open()
    assert opened.ledger.is_owner()

    Ledger(places[where], name="p2psms", try_number=3).open(must_exist=False)

    assert not opened.ledger.is_owner()
    with pytest.raises(ReplacedError):
        send(ROWS, ledger=opened)
    assert 10 == len(sandbox.arrived)


def test_a_try_that_finds_no_place_sends_nothing(send: Sending, sandbox: Sandbox, go_on):
    """A later try that must find a ledger, and finds none in any place, is in doubt."""
    with pytest.raises(OutcomeUnknownError, match="finds no ledger"):
        go_on(others=[Place(MemoryStore())], try_number=2)

    assert [] == sandbox.arrived


def test_a_message_that_the_other_place_knows_as_accepted_is_no_doubt(
    send: Sending, sandbox: Sandbox, new, go_on
):
    """An intent whose messages another place knows as accepted needs no report."""
    begin(send, sandbox, "500_after")
    go_on()
    asked = len(sandbox.requests)
    lost = MemoryStore()
    digests = list(read_history(send.store, "p2psms")[0].accepted)

    earlier = Ledger(lost, name="p2psms", try_number=1)
    earlier.open(must_exist=False)
    earlier.intend(Digests.of(digests), sender="+983000505", at=1.0, until=2.0)
    earlier.flush()
    result = go_on(others=[Place(send.store), Place(lost)])

    assert len(ROWS) == result.already_accepted
    assert not any("report" in request.path for request in sandbox.requests[asked:])


def test_doubts_of_another_map_index_count_where_its_rows_are_ours_now(send: Sending, sandbox: Sandbox, new):
    """Map indexes share a ledger: rows that moved to another one are settled there before they may leave."""
    sandbox.order_fault("500_after")
    theirs = LedgerRules(store=new, owner="0", on_in_doubt="fail")
    with pytest.raises(OutcomeUnknownError):
        send(ROWS[:10], ledger=theirs)

    ours = LedgerRules(store=new, owner="1", report_lag_s=0.2)
    result = send(ROWS[5:20], ledger=ours)

    assert Counter(ROWS[:20]) == arrived(sandbox)
    assert 15 == result.accepted
    assert [] == LedgerRules(store=new, owner="1", try_number=2).open().own_ids()


def test_doubts_of_another_map_index_are_its_own(send: Sending, sandbox: Sandbox, new):
    """Where no row of ours is among them, another map index settles them itself."""
    sandbox.order_fault("500_after")
    theirs = LedgerRules(store=new, owner="0", on_in_doubt="fail")
    with pytest.raises(OutcomeUnknownError):
        send(ROWS[:10], ledger=theirs)

    assert 20 == send(ROWS[10:], ledger=LedgerRules(store=new, owner="1", report_lag_s=0.2)).accepted
    assert 10 == sum(len(doubt.digests) for doubt in read_history(new, "p2psms")[0].doubts)


def test_records_of_another_map_index_that_cannot_be_read_meanwhile(
    send: Sending, sandbox: Sandbox, new, caplog
):
    """They only save questions: the gateway's reports settle what is in doubt without them."""
    caplog.set_level("INFO")
    send(ROWS[:10], ledger=LedgerRules(store=new, owner="0"))
    theirs = new.keys("p2psms")
    ours = LedgerRules(store=new, owner="1", report_lag_s=0.2).open()
    for key in theirs:
        new.write(key, ["damaged"])
    sandbox.order_fault("500_after")

    assert 10 == send(ROWS[10:20], ledger=ours).accepted
    assert 2 == sandbox.send_requests
    assert "The ledger could not be read again" in caplog.text


def test_a_large_request_of_an_earlier_try_is_one_request(send: Sending, sandbox: Sandbox, patient):
    """An intent holds 2,000 messages; those of one request are settled together, and leave together."""
    rows = [(number, f"text {place}") for place, number in enumerate(numbers(4_500))]
    form: dict[str, Any] = {"payload": PeerToPeerFile(), "batch_size": 4_500, "client": patient}
    sandbox.order_fault("500_before")
    with pytest.raises(OutcomeUnknownError):
        send(rows, **form, ledger=LedgerRules(store=send.store, on_in_doubt="fail"))

    assert len(rows) == send(rows, **form).accepted

    assert 2 == sandbox.send_requests
    assert Counter(rows) == arrived(sandbox)
