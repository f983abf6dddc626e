"""A journal knows its length: what is missing of it, or changed, is an error, never *nothing there*."""

import json
from typing import Any

import pytest

from airflow_provider_p2psms.errors import LedgerError, OutcomeUnknownError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, Digests
from airflow_provider_p2psms.ledger.journal import Journal, Reader
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import (
    Claim,
    Completion,
    Intent,
    Length,
    Opening,
    Settlement,
    seal,
)
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore, TaskStateStore

from .test_stores import Accessor

MESSAGES = 14_000


def digests(start=0):
    return Digests.of(
        number.to_bytes(DIGEST_BYTES, "big") for number in range(start + 1, start + MESSAGES + 1)
    )


@pytest.fixture(params=["memory", "files", "airflow"])
def store(request, tmp_path):
    return {
        "memory": MemoryStore,
        "files": lambda: ObjectStore(tmp_path / "ledger", patience_s=0.0),
        "airflow": lambda: TaskStateStore(Accessor(), retention="never"),
    }[request.param]()


def records(store):
    """Return the records of a store by key, as something that can be changed."""
    if isinstance(store, ObjectStore):
        return Files(store._folder)
    return store._accessor.records if isinstance(store, TaskStateStore) else store.records


class Files(dict[str, Any]):
    """A folder's files as a dictionary of their values."""

    def __init__(self, folder):
        super().__init__(
            (file.name.removesuffix(".json"), json.loads(file.read_bytes())) for file in folder.iterdir()
        )
        self.folder = folder

    def __setitem__(self, key, value):
        (self.folder / f"{key}.json").write_text(json.dumps(value), encoding="utf-8")

    def __delitem__(self, key):
        (self.folder / f"{key}.json").unlink()


def send(store, try_number=1, start=0):
    """Write a try's journal, of several segments; return its writer."""
    ledger = Ledger(store, name="p2psms", try_number=try_number)
    ledger.open(must_exist=False)
    doubts = ledger.intend(digests(start), sender="+983000505", at=1.0, until=2.0)
    ledger.flush()
    ledger.settle(doubts, digests(start), range(start + 1, start + MESSAGES + 1))
    ledger.flush()
    assert store.fences or ledger.is_owner()
    return ledger._writer


def reopen(store, try_number=9):
    return Ledger(store, name="p2psms", try_number=try_number).open(must_exist=True)


def test_a_whole_journal_is_read(store):
    """Several segments, each with its header."""
    writer = send(store)

    assert len(reopen(store).accepted) == MESSAGES
    segments = [value for key, value in records(store).items() if writer in key and key[-1].isdigit()]
    assert len(segments) > 2
    assert all(("segment", 3) == (value[0]["kind"], value[0]["format"]) for value in segments)


@pytest.mark.parametrize("part", ["0", "1", "2", "head"])
def test_a_record_that_is_gone_is_an_error(store, part):
    """Any segment, the last one too, or the head: it is named, and what to do."""
    writer = send(store)
    del records(store)[f"p2psms.{writer}.{part}"]

    with pytest.raises(LedgerError, match=rf"p2psms\.{writer}\.{part}.*Restore.*resend"):
        reopen(store)


def test_a_journal_that_is_gone_is_an_error(store):
    """The list of journals, the epochs or a later journal name it."""
    writer = send(store)
    for key in [key for key in records(store) if f".{writer}." in key]:
        del records(store)[key]

    if isinstance(store, MemoryStore):  # it is all that there was
        with pytest.raises(OutcomeUnknownError):
            reopen(store)
        return
    with pytest.raises(LedgerError, match=rf"p2psms\.{writer}\..*missing"):
        reopen(store)


def test_a_journal_that_only_later_ones_remember(store):
    """It is gone from every list, and a later try has seen it."""
    writer = send(store)
    Ledger(store, name="p2psms", try_number=2).open(must_exist=True)
    for key in [key for key in records(store) if f".{writer}." in key or "turn" in key]:
        del records(store)[key]
    if isinstance(store, TaskStateStore):
        records(store)["p2psms.tries"].remove(writer)

    with pytest.raises(LedgerError, match=rf"p2psms\.{writer}\.head.*: it is missing"):
        reopen(store)


