"""
Where a ledger's records lie. A store keeps JSON values by key, and a write is durable when it returns.

``fences`` says whether the store itself stops an old try once a new one has begun: Airflow's state store does
(the old try's writes fail), files do not, and need fencing by exclusive creation (``exclusive.py``).
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote

import msgspec

from airflow_provider_p2psms.errors import LedgerError, ReplacedError
from airflow_provider_p2psms.ledger.records import MOST_BYTES, damage
from airflow_provider_p2psms.paths import is_local

# What is read where a file has no content: no record looks so.
EMPTY = ""
_WRITERS = 8
T = TypeVar("T")
# Of a key behind the ledger's name: a record of a journal, or an epoch. The map index may stand before both.
_OF_A_JOURNAL = re.compile(r"((?:[^.]+\.)?\d+-[^.]+)\.(?:\d+|head)")
_EPOCH = re.compile(r"(?:([^.]+)\.)?turn\.(\d+)")


class Store(ABC):
    """Records by key."""

    fences: bool
    patience_s: float = 0.0
    """How long a record that must be there may seem to be absent: a mount may remember that for a while."""
    most_bytes: int = MOST_BYTES
    """How large a record of several entries may be."""

    @abstractmethod
    def read(self, key: str) -> Any:
        """
        Return the value, or ``None``, or ``EMPTY`` for one that is created and not written yet.

        :raises LedgerError: the store cannot say, or the value was changed.
        """

    def parse(self, key: str, parse: Callable[[Any], T]) -> T | None:
        """
        Return what ``parse`` makes of the value; ``None`` if there is no record.

        :param parse: raises ``LedgerError`` for a value that the ledger did not write.
        :raises LedgerError: as ``read``, or ``parse`` raised one; names the record.
        """
        value = self.read(key)
        try:
            return None if value is None else parse(value)
        except LedgerError as err:
            raise damage(self.where(key), err) from err

    @abstractmethod
    def write(self, key: str, value: Any) -> None:
        """Write durably; raises ``LedgerError``, and then nobody knows whether it was written."""

    def write_all(self, records: Mapping[str, Any]) -> None:
        """
        Do as ``write`` with several: the last one when all others are durable, those in any order.

        Of several, the last one may be lost if the machine loses power.
        """
        for key, value in records.items():
            self.write(key, value)

    @abstractmethod
    def create(self, key: str, value: Any) -> bool | None:
        """
        Write a record that is not there yet, in one step of the storage.

        :return: whether it was created; if not, it was there already. ``None`` where the storage cannot tell.
        :raises LedgerError: nobody knows whether it was created.
        """

    def each(self, work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Do it with each, side by side where that is faster; raise what failed when all have ended."""
        return [work(item) for item in items]

    def remove(self, keys: Iterable[str]) -> None:  # noqa: B027 - by default records stay
        """Remove records that nobody needs, if possible."""

    def register(self, name: str, writer: str) -> None:  # noqa: B027 - by default all keys can be listed
        """Let ``keys`` name the journal ``writer``, whose first records are written."""

    @abstractmethod
    def keys(self, name: str) -> list[str]:
        """Return the keys of the ledger's records: at least one of each journal, and all of its epochs."""

    @abstractmethod
    def where(self, key: str) -> str:
        """Say for a person where the record lies."""


class MemoryStore(Store):
    """For sends outside of Airflow: lasts as long as its process."""

    fences = True

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        return self.records.get(key)

    def write(self, key: str, value: Any) -> None:
        """Keep the value."""
        self.records[key] = msgspec.json.decode(msgspec.json.encode(value))

    def create(self, key: str, value: Any) -> bool | None:
        """Keep the value, unless there is one."""
        if self.read(key) is not None:
            return False
        self.write(key, value)
        return True

    def remove(self, keys: Iterable[str]) -> None:
        """Forget the values."""
        for key in keys:
            self.records.pop(key, None)

    def keys(self, name: str) -> list[str]:
        """Return all keys."""
        return _of(name, self.records)

    def where(self, key: str) -> str:
        """Return the key."""
        return key


