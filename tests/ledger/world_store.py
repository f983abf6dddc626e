"""The store of a world: as one try sees it, and as a try sees it that begins."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_p2psms.errors import LedgerError, ReplacedError
from airflow_provider_p2psms.ledger.ledger import History, read_history
from airflow_provider_p2psms.ledger.records import Entry, Intent, Settlement
from airflow_provider_p2psms.ledger.stores import MemoryStore, Store

from .world_rules import EVERYBODYS, NAME, SKEW


class NotYet(Exception):  # noqa: N818 - a signal
    """A try that begins has had its turn."""


class Records(dict[str, Any]):
    """A store's records. They never change: a write makes new ones."""

    @functools.cached_property
    def read(self) -> tuple[History, dict[str, list[Entry]]]:
        store = MemoryStore()
        store.records = self
        return read_history(store, NAME)

    @functools.cached_property
    def open(self) -> dict[tuple[str, int], int]:
        """The open intents, numbered: how many there were before them does not count."""
        entries = [(writer, entry) for writer, entries in self.read[1].items() for entry in entries]
        settled = {
            (entry.writer, entry.number): min(entry.unpack())
            for _, entry in entries
            if isinstance(entry, Settlement)
        }
        names = ((writer, entry.number) for writer, entry in entries if isinstance(entry, Intent))
        return {
            name: number for number, name in enumerate(each for each in names if settled.get(each, -1) == -1)
        }

    @functools.cached_property
    def overs(self) -> list[float]:
        """When the requests in doubt are over."""
        return [each.until if each.over is None else each.over for each in self.read[0].doubts]

    @functools.cached_property
    def meaning(self) -> tuple[Any, ...]:
        """What the records say, but for times; how it came to that does not count."""
        history, journals = self.read
        return (
            [
                (each.writer, each.digests.packed, each.said_taken, each.answer_ids, each.is_witness)
                for each in history.doubts
            ],
            sorted(history.accepted.items()),
            sorted(history.absent),
            [
                (each.outbox_id, *(each.at >= over + 2 * SKEW for over in self.overs))
                for each in history.receipts
            ]
            if self.overs
            else (),
            history.completion is not None,
            sorted(journals),
        )


class Port(MemoryStore):
    """The store as one try sees it."""

    def __init__(self, world: Any, number: int, fails: str = "") -> None:
        rules = world.rules
        self.fences = rules.fence if rules.claims_fence is None else rules.claims_fence
        self._world, self._fails = world, fails
        self._is_replaced = rules.fence and number < len(world.tries)

    def read(self, key: str) -> Any:
        return self._world.records.get(key)

    def keys(self, name: str) -> list[str]:
        return [key for key in self._world.records if key.startswith(f"{name}.")]

    def write(self, key: str, value: Any) -> None:
        self.write_all({key: value})

    def write_all(self, records: Mapping[str, Any]) -> None:
        if self._is_replaced:
            raise ReplacedError("Replaced.")
        if self._fails != "lost":
            items = list(records.items())
            self._world.records = Records(
                self._world.records | dict(items[: -1 if self._fails == "half" else None])
            )
        if self._fails:
            raise LedgerError("The store failed.")


class Turn(Store):
    """The store for a try that begins: does again what stands in the log, and then one thing more."""

    def __init__(self, port: Port, log: tuple[Any, ...], *, alone: Callable[[str], bool]) -> None:
        self.fences, self.log = port.fences, log
        self._port, self._again, self._alone, self._had = port, iter(log), alone, False

    def read(self, key: str) -> Any:
        return self._do(key, lambda: self._port.read(key))

    def write(self, key: str, value: Any) -> None:
        self._do(key, lambda: self._port.write(key, value))

    def write_all(self, records: Mapping[str, Any]) -> None:
        self._do(next(iter(records)), lambda: self._port.write_all(records))

    def create(self, key: str, value: Any) -> Any:
        return self._do(key, lambda: self._port.create(key, value))

    def keys(self, name: str) -> Any:
        return self._do(EVERYBODYS, lambda: self._port.keys(name))

    def where(self, key: str) -> str:
        return key

    def _do(self, key: str, access: Callable[[], Any]) -> Any:
        for seen in self._again:
            return seen
        if not self._alone(key):
            if self._had:
                raise NotYet
            self._had = True
        result = access()
        self.log += (result,)
        return result
