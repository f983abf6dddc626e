"""One ledger over its tries: what each finds of those before it, and who may still send."""

import json
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import LedgerError, OutcomeUnknownError, ReplacedError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, NO_DIGEST, Digester, Digests
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import (
    ABSENT,
    MOST_BYTES,
    NOT_TAKEN,
    UNSETTLED,
    Claim,
    Completion,
    Intent,
    Opening,
    Settlement,
    Witness,
    pack_ids,
    seal,
    size,
    unseal,
)
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore

ALL = [bytes([number]) * DIGEST_BYTES for number in range(1, 7)]


def begin(store, try_number=1, *, must_exist=False, owner=""):
    ledger = Ledger(store, name="p2psms", try_number=try_number, owner=owner)
    return ledger, ledger.open(must_exist=must_exist)


def intend(ledger, digests, *, at=100.0, until=200.0, **more):
    doubts = ledger.intend(Digests.of(digests), sender="+983000505", at=at, until=until, **more)
    ledger.flush()
    return doubts


def accept(ledger, digests, ids, **intent):
    doubts = intend(ledger, digests, **intent)
    ledger.settle(doubts, Digests.of(digests), ids, at=150.0, offset=2.0)
    ledger.flush()


def test_the_next_try_finds_what_the_last_one_left():
    """Accepted with its id, not taken, and in doubt: each as it was noted."""
    store = MemoryStore()
    ledger, fresh = begin(store)
    [doubt] = intend(ledger, ALL[:3])
    ledger.settle([doubt], Digests.of(ALL[:2]), [7, NOT_TAKEN])
    ledger.flush()

    _, history = begin(store, 2)

    assert not fresh.accepted
    assert not fresh.doubts
    assert {ALL[0]: 7} == history.accepted
    assert {ALL[1]} == history.not_taken
    assert [[NO_DIGEST, NO_DIGEST, ALL[2]]] == [list(each.digests) for each in history.doubts]


@pytest.mark.parametrize("store", [MemoryStore(), "files"])
def test_no_store_is_believed_to_be_new_on_a_later_try(store, tmp_path):
    """An empty one may have been emptied: a later try that finds nothing is in doubt everywhere."""
    store = ObjectStore(tmp_path) if store == "files" else store

    with pytest.raises(OutcomeUnknownError, match=r"(?s)Try 2.*resend"):
        begin(store, 2, must_exist=True)
    assert [] == store.keys("p2psms")


def test_what_was_not_flushed_is_not_there():
    """Noted is not written."""
    store = MemoryStore()
    ledger, _ = begin(store)
    ledger.intend(Digests.of(ALL), sender="", at=0.0, until=1.0)

    assert [] == begin(store, 2)[1].doubts


def test_a_large_send_takes_many_small_records():
    """No record is larger than Airflow's API shows, and nothing is lost between two of them."""
    store = MemoryStore()
    ledger, _ = begin(store)
    digests = [number.to_bytes(DIGEST_BYTES, "big") for number in range(1, 25_001)]
    for start in range(0, 25_000, 5_000):
        some = digests[start : start + 5_000]
        ledger.settle(intend(ledger, some), Digests.of(some), range(start + 1, start + 5_001))
    ledger.flush()

    _, history = begin(store, 2)

    assert {digest: number for number, digest in enumerate(digests, 1)} == history.accepted
    assert not history.doubts
    assert MOST_BYTES + 5_000 > max(len(str(record)) for record in store.records.values())


def test_a_message_in_doubt_twice_is_with_the_request_that_is_over_last():
    """Whatever the order in which journals are found."""
    store = MemoryStore()
    old, _ = begin(store)
    begin(store, 2)
    intend(old, ALL[:2], until=900.0)
    new, _ = begin(store, 3)
    intend(new, ALL[:3], until=500.0)

    _, history = begin(store, 4)

    assert [(500.0, [NO_DIGEST, NO_DIGEST, ALL[2]]), (900.0, [ALL[0], ALL[1]])] == sorted(
        (each.until, list(each.digests)) for each in history.doubts
    )


def test_what_was_sent_again_and_accepted_is_in_doubt_no_more():
    """Wherever it was accepted: nothing is looked for that has an id."""
    store = MemoryStore()
    old, _ = begin(store)
    intend(old, ALL[:2])
    new, _ = begin(store, 2)
    accept(new, ALL[:2], [1, 2])
    new.flush()

    assert not begin(store, 3)[1].doubts


