"""
Where a ledger's records lie. A store keeps JSON values by key, and a write is durable when it returns.

``fences`` says whether the store itself stops an old try once a new one has begun: Airflow's state store does
(the old try's writes fail), files do not, and need an owner record.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, unquote

import msgspec

from airflow_provider_p2psms.errors import LedgerError, ReplacedError

_WRITERS = 8


class Store(Protocol):
    """Records by key."""

    fences: bool
    remembers: bool
    """Whether an empty store proves that nothing was ever written: a folder may be another machine's."""

    def read(self, key: str) -> Any:
        """Return the value, or ``None``; raises ``LedgerError`` when the store cannot say."""

    def write(self, key: str, value: Any) -> None:
        """Write durably; raises ``LedgerError``, and then nobody knows whether it was written."""

    def write_all(self, records: Mapping[str, Any]) -> None:
        """Do as ``write`` with several, in any order."""

    def announce(self, name: str, slot: str) -> list[str]:
        """
        Let the ledger ``name`` have a journal ``slot``, as yet empty; durably, or ``LedgerError``.

        :return: the other journals; of two tries that announce theirs at once, one at least sees the other,
            unless the store fences one off.
        """

    def slots(self, name: str) -> list[str]:
        """Return all journals that this ledger has."""


class MemoryStore:
    """For sends outside of Airflow: lasts as long as its process."""

    fences = True
    remembers = True

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        return self.records.get(key)

    def write(self, key: str, value: Any) -> None:
        """Keep the value."""
        self.records[key] = msgspec.json.decode(msgspec.json.encode(value))

    def write_all(self, records: Mapping[str, Any]) -> None:
        """Keep the values."""
        _write_each(self, records)

    def announce(self, name: str, slot: str) -> list[str]:
        """Begin a journal."""
        others = self.slots(name)
        self.write(_first(name, slot), [])
        return others

    def slots(self, name: str) -> list[str]:
        """Return the journals by their first records."""
        return _slots(name, self.records)


class TaskStateStore:
    """
    Airflow's own store (3.3 and newer), one for each task of a run; users see its records in the UI.

    It fences: once a task's next try exists, writes of the old one fail. Its records outlive a clear and are
    gone with the run. It cannot list them, so there is one more that names the journals; only the try that is
    not fenced off adds to it.

    :param accessor: ``context["task_state_store"]``.
    :param retention: what keeps a record for ever (``NEVER_EXPIRE``).
    """

    fences = True
    remembers = True

    def __init__(self, accessor: Any, *, retention: Any) -> None:
        self._accessor, self._retention = accessor, retention

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        try:
            return self._accessor.get(key)
        except Exception as err:
            raise LedgerError(f"Airflow's state store cannot be read ({type(err).__name__}).") from err

    def write(self, key: str, value: Any) -> None:
        """Write; any failure may mean that this try was replaced, and ``ReplacedError`` does."""
        try:
            self._accessor.set(key, value, retention=self._retention)
        except Exception as err:
            if _is_fenced_off(err):
                raise ReplacedError(
                    "Airflow has given this task to a newer try; this one sends nothing."
                ) from err
            raise LedgerError(f"Airflow's state store did not take a record ({type(err).__name__}).") from err

    def write_all(self, records: Mapping[str, Any]) -> None:
        """Write one after another: Airflow takes one at a time."""
        _write_each(self, records)

    def announce(self, name: str, slot: str) -> list[str]:
        """Add to the list of journals; who is fenced off by then cannot have added to it since."""
        others = self.slots(name)
        self.write(f"{name}.tries", [*others, slot])
        return others

    def slots(self, name: str) -> list[str]:
        """Return the list of journals."""
        return self.read(f"{name}.tries") or []


