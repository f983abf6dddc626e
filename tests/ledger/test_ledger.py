"""One ledger over its tries: what each finds of those before it, and who may still send."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import LedgerError, OutcomeUnknownError, ReplacedError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, NO_DIGEST, Digester, Digests
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import (
    MOST_BYTES,
    NOT_TAKEN,
    UNSETTLED,
    Closing,
    Intent,
    Settlement,
    from_json,
    pack_ids,
    size,
)
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore

ALL = [bytes([number]) * DIGEST_BYTES for number in range(1, 7)]


def begin(store, try_number=1, *, must_exist=False):
    ledger = Ledger(store, name="p2psms", try_number=try_number)
    return ledger, ledger.open(must_exist=must_exist)


def intend(ledger, digests, *, at=100.0, until=200.0):
    doubts = ledger.intend(Digests.of(digests), sender="+983000505", at=at, until=until)
    ledger.flush()
    return doubts


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
        return ObjectStore(tmp_path)

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


class TestForeignRecords:
    """A record that was changed is an error, never guessed at."""

    @pytest.fixture
    def store(self):
        store = MemoryStore()
        ledger, _ = begin(store)
        [doubt] = intend(ledger, ALL[:2])
        ledger.settle([doubt], Digests.of(ALL[:2]), [1, 2])
        ledger.flush()
        return store

    def record(self, store):
        return next(value for key, value in store.records.items() if key.endswith(".0"))

    @pytest.mark.parametrize(
        ("place", "change", "told"),
        [
            (0, {"kind": "?"}, "none of its own"),
            (0, {"digests": "?"}, "cannot be read"),
            (0, {"digests": "AAAA"}, "cannot be read"),
            (0, {"number": 5}, "a record is missing"),
            (1, {"ids": pack_ids([1])}, "more or fewer"),
            (1, {"slot": "9-x"}, "a record is missing"),
        ],
    )
    def test_it_is_refused(self, store, place, change, told):
        """Whatever was changed is named."""
        self.record(store)[place].update(change)

        with pytest.raises(LedgerError, match=told):
            begin(store, 2)

    def test_what_is_no_list_is_refused(self):
        """Somebody else's value under our key."""
        with pytest.raises(LedgerError, match="none of its own"):
            from_json({"a": 1})


@pytest.mark.parametrize(
    "entry",
    [
        Intent(10**9, 1_999_999_999.123457, 1_999_999_999.123457, "+983000505", "A" * 32_000),
        Settlement("99-0123abcd", 10**9, "A" * 20_000),
        Closing(10**9, "2027-01-01 00:00:00", 10**18),
    ],
    ids=["intent", "settlement", "closing"],
)
def test_no_entry_is_larger_than_it_is_taken_for(entry):
    """Else a record could outgrow what Airflow's store takes."""
    assert len(msgspec.json.encode(entry)) + len(",") <= size(entry)


@given(st.lists(st.integers(UNSETTLED, 2**62), max_size=50))
def test_ids_are_packed_without_loss(ids):
    """Whatever numbers a gateway gives."""
    assert ids == Settlement("", 0, pack_ids(ids)).unpack()


@pytest.mark.parametrize(
    ("distinct", "third"), [(True, "e49137f03b0e036fa2086d0f"), (False, "ed5daf03ea816ec19affdd7b")]
)
def test_digests_stay_what_they_are(distinct, third):
    """A ledger that an earlier version has written knows its messages: else a retry would send them again."""
    digester = Digester(scope="dag/task/run", sender="+983000505", distinct=distinct)

    digests = digester([f"+989121234567\0{text}".encode() for text in ("hi", "سلام\n", "hi")])

    assert ["e49137f03b0e036fa2086d0f", "4a3c69c69c14d140af48dbd1", third] == [each.hex() for each in digests]