def test_what_is_settled_twice_is_settled():
    """An old try writes late what came of its request, and its successor has found that out already."""
    store = MemoryStore()
    old, _ = begin(store)
    [doubt] = intend(old, ALL[:2])
    new, _ = begin(store, 2)
    for ledger in (new, old):
        ledger.settle([doubt], Digests.of(ALL[:2]), [1, 2])
        ledger.flush()

    _, history = begin(store, 3)

    assert {ALL[0]: 1, ALL[1]: 2} == history.accepted
    assert not history.doubts


class TestOwner:
    """Files stop nobody: who was replaced has to find out."""

    @pytest.fixture
    def store(self, tmp_path):
        return ObjectStore(tmp_path, patience_s=0.0)

    def test_a_newer_try_replaces_an_older_one(self, store):
        """The old one is no owner from the moment the new one has opened the ledger."""
        old, _ = begin(store)
        assert old.is_owner()

        new, _ = begin(store, 2)

        assert new.is_owner()
        assert not old.is_owner()

    def test_a_try_that_begins_late_gives_way(self, store):
        """It stood still before it opened the ledger, and its retry was faster: it does not begin."""
        new, _ = begin(store, 2)

        with pytest.raises(ReplacedError, match="newer try"):
            begin(store, 1)
        assert new.is_owner()

    def test_the_same_number_twice(self, store):
        """A try that is started twice has two journals; the later one goes on with what the other left."""
        first, _ = begin(store)
        intend(first, ALL[:1])

        second, history = begin(store)
        intend(first, ALL[1:2])

        assert (False, True) == (first.is_owner(), second.is_owner())
        assert [[ALL[0]]] == [list(each.digests) for each in history.doubts]
        assert {(ALL[0],), (ALL[1],)} == {tuple(each.digests) for each in begin(store, 2)[1].doubts}

    def test_a_run_that_is_made_anew(self, store):
        """Its tries are counted from 1 again, and go on with what those before left."""
        for number in (1, 2, 3):
            ledger, _ = begin(store, number)
            [doubt] = intend(ledger, ALL[number : number + 1])
            ledger.settle([doubt], Digests(ALL[number]), [number])
            ledger.flush()

        again, history = begin(store, 1)

        assert {ALL[number]: number for number in (1, 2, 3)} == history.accepted
        assert (False, True) == (ledger.is_owner(), again.is_owner())

    @pytest.mark.parametrize("try_number", [2, 3])
    def test_a_folder_that_is_empty_where_it_must_not_be(self, store, try_number):
        """No try that finds nothing takes that for a beginning, nor does it make one for the next."""
        for number in range(2, try_number + 1):
            with pytest.raises(OutcomeUnknownError, match="died before it began one"):
                begin(store, number, must_exist=True)


def test_what_an_old_try_learns_late_counts():
    """A report did not show them, and then the answer came after all: the ids stand."""
    store = MemoryStore()
    old, _ = begin(store)
    doubts = intend(old, ALL[:2])
    new, _ = begin(store, 2)
    new.settle(doubts, Digests.of(ALL[:2]), [ABSENT, ABSENT])
    new.flush()
    old.settle(doubts, Digests.of(ALL[:2]), [1, UNSETTLED])
    old.flush()

    _, history = begin(store, 3)

    assert ({ALL[0]: 1}, {ALL[1]}, []) == (history.accepted, history.absent, history.doubts)


def test_what_is_known_of_a_request_in_doubt_is_kept():
    """Gateway, account, clock, kind, and all that was claimed of its answer; the later end counts."""
    store = MemoryStore()
    ledger, _ = begin(store)
    doubts = intend(
        ledger, ALL[:2], gateway="https://a", account="b", offset=3.5, is_scheduled=True, is_witness=True
    )
    ledger.claim(doubts, over=120.0)
    ledger.claim(doubts, over=110.0, said_taken=True, answer_ids=range(1, 3_001))
    ledger.claim(doubts, over=130.0, answer_ids=[3_000, 2**63 - 1])
    ledger.flush()

    [doubt] = begin(store, 2)[1].doubts

    assert ("https://a", "b", 3.5, True, True) == (
        doubt.gateway,
        doubt.account,
        doubt.offset,
        doubt.is_scheduled,
        doubt.is_witness,
    )
    assert (130.0, True, (*range(1, 3_001), 2**63 - 1), 3) == (
        doubt.over,
        doubt.said_taken,
        doubt.answer_ids,
        doubt.format,
    )


