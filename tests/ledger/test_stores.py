"""Where a ledger's records lie: what is written is there, whole, for whoever reads it next."""

import errno
import json
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import LedgerError, ReplacedError
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore, TaskStateStore


class Accessor:
    """What Airflow gives as ``task_state_store``, with an error to raise."""

    def __init__(self) -> None:
        self.records, self.error = {}, None

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


def test_what_was_written_is_read(store):
    """A record is there for the next reader, and what was never written is not."""
    store.write("a.1-x.0", [{"kind": "intent"}])
    store.write("a.1-x.0", [{"kind": "other"}])

    assert [{"kind": "other"}] == store.read("a.1-x.0")
    assert store.read("a.1-x.1") is None


def test_journals_are_told_apart_by_ledger(store):
    """Each ledger lists its own journals, also if one's name begins like the other's."""
    assert [] == store.slots("a")
    others = [store.announce(*journal) for journal in (("a", "1-x"), ("a-word", "1-y"), ("a", "10-z"))]
    store.write("a.1-x.replaced", "10-z")
    store.write("a.1-x.1", [])

    assert [[], [], ["1-x"]] == others
    assert {"1-x", "10-z"} == set(store.slots("a"))
    assert ["1-y"] == store.slots("a-word")


@given(st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) < 60))
def test_any_name_is_a_file(tmp_path_factory, name):
    """Keys are names of files, whatever characters they have."""
    store = ObjectStore(tmp_path_factory.mktemp("ledger"))
    store.announce(name, "1-x")

    assert ["1-x"] == store.slots(name)


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    """A disk that is full leaves the old record as it was, and nothing beside it."""
    store = ObjectStore(tmp_path)
    store.write("a", [1])

    def full(_fd):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="cannot be written"):
        store.write("a", [1, 2])

    assert [1] == store.read("a")
    assert ["a.json"] == [file.name for file in tmp_path.iterdir()]


def test_a_torn_file_is_an_error(tmp_path):
    """What cannot be read is never taken for *nothing there*."""
    (tmp_path / "a.json").write_text("[{", encoding="utf-8")

    with pytest.raises(LedgerError, match="cannot be read"):
        ObjectStore(tmp_path).read("a")


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    """Nor is a folder that is none."""
    (tmp_path / "ledger").write_text("", encoding="utf-8")

    with pytest.raises(LedgerError, match="cannot be listed"):
        ObjectStore(tmp_path / "ledger").slots("a")


def test_listings_of_object_storage_are_fresh():
    """A library that remembers a listing is told to forget it."""
    pytest.importorskip("upath")
    from upath import UPath

    folder = UPath("memory://p2psms-ledger/a")
    forgotten = []
    folder.fs.invalidate_cache = lambda *_: forgotten.append(1)
    store = ObjectStore(folder)
    store.announce("a", "1-x")

    assert ["1-x"] == store.slots("a")
    assert forgotten
    folder.fs.rm("/p2psms-ledger", recursive=True)


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
    """Without its supervisor, or not known any more, a try was replaced; all else may be mended."""
    accessor = Accessor()
    accessor.error = error
    if isinstance(error, SimpleNamespace):
        accessor.error = RuntimeError("text")
        accessor.error.error = error

    with pytest.raises(LedgerError) as caught:
        TaskStateStore(accessor, retention="never").write("a", [])

    assert kind is type(caught.value)


def test_an_airflow_that_cannot_be_asked_is_an_error():
    """A read that fails is never taken for *nothing there*."""
    accessor = Accessor()
    accessor.error = RuntimeError()

    with pytest.raises(LedgerError, match="cannot be read"):
        TaskStateStore(accessor, retention="never").slots("a")


def test_memory_holds_what_json_holds():
    """What a store gives back is a copy, and plain."""
    store, entries = MemoryStore(), [{"ids": (1, 2)}]
    store.write("a", entries)
    entries.clear()

    assert [{"ids": [1, 2]}] == store.read("a") == json.loads(json.dumps([{"ids": [1, 2]}]))
