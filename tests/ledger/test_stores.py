"""Where a ledger's records lie: what is written is there, whole, for the next reader."""

import errno
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import LedgerError, ReplacedError
from airflow_provider_p2psms.ledger.stores import (
    EMPTY,
    MemoryStore,
    ObjectStore,
    TaskStateStore,
    epochs_in,
    writers_in,
)


class ServerError(RuntimeError):
    """Airflow's answer that is an error, with its details."""

    def __init__(self, error):
        super().__init__("text")
        self.error = error


class Accessor:
    """What Airflow gives as ``task_state_store``, with an error to raise."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self.error: Exception | None = None

    def get(self, key):
        if self.error:
            raise self.error
        return self.records.get(key)

    def set(self, key, value, *, retention):
        assert "never" == retention
        if self.error:
            raise self.error
        self.records[key] = value


@pytest.fixture(params=["memory", "files", "airflow"])
def store(request, tmp_path):
    return {
        "memory": MemoryStore,
        "files": lambda: ObjectStore(tmp_path / "ledger"),
        "airflow": lambda: TaskStateStore(Accessor(), retention="never"),
    }[request.param]()


def eventually(condition):
    """Wait until it holds, for a minute at most."""
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_what_was_written_is_read(store):
    """A record is there for the next reader, and what was never written is not."""
    store.write("a.1-x.0", [{"kind": "intent"}])
    store.write("a.1-x.0", [{"kind": "other"}])

    assert [{"kind": "other"}] == store.read("a.1-x.0")
    assert store.read("a.1-x.1") is None


def test_journals_and_turns_are_told_apart_by_ledger(store):
    """Each ledger lists its own, also if one's name begins like the other's."""
    assert [] == store.keys("a")
    for name, writer in (("a", "1-x"), ("a-word", "1-y"), ("a", "3.10-z")):
        store.write(f"{name}.{writer}.0", [])
        store.register(name, writer)

    assert {"1-x", "3.10-z"} == writers_in("a", store.keys("a"))
    assert {"1-y"} == writers_in("a-word", store.keys("a-word"))


def test_keys_name_journals_and_turns():
    """Segments and heads name a journal; an owner record alone does not; epochs are one owner's."""
    keys = ["a.1-x.7", "a.2.1-y.head", "a.1-z.replaced", "a.turn.3", "a.turn.12", "a.2.turn.4"]

    assert {"1-x", "2.1-y"} == writers_in("a", keys)
    assert ([3, 12], [4], []) == tuple(epochs_in("a", owner, keys) for owner in ("", "2", "3"))


def test_a_record_is_created_once(store):
    """Who comes second is told so, and what the first one wrote stands; Airflow's store cannot tell."""
    if isinstance(store, TaskStateStore):
        assert store.create("a", 1) is None
        return
    assert (True, False) == (store.create("a", 1), store.create("a", 2))
    assert 1 == store.read("a")


def test_records_that_nobody_needs_are_removed(store):
    """One that is gone already is no error; Airflow keeps its own."""
    store.write("a", 1)
    store.remove(["a", "b"])

    if isinstance(store, TaskStateStore):
        assert 1 == store.read("a")
        return
    # Files are removed in the background.
    assert eventually(lambda: store.read("a") is None)


def test_many_are_done_side_by_side(store):
    """Results come in the order of the items, and an error comes when all have ended."""
    done = []

    def halve(number):
        done.append(number)
        if number % 2:
            raise LedgerError
        return number // 2

    assert [0, 1, 2] == store.each(halve, [0, 2, 4])
    with pytest.raises(LedgerError):
        store.each(halve, [2, 4, 5])
    assert [0, 2, 2, 4, 4, 5] == sorted(done)


def test_where_a_record_lies_is_said(store):
    """For the person who has to restore it."""
    assert "a.1-x.0" in store.where("a.1-x.0")