def test_origins_are_those_of_messages_that_were_or_may_have_been_taken():
    """What was certainly not taken says nothing about a gateway; nor does an intent that names none."""
    store = MemoryStore()
    ledger, _ = begin(store)
    accept(ledger, ALL[:1], [1], gateway="https://accepted", account="1")
    accept(ledger, ALL[1:2], [NOT_TAKEN], gateway="https://refused", account="2")
    accept(ledger, ALL[2:3], [4])
    intend(ledger, ALL[3:4], gateway="https://open", account="3")

    assert {("https://accepted", "1"), ("https://open", "3")} == begin(store, 2)[1].origins


def test_receipts_are_the_latest_ids_that_answers_gave():
    """First and last id of the latest settlements; none of those that a report settled."""
    store = MemoryStore()
    ledger, _ = begin(store)
    for place in range(5):
        accept(ledger, ALL[place : place + 1], [place + 1], at=100.0 + place, is_scheduled=place == 4)
    accept(ledger, ALL[5:], [NOT_TAKEN])
    doubts = intend(ledger, ALL[:2])
    ledger.settle(doubts, Digests.of(ALL[:2]), [11, 12])
    accept(ledger, ALL[:3], [NOT_TAKEN, 21, 22], at=140.0)

    receipts = begin(store, 2)[1].receipts

    assert [1, 2, 3, 4, 5, 21, 22] == [receipt.outbox_id for receipt in receipts]
    assert [(5, 104.0, 150.0, 2.0, True), (21, 140.0, 150.0, 2.0, False)] == [
        tuple(receipt) for receipt in receipts[4:6]
    ]


@pytest.mark.parametrize(
    ("notes", "left"),
    [
        ([(0, 1.0, False)], [(0, 1.0)]),
        ([(0, 1.0, False), (7, 1.0, False)], [(7, 1.0)]),
        ([(7, 1.0, False), (0, 1.0, True)], []),
        ([(7, 1.0, False), (7, 9.0, True)], []),
        ([(0, 1.0, True), (0, 2.0, False)], [(0, 2.0)]),
    ],
)
def test_a_witness_is_open_until_it_is_cancelled(notes, left):
    """It is known by the time at which it was about to leave, and by its id once there is one."""
    store = MemoryStore()
    ledger, _ = begin(store)
    for outbox_id, at, cancelled in notes:
        ledger.note_witness(outbox_id, at=at, cancelled=cancelled)
    ledger.flush()

    assert left == begin(store, 2)[1].witnesses


def test_a_store_that_fences_is_not_asked_for_the_owner():
    """It stops an old try itself: its writes fail."""
    store = MemoryStore()
    ledger, _ = begin(store)
    begin(store, 2)

    assert ledger.is_owner()


class TestOwners:
    """Several map indexes share a ledger: each replaces its own tries alone, and sees what all sent."""

    @pytest.fixture
    def store(self, tmp_path):
        return ObjectStore(tmp_path, patience_s=0.0)

    def test_an_owner_replaces_its_own_tries(self, store):
        """Others go on."""
        (first, _), (second, _) = begin(store, owner="0"), begin(store, owner="1")

        begin(store, 2, owner="1", must_exist=True)

        assert (True, False) == (first.is_owner(), second.is_owner())

    def test_all_see_what_was_sent(self, store):
        """Accepted and open messages of all; the completion is of this owner."""
        first, _ = begin(store, owner="0")
        accept(first, ALL[:2], [1, 2])
        first.close(Completion(1, None))
        first.flush()
        second, _ = begin(store, owner="1")
        intend(second, ALL[2:3])
        second.close(Completion(2, None))
        second.flush()

        _, history = begin(store, 2, owner="0")

        assert {ALL[0]: 1, ALL[1]: 2} == history.accepted
        assert ["1"] == [doubt.writer.partition(".")[0] for doubt in history.doubts]
        assert Completion(1, None) == history.completion

    def test_another_owner_s_journal_is_no_proof(self, store):
        """A later try whose own earlier ones left nothing is refused, whatever others wrote."""
        begin(store, owner="0")

        with pytest.raises(OutcomeUnknownError, match="resend"):
            begin(store, 2, owner="1", must_exist=True)


def old_digests(*digests):
    """Write digests as formats 1 and 2 do: each has four bytes more."""
    return b64encode(b"".join(digest + b"more" for digest in digests)).decode()


