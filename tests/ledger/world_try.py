"""One try of a world: a machine with its ledger, how they are copied, and what tells them apart."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from airflow_provider_p2psms.ledger.digest import Digests
from airflow_provider_p2psms.ledger.records import Claim, Intent, Settlement
from airflow_provider_p2psms.sending.machine import Await, Item, Stage

from .world_rules import SKEW, START_WITHIN, Rules, messages_in


class Try:
    """One try; while it begins, the ``log`` of that."""

    def __init__(self, number: int, ahead: int, *, dead: bool = False) -> None:
        self.number, self.ahead, self.dead = number, ahead, dead
        self.over = False
        self.log: tuple[Any, ...] = ()
        self.machine: Any = None
        self.history: Any = None
        self.doing: type[Any] | None = None
        self.batches: tuple[tuple[int, ...], ...] = ()
        # What the pace depends on: when a request left last, and until when the gateway asked to wait.
        self.left_at = self.busy_until = -99.0
        # Whether a batch has left as the witness of those in doubt.
        self.has_called = False

    @property
    def alive(self) -> bool:
        return not (self.dead or self.over)

    def copy(self) -> "Try":
        new = object.__new__(Try)
        new.__dict__ = dict(self.__dict__)
        new.machine = _copy_machine(self.machine) if self.machine else None
        return new

    def messages(self, item: Item) -> tuple[int, ...]:
        """Return the messages that an item has, also before they are read."""
        if item.stage is Stage.PLANNED and not item.batch and item.request:
            return self.batches[item.request.number]
        return messages_in(Digests(item.batch.digests))

    def may_post(self, now: float) -> bool:
        """Whether an intent is young enough for its request to leave."""
        items = (self.machine.items[number] for number in self.machine._intended)
        return any(now + self.ahead <= item.at + START_WITHIN for item in items)

    def key(self, now: float, rules: Rules, open_: Mapping[tuple[str, int], int]) -> tuple[Any, ...]:
        if self.machine is None:
            return tuple(plain(value, now, rules.past) for value in self.log)
        machine, at = self.machine, now + self.ahead
        doubtful = [(each.over + SKEW * each.is_inherited) for each in machine.doubtful]
        outcomes = machine._outcomes
        return (
            self.doing is Await,
            tuple(self._item_key(each, at, rules, open_, doubtful) for each in machine.items),
            machine._window,
            max(machine._next_send_at - at, -1) if machine._next_send_at else -1,
            (machine._owner_seen, machine._unwritten, machine._is_urgent, machine._is_first_answer),
            (machine._halted, machine._ledger_lost, machine._is_closed, machine._has_polled),
            (machine._has_witness_left, machine._has_sent_witness),
            max(machine._news_at - at, rules.past) if doubtful else 0,
            tuple(sorted(machine._absent)),
            (tuple(sorted(machine._tried)) if rules.repeats_refused else (), machine.failure is None),
            # A witness of before a doubt says nothing about it, and never will.
            # Unless it is of a try whose clock is ahead.
            [
                (each.outbox_id, max(each.at - at, -1), *(each.at >= over for over in doubtful))
                for each in machine.receipts
                if doubtful or each.at >= at
            ],
            tuple(_pending(machine._ledger._journal, at, rules.past, open_)),
            outcomes._ids.tobytes(),
            outcomes.count()["in_doubt"],
            (max(self.left_at - now, -rules.gap - 1), max(self.busy_until - now, -1), self.has_called),
        )

    def _item_key(
        self, item: Item, at: float, rules: Rules, open_: Mapping[tuple[str, int], int], doubtful: list[float]
    ) -> tuple[Any, ...]:
        if item.stage is Stage.DONE:
            return ()
        time: Any = 0
        if item.stage is Stage.INTENDED:
            time = max(item.at - at, -START_WITHIN - 1)
        elif item.stage is Stage.UNDER_WAY:
            time = tuple(item.at >= over for over in doubtful)
        elif item.stage is Stage.IN_DOUBT:
            time = max(item.over - at, rules.past)
        return (
            int(item.stage),
            self.messages(item),
            time,
            (item.said_taken, item.answer_ids, item.is_inherited),
            item.rounds if rules.repeats_refused else 0,
            tuple(
                (open_.get((each.writer, each.number), -1), each.digests.packed, each.is_witness)
                for each in item.doubts
            ),
        )


def _copy_machine(machine: Any) -> Any:
    new = _shallow(machine)
    new.items = [Item(*(getattr(item, name) for name in _ITEM_FIELDS)) for item in machine.items]
    for name in ("_absent", "_in_doubt", "_intended", "_under_way"):
        setattr(new, name, getattr(machine, name).copy())
    new.receipts = deque(machine.receipts, machine.receipts.maxlen)
    new.gone_ids = machine.gone_ids.copy()
    new._outcomes = _shallow(machine._outcomes)
    for name in ("_ids", "_codes", "_known"):
        setattr(new._outcomes, name, getattr(machine._outcomes, name)[:])
    new._ledger = _shallow(machine._ledger)
    journal = new._ledger._journal = _shallow(machine._ledger._journal)
    journal._full = [entries.copy() for entries in journal._full]
    journal._last = journal._last.copy()
    new._ledger._epochs = _shallow(machine._ledger._epochs)
    return new


_ITEM_FIELDS = [each.name for each in fields(Item)]


def _shallow(thing: Any) -> Any:
    new = object.__new__(type(thing))
    new.__dict__ = dict(thing.__dict__)
    return new


def _pending(journal: Any, at: float, past: int, open_: Mapping[tuple[str, int], int]) -> Iterator[Any]:
    """Return what is noted and not yet written."""
    entries = [entry for segment in (*journal._full, journal._last) for entry in segment]
    for entry in entries[journal.length.entries - journal._entries :]:
        match entry:
            case Intent():
                yield entry.digests, max(entry.until - at, past), entry.is_witness
            case Settlement():
                yield open_.get((entry.writer, entry.number), -1), entry.ids, entry.at > 0
            case Claim():
                yield (
                    open_.get((entry.writer, entry.number), -1),
                    max(entry.over - at, past),
                    entry.said_taken,
                    entry.ids,
                )
            case _:
                yield type(entry).__name__


_TIMES = {"at", "until", "over", "begun"}


def plain(value: Any, now: float, past: int) -> Any:
    """Return a record without its checksums, and with times that count from now."""
    if isinstance(value, list | tuple):
        return tuple(plain(each, now, past) for each in value)
    if isinstance(value, dict):
        return tuple(
            (key, max(each - now, past) if key in _TIMES else plain(each, now, past))
            for key, each in value.items()
            if key not in {"checksum", "begun"}
        )
    return value