@settings(deadline=None)  # files are synced to the disk
@given(st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) < 60))
def test_any_name_is_a_file(tmp_path_factory, name):
    """Keys are names of files, whatever characters they have."""
    store = ObjectStore(tmp_path_factory.mktemp("ledger"))
    store.write(f"{name}.1-x.0", [])

    assert {"1-x"} == writers_in(name, store.keys(name))


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    """A disk that is full leaves the old record as it was, and nothing beside it."""
    store = ObjectStore(tmp_path)
    store.write("a", [1])

    def full(_fd):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="cannot be written") as caught:
        store.write("a", [1, 2])

    assert [1] == store.read("a")
    assert ["a.json"] == [file.name for file in tmp_path.iterdir()]
    assert all(each in str(caught.value) for each in (str(tmp_path), "No space left", "ledger_path"))


def test_a_torn_file_is_an_error(tmp_path):
    """What cannot be read is never taken for *nothing there*; the error names the file."""
    (tmp_path / "a.json").write_text("[{", encoding="utf-8")

    with pytest.raises(LedgerError, match=r"damaged: .*a\.json.*Restore"):
        ObjectStore(tmp_path).read("a")


def test_a_file_without_content_is_no_record(tmp_path):
    """It is created and not written yet, or a disk has lost it."""
    (tmp_path / "a.json").touch()

    assert EMPTY == ObjectStore(tmp_path).read("a")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    """Nor is a folder in its place."""
    (tmp_path / "a.json").mkdir()

    with pytest.raises(LedgerError, match="cannot be read"):
        ObjectStore(tmp_path).read("a")


def test_new_folders_are_durable(tmp_path, monkeypatch):
    """Each folder whose name is new in it is synced: else a power failure could take the ledger away."""
    synced, sync = [], os.fsync

    def watched(descriptor):
        if isinstance(descriptor, int):  # a folder's
            synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store = ObjectStore(tmp_path / "dag" / "run" / "task")
    store.write("a", 1)

    folders = [tmp_path / "dag" / "run", tmp_path / "dag", tmp_path]
    assert [folder.stat().st_ino for folder in folders] == synced[:3]
    assert (tmp_path / "dag" / "run" / "task").stat().st_ino == synced[-1]


def test_the_last_record_is_written_when_the_others_are_durable(tmp_path, monkeypatch):
    """A head never says more than there is, even after a power failure."""
    steps, replace, sync = [], Path.replace, os.fsync

    def watched_replace(old, new):
        steps.append(new.name)
        return replace(old, new)

    monkeypatch.setattr(Path, "replace", watched_replace)

    def watched(descriptor):
        if isinstance(descriptor, int):
            steps.append("sync")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    ObjectStore(tmp_path).write_all({"a": 1, "b": 2, "head": 3})

    assert ["a.json", "b.json", "sync", "head.json"] == steps


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    """Neither a record nor an epoch is taken for written."""
    (tmp_path / "ledger").write_text("", encoding="utf-8")

    for write in (ObjectStore.write, ObjectStore.create):
        with pytest.raises(LedgerError, match="cannot be"):
            write(ObjectStore(tmp_path / "ledger"), "a", 1)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    """Nor is a folder that is none."""
    (tmp_path / "ledger").write_text("", encoding="utf-8")

    with pytest.raises(LedgerError, match="cannot be listed"):
        ObjectStore(tmp_path / "ledger").keys("a")