def old_ids(*steps):
    """Write small ids as formats 1 and 2 do: the differences, twice as large, and odd if negative."""
    return b64encode(bytes(step * 2 if step >= 0 else -step * 2 - 1 for step in steps)).decode()


class TestFormat2:
    """A ledger that the version before has written: digests of 12 bytes, all entries in segments."""

    @pytest.fixture
    def store(self):
        store = MemoryStore()
        store.records = json.loads(Path(__file__).with_name("format_2.json").read_text(encoding="utf-8"))
        return store

    def test_it_is_read(self, store):
        """Nothing of it is sent again, and what is in doubt stays so."""
        digester = Digester(scope="dag/run/task", sender="+983000505")
        ours = digester([f"+98912123456{number}\0hi".encode() for number in range(8)])

        history = begin(store, 2, must_exist=True)[1]

        assert {ours[0]: 71, ours[1]: 72, ours[2]: 90} == history.accepted
        assert ({ours[3]}, {ours[4]}, [(5, 1000.0)]) == (
            history.not_taken,
            history.absent,
            history.witnesses,
        )
        [doubt] = history.doubts
        assert (ours[5:7], True, (101, 99)) == (list(doubt.digests), doubt.said_taken, doubt.answer_ids)

    def test_a_try_goes_on_in_it(self, store):
        """In a journal of its own, in the present format."""
        ledger, history = begin(store, 2)
        ledger.settle(history.doubts, history.doubts[0].digests, [200, 201])
        ledger.flush()

        assert (5, []) == (len(begin(store, 3)[1].accepted), begin(store, 4)[1].doubts)

    @pytest.mark.parametrize("part", ["0", "1", "2", "head"])
    def test_a_record_that_is_gone_is_an_error(self, store, part):
        """As in the present format."""
        del store.records[f"p2psms.1-0123456789ab.{part}"]

        with pytest.raises(LedgerError, match=rf"\.{part}: it "):
            begin(store, 2)

    def test_an_older_copy_of_its_last_segment_is_an_error(self, store):
        """The head counts what it had."""
        key = "p2psms.1-0123456789ab.2"
        before, whole = unseal(key, 2, store.records[key])
        store.records[key] = seal(key, 2, before, whole[:-1])

        with pytest.raises(LedgerError, match=r"\.2: its journal had 8 entries, and has 7"):
            begin(store, 2)

    @pytest.mark.parametrize("digests", ["AAAA", "?"])
    def test_digests_of_another_length_are_an_error(self, store, digests):
        """They were changed."""
        store.records = {"p2psms.1-0123abcd.0": [intent_of(0, digests)]}

        with pytest.raises(LedgerError, match="cannot be read"):
            begin(store, 2)


def intent_of(number, digests):
    """Return an intent as plain values."""
    return msgspec.to_builtins(Intent(number, 1.0, 2.0, "3000505", digests))


