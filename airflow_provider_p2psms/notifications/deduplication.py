"""
The ledger of a notice: an event for which Airflow calls back twice is announced once.

It is kept in files, also on Airflow 3.3: its state store belongs to the task, and is not there for the DAG
processor and the triggerer, who call back as well. Two who call back on one machine take turns. Where files
cannot be written there is a window instead: for that long this process remembers what it has sent.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_p2psms.errors import InvalidMessageError, LedgerError
from airflow_provider_p2psms.ledger.stores import MemoryStore, ObjectStore, Store
from airflow_provider_p2psms.operators.ledger import ledger_folder
from airflow_provider_p2psms.paths import is_local

log = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()
_remembered: dict[tuple[str, ...], tuple[float, MemoryStore]] = {}


@contextmanager
def notice_store(*names: str, forever: bool, window_s: float) -> Iterator[Store]:
    """
    Give the store of one notice, to nobody else on this machine meanwhile.

    :param forever: whether the names are those of one event alone; otherwise it is remembered for the window.
    """
    if not forever:
        with _one_at_a_time:
            yield _remember(names, window_s)
        return
    try:
        folder = ledger_folder(*names)
        store = ObjectStore(folder)
        store.write("called", time.time())
    except (InvalidMessageError, LedgerError) as err:
        log.warning(
            "%s For %.0f minutes, this process alone remembers that the SMS was sent.", err, window_s / 60
        )
        with _one_at_a_time:
            yield _remember(names, window_s)
    else:
        with _turn(folder):
            yield store


def _remember(names: tuple[str, ...], window_s: float) -> Store:
    now = time.monotonic()
    for told in [told for told, (at, _) in _remembered.items() if now - at > window_s]:
        del _remembered[told]
    return _remembered.setdefault(names, (now, MemoryStore()))[1]


@contextmanager
def _turn(folder: Any) -> Iterator[None]:
    if not is_local(folder):
        yield  # object storage has no locks; there the ledger itself stops all but one
        return
    with (folder / "turn").open("w") as lock:
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