class TaskStateStore(Store):
    """
    Airflow's own store (3.3 and newer), one for each task of a run; users see its records in the UI.

    It fences: once a task's next try exists, writes of the old one fail. Its records outlive a clear, and
    Airflow removes them with the run. It cannot list them, so there is one more that names the journals; only
    the try that is not fenced off adds to it.

    :param accessor: ``context["task_state_store"]``.
    :param retention: what keeps a record for ever (``NEVER_EXPIRE``).
    :param most_bytes: how large a record may be: Airflow warns of those above its limit.
    """

    fences = True

    def __init__(self, accessor: Any, *, retention: Any, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._accessor, self._retention = accessor, retention
        self._listed: dict[str, list[str]] = {}

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        try:
            return self._accessor.get(key)
        except Exception as err:
            raise LedgerError(f"Airflow's task state store cannot be read ({type(err).__name__}).") from err

    def write(self, key: str, value: Any) -> None:
        """Write; any failure may mean that this try was replaced, and ``ReplacedError`` does."""
        try:
            self._accessor.set(key, value, retention=self._retention)
        except Exception as err:
            if _is_fenced_off(err):
                raise ReplacedError(
                    "Airflow has given this task to a newer try; this one sends nothing."
                ) from err
            raise LedgerError(
                f"Airflow's task state store did not take a record ({type(err).__name__})."
            ) from err

    def create(self, key: str, value: Any) -> bool | None:  # noqa: ARG002 - no store that fences is asked
        """Return ``None``: Airflow's store writes over what is there."""
        return None

    def register(self, name: str, writer: str) -> None:
        """Add to the list of journals, as ``keys`` has read it: no other try can have added to it since."""
        writers = [*(self._listed[name] if name in self._listed else self._listed_writers(name)), writer]
        self.write(f"{name}.tries", writers)
        self._listed[name] = writers

    def keys(self, name: str) -> list[str]:
        """Return the key of the first record of each journal on the list."""
        self._listed[name] = self._listed_writers(name)
        return [f"{name}.{writer}.0" for writer in self._listed[name]]

    def where(self, key: str) -> str:
        """Name the record."""
        return f"record {key} in Airflow's task state store"

    def _listed_writers(self, name: str) -> list[str]:
        key = f"{name}.tries"
        writers = self.read(key)
        try:
            return msgspec.convert([] if writers is None else writers, list[str])
        except msgspec.ValidationError as err:
            raise damage(self.where(key), "it is not a list of journals") from err


class ObjectStore(Store):
    """
    Files in a folder, local or in any object storage that is strongly consistent.

    A local file is written beside its place, synced to the disk and moved there: it is whole or absent.
    Exclusive creation is ``open(..., "xb")``; in object storage it is asked of the storage, and found out
    once whether it keeps to it.

    :param folder: a ``pathlib.Path`` or ``ObjectStoragePath`` of this ledger's own.
    """

    fences = False

    def __init__(self, folder: Any, *, patience_s: float = 10.0) -> None:
        self.patience_s = patience_s
        self._folder = folder
        self._is_local = is_local(folder)
        self._is_exclusive: bool | None = True if self._is_local else None
        self._has_folder = False
        # In names of files that are being written: two processes, of two machines even, may have one number.
        self._token = token_hex(4)
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="p2psms-ledger")

    def read(self, key: str) -> Any:
        """Return the value, or ``None``."""
        file = self._file(key)
        try:
            self._forget_listings()
            body = file.read_bytes()
            return msgspec.json.decode(body) if body else EMPTY
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as err:
            raise damage(self.where(key), "it is cut or was changed") from err
        except Exception as err:
            raise self._failure("The ledger cannot be read", err) from err

    def write(self, key: str, value: Any) -> None:
        """Write a file whole."""
        self.write_all({key: value})

    def write_all(self, records: Mapping[str, Any]) -> None:
        """Write files side by side: storing or syncing eight takes little more time than one."""
        try:
            self._make_folder()
            files = {self._file(key): msgspec.json.encode(value) for key, value in records.items()}
            if self._is_local:
                self._put(files)
            else:
                *others, last = files
                self.each(lambda file: file.write_bytes(files[file]), others)
                last.write_bytes(files[last])
        except Exception as err:
            raise self._failure("The ledger cannot be written", err) from err

    def create(self, key: str, value: Any) -> bool | None:
        """
        Create a file that is not there yet.

        It is not synced: it matters only to processes that go on, and none does after the power has failed.
        """
        file, body = self._file(key), msgspec.json.encode(value)
        try:
            self._make_folder()
            if self._is_exclusive is None:
                return self._find_out(file, body)
            return _create(file, body) if self._is_exclusive else None
        except Exception as err:
            raise self._failure("The ledger cannot be written", err) from err

    def each(self, work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Do it with each in threads."""
        futures = [self._writers.submit(work, item) for item in items]
        wait(futures)
        return [future.result() for future in futures]

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files; one that cannot be removed stays."""
        for key in keys:
            self._writers.submit(_remove, self._file(key))

    def keys(self, name: str) -> list[str]:
        """List the folder."""
        try:
            # Libraries for object storage remember listings, and would not see what others wrote since.
            self._forget_listings()
            files = [file.name for file in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except Exception as err:
            # So some libraries for object storage say that there is no such folder.
            if isinstance(err, NotADirectoryError) and not self._is_local:
                return []
            raise self._failure("The ledger cannot be listed", err) from err
        return _of(name, (unquote(file.removesuffix(".json")) for file in files if file.endswith(".json")))

    def where(self, key: str) -> str:
        """Return the file's path."""
        return f"{self._file(key)}"

    def _file(self, key: str) -> Any:
        return self._folder / f"{quote(key, safe='')}.json"

    def _failure(self, what: str, err: Exception) -> LedgerError:
        # Of an error of the system its number alone: other texts may quote anything.
        number = err.errno if isinstance(err, OSError) else None
        reason = f"{type(err).__name__}: {os.strerror(number)}" if number else type(err).__name__
        return LedgerError(
            f"{what} in {self._folder} ({reason}). Check the permissions and the free space there, or let "
            "[p2psms] ledger_path name another place."
        )

    def _forget_listings(self) -> None:
        if not self._is_local and hasattr(self._folder, "fs"):
            self._folder.fs.invalidate_cache()

    def _find_out(self, file: Any, body: bytes) -> bool | None:
        """Create the first file, and then once more: a storage that allows that has no exclusive creation."""
        try:
            created = _create(file, body)
        except (NotImplementedError, TypeError, ValueError):  # its library does not know the mode
            self._is_exclusive = False
            return None
        try:
            self._is_exclusive = not created or not _create(file, body)
        except Exception:  # noqa: BLE001 - a refusal that is not told from others is of no use
            self._is_exclusive = False
        return created if self._is_exclusive else None

    def _make_folder(self) -> None:
        """Make the folder; where it is local, names of folders that are made become durable."""
        if self._has_folder:
            return
        made = []
        if self._is_local:
            made = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in made:
            _sync_folder(folder.parent)
        self._has_folder = True

    def _put(self, files: Mapping[Path, bytes]) -> None:
        # Only the syncing is worth a thread: those that make files in one folder wait for each other.
        with ExitStack() as stack:
            parts = dict[Path, BinaryIO]()
            for file, body in files.items():
                part = file.with_name(f"{file.name}.{self._token}.part")
                stack.callback(part.unlink, missing_ok=True)
                stream = stack.enter_context(part.open("wb"))
                stream.write(body)
                stream.flush()
                parts[part] = stream
            self.each(os.fsync, parts.values())
            *others, last = zip(parts, files, strict=True)
            for part, file in others:
                part.replace(file)
            if others:
                _sync_folder(self._folder)
            part, file = last
            part.replace(file)
            if not others:
                _sync_folder(self._folder)


def _create(file: Any, body: bytes) -> bool:
    try:
        with file.open("xb") as stream:
            stream.write(body)
    except FileExistsError:
        return False
    return True


def _remove(file: Any) -> None:
    with suppress(Exception):
        file.unlink()


def _sync_folder(folder: Path) -> None:
    """Make names of files durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_fenced_off(err: Exception) -> bool:
    # Its supervisor is gone, or the API server does not know this try's id any more (404), or not as running.
    detail = getattr(getattr(err, "error", None), "detail", None)
    status = detail.get("status_code") if isinstance(detail, dict) else None
    return isinstance(err, OSError | EOFError) or status in {404, 409}


def _of(name: str, keys: Iterable[str]) -> list[str]:
    return [key for key in keys if key.startswith(f"{name}.")]


def writers_in(name: str, keys: Iterable[str]) -> set[str]:
    """Return the journals of which there are records."""
    matches = (_OF_A_JOURNAL.fullmatch(key.removeprefix(f"{name}.")) for key in keys)
    return {match[1] for match in matches if match}


def epochs_in(name: str, owner: str, keys: Iterable[str]) -> list[int]:
    """Return the numbers of an owner's epochs, in order."""
    return sorted(number for theirs, number in _epochs(name, keys) if theirs == owner)


def last_epochs(name: str, keys: Iterable[str]) -> dict[str, int]:
    """Return the number of each owner's last epoch."""
    return dict(sorted(_epochs(name, keys)))


def _epochs(name: str, keys: Iterable[str]) -> Iterable[tuple[str, int]]:
    matches = (_EPOCH.fullmatch(key.removeprefix(f"{name}.")) for key in keys)
    return [(match[1] or "", int(match[2])) for match in matches if match]