def test_journals_name_only_those_that_no_other_one_names(store):
    """So a thousand tries do not write a thousand names each; one that has grown since is named again."""
    first = send(store)
    second = send(store, 2, MESSAGES)
    Ledger(store, name="p2psms", try_number=3).open(must_exist=True)

    names = [
        list(entry.get("saw", {}))
        for key, value in sorted(records(store).items(), key=lambda item: item[0])
        if key.endswith((".0", ".head"))
        for entry in value
        if entry["kind"] == "opening"
    ]

    assert [[], [first], [second]] == names


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("1", lambda value: value[1].update(number=77)),
        ("1", lambda value: value[1].update(at=1.5)),
        ("1", lambda value: value.pop()),
        ("1", lambda value: value[0].update(number=2)),
        ("1", lambda value: value[0].update(entries=99)),
        ("1", lambda value: value[0].update(checksum="0")),
        ("1", lambda value: value[0].update(kind="intent")),
        ("1", lambda value: value.clear()),
        ("head", lambda value: value[0].update(segments=1)),
        ("head", lambda value: value[0].update(entries=1)),
        ("head", lambda value: value[1].update(number=77)),
        ("head", lambda value: value.pop()),
        ("head", lambda value: value.clear()),
        ("head", lambda value: value[0].update(kind="turn")),
    ],
)
def test_a_record_that_was_changed_is_an_error(store, part, change):
    """A flipped byte, a cut list, a header of another: the record is named."""
    writer = send(store)
    all_records = records(store)
    key = f"p2psms.{writer}.{part}"
    value = all_records[key]
    change(value)
    all_records[key] = value

    with pytest.raises(LedgerError, match=rf"damaged: .*{writer}\.{part}"):
        reopen(store)


@pytest.mark.parametrize("part", ["1", "head"])
def test_a_value_that_is_no_record_is_an_error(store, part):
    """Somebody else's, under our key."""
    writer = send(store)
    records(store)[f"p2psms.{writer}.{part}"] = {"a": 1}

    with pytest.raises(LedgerError, match=rf"{writer}\.{part}.*not written by the ledger"):
        reopen(store)


@pytest.mark.parametrize(
    "entry",
    [
        Intent(0, 1.0, 2.0, "3000505", "AAAA"),
        Intent(0, 1.0, 2.0, "3000505", "?"),
        Settlement("1-0123456789ab", 0, "AAAA"),
        Claim("1-0123456789ab", 0, 1.0, ids="7-"),
    ],
)
def test_what_cannot_be_unpacked_is_an_error(entry):
    """Digests of another length, ids that are neither a run nor compressed."""
    with pytest.raises(LedgerError, match="cannot be read"):
        entry.unpack()


def test_each_byte_counts(tmp_path):
    """Whichever byte of a file is flipped, nothing is read as if it were whole."""
    store = ObjectStore(tmp_path, patience_s=0.0)
    journal = Journal(store, "a", "1-0123456789ab")
    journal.append(Completion(3, "2027-01-01 00:00:00", 5))
    journal.flush()
    unchanged = Reader(store, "a").read("1-0123456789ab", least=Length(), is_there=True)

    for file in tmp_path.iterdir():
        body = file.read_bytes()
        for place in range(len(body)):
            file.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
            with pytest.raises(LedgerError):
                Reader(store, "a").read("1-0123456789ab", least=Length(), is_there=True)
        file.write_bytes(body)

    assert unchanged == Reader(store, "a").read("1-0123456789ab", least=Length(), is_there=True)


def test_records_that_change_places_are_an_error():
    """A record of another journal, or of another place in it, has another checksum."""
    store = MemoryStore()
    one, other = send(store), send(store, 2, MESSAGES)
    store.records[f"p2psms.{one}.1"] = store.records[f"p2psms.{other}.1"]

    with pytest.raises(LedgerError, match="damaged"):
        reopen(store)


def test_an_older_copy_of_the_head_is_an_error():
    """As a backup or a mount may bring it: it is whole, and has fewer entries than an epoch says."""
    store = MemoryStore()
    journal = Journal(store, "a", "1-0123456789ab")
    journal.append(Completion(1, None))
    journal.flush()
    old = store.records["a.1-0123456789ab.head"]
    journal.append(Completion(2, None))
    journal.flush()
    store.records["a.1-0123456789ab.head"] = old

    with pytest.raises(LedgerError, match=r"\.head: its journal had 2 entries, and has 1"):
        Reader(store, "a").read("1-0123456789ab", least=journal.length, is_there=True)