class TestObjectStorage:
    """As fsspec gives it."""

    @pytest.fixture
    def folder(self):
        upath = pytest.importorskip("upath")
        folder = upath.UPath("memory://p2psms-ledger/a")
        yield folder
        with suppress(FileNotFoundError):
            folder.fs.rm("/p2psms-ledger", recursive=True)

    def test_what_was_written_is_read_and_listed(self, folder):
        """Several records, and a library that remembers listings is told to forget them."""
        forgotten = []
        folder.fs.invalidate_cache = lambda *_: forgotten.append(1)
        store = ObjectStore(folder)
        store.write_all({"a.1-x.0": [1], "a.1-x.1": [2], "a.1-x.head": [3]})

        assert {"1-x"} == writers_in("a", store.keys("a"))
        assert [1] == store.read("a.1-x.0")
        assert 2 == len(forgotten)

    def test_a_folder_that_is_not_there_is_empty(self, folder):
        """Its library says that it is no folder."""
        assert [] == ObjectStore(folder / "nowhere").keys("a")

    def test_a_record_is_created_once(self, folder):
        """The storage tells who was first, from the first record on."""
        store = ObjectStore(folder)

        assert (True, False, True) == (store.create("a", 1), store.create("a", 2), store.create("b", 2))
        assert 1 == store.read("a")

    def test_a_first_record_that_is_there_already(self, folder):
        """Exclusive creation works, also for a file that another process wrote."""
        ObjectStore(folder).create("a", 1)

        assert ObjectStore(folder).create("a", 2) is False

    @pytest.mark.parametrize("error", [None, NotImplementedError, ValueError])
    def test_storage_without_exclusive_creation_is_found_out(self, folder, monkeypatch, error):
        """It writes over what is there, or its library does not know the mode: it is asked once."""
        asked, inner = [], type(folder).open

        def lenient(self, mode):
            asked.append(mode)
            if error:
                raise error
            return inner(self, "wb")

        monkeypatch.setattr(type(folder), "open", lenient)
        store = ObjectStore(folder)

        assert [None, None] == [store.create("a", 1), store.create("b", 1)]
        assert ["xb"] * (1 if error else 2) == asked

    def test_storage_that_refuses_in_words_of_its_own(self, folder, monkeypatch):
        """What cannot be told from a fault of the network is of no use for fencing."""
        asked, inner = [], type(folder).open

        def odd(self, mode):
            asked.append(mode)
            if len(asked) == 2:
                raise OSError(412, "precondition failed")
            return inner(self, mode)

        monkeypatch.setattr(type(folder), "open", odd)

        assert ObjectStore(folder).create("a", 1) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BrokenPipeError(), ReplacedError),
        (EOFError(), ReplacedError),
        (SimpleNamespace(detail={"status_code": 404}), ReplacedError),
        (SimpleNamespace(detail={"status_code": 409}), ReplacedError),
        (SimpleNamespace(detail={"status_code": 503}), LedgerError),
        (SimpleNamespace(detail={"status_code": None}), LedgerError),
        (SimpleNamespace(detail=None), LedgerError),
        (RuntimeError(), LedgerError),
    ],
    ids=str,
)
def test_why_airflow_does_not_take_a_record(error, kind):
    """Without its supervisor, or not known any more, a try was replaced; all else may pass."""
    accessor = Accessor()
    accessor.error = error if isinstance(error, Exception) else ServerError(error)

    with pytest.raises(LedgerError) as caught:
        TaskStateStore(accessor, retention="never").write("a", [])

    assert kind is type(caught.value)


def test_an_airflow_that_cannot_be_asked_is_an_error():
    """A read that fails is never taken for *nothing there*."""
    accessor = Accessor()
    accessor.error = RuntimeError()

    with pytest.raises(LedgerError, match="cannot be read"):
        TaskStateStore(accessor, retention="never").keys("a")


def test_memory_holds_what_json_holds():
    """What a store gives back is a copy, and plain."""
    store, entries = MemoryStore(), [{"ids": (1, 2)}]
    store.write("a", entries)
    entries.clear()

    assert [{"ids": [1, 2]}] == store.read("a") == json.loads(json.dumps([{"ids": [1, 2]}]))


def test_a_list_of_journals_that_was_changed_is_an_error():
    """It is never taken for an empty one."""
    accessor = Accessor()
    accessor.records["a.tries"] = {"a": 1}

    with pytest.raises(LedgerError, match=r"a\.tries.*not a list"):
        TaskStateStore(accessor, retention="never").keys("a")