class TestOldLedgers:
    """Journals of format 1, without heads and checksums, are read as before."""

    def write(self, store, writer, *records):
        for number, entries in enumerate(records):
            store.write(f"p2psms.{writer}.{number}", msgspec.to_builtins(entries))

    @pytest.mark.parametrize("kind", [MemoryStore, ObjectStore])
    def test_they_are_read(self, kind, tmp_path):
        """Accepted and open messages; it is said that some are of the old form."""
        store = MemoryStore() if kind is MemoryStore else ObjectStore(tmp_path)
        intents = [Intent(number, 1.0, 2.0, "3000505", old_digests(ALL[number])) for number in (0, 1)]
        self.write(store, "1-0123abcd", [intents[0]], [intents[1], Settlement("1-0123abcd", 0, old_ids(7))])
        self.write(store, "2-0123abce", [])

        ledger, history = begin(store, 3, must_exist=True)
        accept(ledger, ALL[2:3], [9])

        assert ({ALL[0]: 7}, True) == (history.accepted, history.has_old)
        assert [(1, [ALL[1]])] == [(doubt.format, list(doubt.digests)) for doubt in history.doubts]
        assert {ALL[0]: 7, ALL[2]: 9} == begin(store, 4)[1].accepted
        # A try of the earlier version that still runs reads who has replaced it.
        marks = [key for key in ("p2psms.1-0123abcd.replaced",) if store.read(key)]
        assert len(marks) == (not store.fences)

    def test_one_that_is_gone_is_noticed(self):
        """A later journal names it."""
        store = MemoryStore()
        self.write(store, "1-0123abcd", [Completion(1, None)])
        begin(store, 2)
        del store.records["p2psms.1-0123abcd.0"]

        with pytest.raises(LedgerError, match=r"p2psms.1-0123abcd.0: it is missing"):
            begin(store, 3)

    def test_one_that_settles_what_it_does_not_hold(self):
        """It has no checksum, but it has an order."""
        for entry in (Settlement("9-0123abcd", 0, old_ids(1)), Claim("9-0123abcd", 0, 1.0)):
            store = MemoryStore()
            self.write(store, "1-0123abcd", [entry])

            with pytest.raises(LedgerError, match="a record is missing"):
                begin(store, 2)

    @pytest.mark.parametrize("steps", [[1], [1, 1, 1], [1, -4]])
    def test_one_that_settles_more_or_fewer(self, steps):
        """Or with ids that mean nothing."""
        store = MemoryStore()
        intent = Intent(0, 1.0, 2.0, "3000505", old_digests(*ALL[:2]))
        self.write(store, "1-0123abcd", [intent, Settlement("1-0123abcd", 0, old_ids(*steps))])

        with pytest.raises(LedgerError, match="more or fewer"):
            begin(store, 2)

    @pytest.mark.parametrize(
        ("record", "told"),
        [
            ([{"kind": "?"}], "not written by the ledger"),
            ({"a": 1}, "not written by the ledger"),
            (
                [{"kind": "intent", "number": 0, "at": 1, "until": 2, "sender": "", "digests": "?"}],
                "cannot be read",
            ),
            (
                [{"kind": "intent", "number": 0, "at": 1, "until": 2, "sender": "", "digests": "AAAA"}],
                "cannot be",
            ),
        ],
    )
    def test_what_is_no_entry_is_refused(self, record, told):
        """Somebody else's value under our key, or one that was changed."""
        store = MemoryStore()
        store.write("p2psms.1-0123abcd.0", record)

        with pytest.raises(LedgerError, match=told):
            begin(store, 2)


@pytest.mark.parametrize(
    "entry",
    [
        Intent(
            10**9,
            1_999_999_999.123457,
            1_999_999_999.123457,
            "+983000505",
            "A" * 32_000,
            "https://api.example.com:8443/v1",
            "0123456789abcdef",
            -1_999_999.123457,
            is_scheduled=True,
            is_witness=True,
        ),
        Settlement("9999.99-0123456789ab", 10**9, "A" * 20_000, 1_999_999_999.123457, -1_999_999.123457),
        Claim("9999.99-0123456789ab", 10**9, 1_999_999_999.123457, said_taken=True, ids="A" * 20_000),
        Witness(10**9, 1_999_999_999.123457, 2**63, cancelled=True),
        Completion(10**9, "2027-01-01 00:00:00", 10**18),
        Opening(1_999_999_999.123457, {f"9999.99-{place:012x}": 10**9 for place in range(1_000)}),
    ],
    ids=lambda entry: type(entry).__name__,
)
def test_no_entry_is_larger_than_it_is_taken_for(entry):
    """Else a record could outgrow what Airflow's store takes."""
    assert len(msgspec.json.encode(entry)) + len(",") <= size(entry)


@given(
    st.lists(st.integers(ABSENT, 2**63 - 1), max_size=50)
    | st.builds(
        lambda first, size, step: range(first, first + size * step, step),
        st.integers(0, 2**62),
        st.integers(0, 50),
        st.integers(-3, 3).filter(bool),
    )
)
def test_ids_are_packed_without_loss(ids):
    """Whatever numbers a gateway gives; those that count evenly are a range."""
    assert list(ids) == Settlement("", 0, pack_ids(ids)).unpack()


@pytest.mark.parametrize(("distinct", "third"), [(True, "e49137f03b0e036f"), (False, "ed5daf03ea816ec1")])
def test_digests_stay_what_they_are(distinct, third):
    """A ledger that an earlier version has written knows its messages: else a retry would send them again."""
    digester = Digester(scope="dag/task/run", sender="+983000505", distinct=distinct)

    digests = digester([f"+989121234567\0{text}".encode() for text in ("hi", "سلام\n", "hi")])

    assert ["e49137f03b0e036f", "4a3c69c69c14d140", third] == [each.hex() for each in digests]