def test_an_older_copy_of_a_segment_is_an_error():
    """What follows it counts more entries than are before."""
    store = MemoryStore()
    writer = send(store)
    key = f"p2psms.{writer}.0"
    store.records[key] = seal(key, 0, 0, [Opening(1.0)])

    with pytest.raises(LedgerError, match=rf"{writer}\.1: it does not follow"):
        reopen(store)


@pytest.mark.parametrize("segments", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}])
def test_a_write_that_did_not_end_is_no_damage(segments):
    """A process died in it: some of its records are there, in any order, and the head is not."""
    store = MemoryStore()
    ledger = Ledger(store, name="p2psms")
    ledger.open(must_exist=False)
    before = dict(store.records)
    ledger.intend(digests(), sender="+983000505", at=1.0, until=2.0)
    ledger.flush()
    written = {
        key: value
        for key, value in store.records.items()
        if int(key[-1:] if key[-1].isdigit() else 9) in segments
    }
    store.records = before | written

    doubts = reopen(store).doubts

    is_there = [place in segments for place in range(3)]
    # What follows a gap is not read: it was not acted on.
    read = is_there.index(False) if False in is_there else 3
    assert (read > 0) == bool(doubts)


def test_a_try_that_died_before_its_head_is_no_damage(store):
    """It knew so many others that its openings fill a segment, and has written no more."""
    writer = "1-0123456789ab"
    key = f"p2psms.{writer}.0"
    store.write(key, seal(key, 0, 0, [Opening(1.0)]))
    store.register("p2psms", writer)

    assert not reopen(store).doubts


def test_a_newer_format_is_said():
    """A version that does not know it reads nothing of it."""
    store = MemoryStore()
    writer = send(store)
    store.records[f"p2psms.{writer}.1"][0]["format"] = 4

    with pytest.raises(LedgerError, match="format 4; this version reads formats up to 3"):
        reopen(store)


def test_many_journals_are_named_in_several_entries():
    """Thousands of map indexes that ended together: their names do not outgrow a record."""
    store = MemoryStore()
    for place in range(2_100):
        journal = Journal(store, "p2psms", f"{place}.1-0123456789ab")
        journal.append(Opening(1.0))
        journal.flush()

    Ledger(store, name="p2psms", owner="x").open(must_exist=False)

    [writer] = {key.split(".")[2] for key in store.records if key.startswith("p2psms.x.")}
    own = [value for key, value in store.records.items() if f"x.{writer}" in key]
    named = {each for value in own for entry in value[1:] for each in entry.get("saw", {})}
    assert len(named) == 2_100
    assert max(len(json.dumps(value)) for value in own) < 65_536
    assert not Ledger(store, name="p2psms", owner="y").open(must_exist=False).doubts


class TestPatience:
    """A mount may remember for a while that a file is absent, or what it held."""

    @pytest.fixture
    def late(self, tmp_path):
        """A journal whose second write shows only after some looks."""
        store = ObjectStore(tmp_path, patience_s=5.0)
        journal = Journal(store, "a", "1-0123456789ab")
        journal.append(Completion(1, None))
        journal.flush()
        old = store.read("a.1-0123456789ab.head")
        journal.append(Completion(2, None))
        journal.flush()
        new = store.read("a.1-0123456789ab.head")
        store.write("a.1-0123456789ab.head", old)
        self.waits: list[float] = []

        def sleep(seconds):
            self.waits.append(seconds)
            if len(self.waits) == 3:
                store.write("a.1-0123456789ab.head", new)

        return Reader(store, "a", clock=lambda: sum(self.waits), sleep=sleep)

    def test_it_is_looked_for_again(self, late):
        """Until it is there."""
        assert 2 == len(late.read("1-0123456789ab", least=Length(0, 2), is_there=True))
        assert 3 == len(self.waits)

    def test_not_for_ever(self, late):
        """What is known to have been written and stays away is an error."""
        with pytest.raises(LedgerError, match="had 3 entries, and has 2"):
            late.read("1-0123456789ab", least=Length(0, 3), is_there=True)
        assert 5.0 <= sum(self.waits) < 5.5