class ObjectStore:
    """
    Files in a folder, local or in any object storage that is strongly consistent.

    A local file is written beside its place, synced to the disk and moved there: it is whole or absent.

    :param folder: a ``pathlib.Path`` or ``ObjectStoragePath`` of this ledger's own.
    """

    fences = False
    remembers = False

    def __init__(self, folder: Any) -> None:
        self._folder = folder
        # Not `isinstance`: in older Airflows a path into object storage is a kind of `Path`, too.
        self._is_local = type(folder) is type(Path())
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="p2psms-ledger")

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        try:
            return msgspec.json.decode(self._file(key).read_bytes())
        except FileNotFoundError:
            return None
        except Exception as err:
            raise LedgerError(f"The ledger's file {key} cannot be read ({type(err).__name__}).") from err

    def write(self, key: str, value: Any) -> None:
        """Write a file whole."""
        self.write_all({key: value})

    def write_all(self, records: Mapping[str, Any]) -> None:
        """Write files side by side: storing or syncing eight takes little more time than one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = {self._file(key): msgspec.json.encode(value) for key, value in records.items()}
            if self._is_local:
                self._put(files)
                _sync_folder(self._folder)
            else:
                self._side_by_side(lambda file: file.write_bytes(files[file]), files)
        except Exception as err:
            names = ", ".join(records)
            raise LedgerError(
                f"The ledger's files {names} cannot be written ({type(err).__name__})."
            ) from err

    def announce(self, name: str, slot: str) -> list[str]:
        """Write the journal's first file, empty, and look around after that."""
        self.write(_first(name, slot), [])
        return [other for other in self.slots(name) if other != slot]

    def slots(self, name: str) -> list[str]:
        """Return the journals whose first files are there."""
        try:
            # Libraries for object storage remember listings, and would not see what others wrote since.
            if hasattr(self._folder, "fs"):
                self._folder.fs.invalidate_cache()
            keys = [unquote(file.name.removesuffix(".json")) for file in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except Exception as err:
            raise LedgerError(f"The ledger's folder cannot be listed ({type(err).__name__}).") from err
        return _slots(name, keys)

    def _file(self, key: str) -> Any:
        return self._folder / f"{quote(key, safe='')}.json"

    def _put(self, files: Mapping[Path, bytes]) -> None:
        # Only the syncing is worth a thread: those that make files in one folder wait for each other.
        with ExitStack() as stack:
            unfinished, streams = list[Path](), list[BinaryIO]()
            for file, body in files.items():
                part = file.with_name(f"{file.name}.{os.getpid()}.part")
                stack.callback(part.unlink, missing_ok=True)
                stream = stack.enter_context(part.open("wb"))
                stream.write(body)
                stream.flush()
                unfinished.append(part)
                streams.append(stream)
            self._side_by_side(os.fsync, streams)
            for part, file in zip(unfinished, files, strict=True):
                part.replace(file)

    def _side_by_side(self, work: Callable[[Any], object], items: Iterable[Any]) -> None:
        """Do it with each in threads; raise what failed when all have ended."""
        futures = [self._writers.submit(work, item) for item in items]
        wait(futures)
        for future in futures:
            future.result()


def _sync_folder(folder: Path) -> None:
    """Make names of files durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _write_each(store: Store, records: Mapping[str, Any]) -> None:
    for key, value in records.items():
        store.write(key, value)


def _is_fenced_off(err: Exception) -> bool:
    # Its supervisor is gone, or the API server does not know this try's id any more (404), or not as running.
    detail = getattr(getattr(err, "error", None), "detail", None)
    status = detail.get("status_code") if isinstance(detail, dict) else None
    return isinstance(err, OSError | EOFError) or status in {404, 409}


def _first(name: str, slot: str) -> str:
    return f"{name}.{slot}.0"


def _slots(name: str, keys: Iterable[str]) -> list[str]:
    return [
        key.removeprefix(f"{name}.").removesuffix(".0")
        for key in sorted(keys)
        if key.startswith(f"{name}.") and key.endswith(".0")
    ]
