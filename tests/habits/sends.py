"""
Tasks that are run, retried and cleared as Airflow would, and judged by what the gateway knows after each try.

The judge holds, after every single try: no message was taken twice; a success sent every row once and says so
truly; a failure counts what is in doubt, and says of no row what is not so.
"""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_p2psms.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)
from tests.habits.gateway import LINE, TOKEN, Entry, HabitGateway

Row = tuple[str, str]
WITNESS = "+989391234567"


def number(place: int) -> str:
    """Return the recipient of a row."""
    return f"+98912{place:07d}"


def text(place: int) -> str:
    """Return a text with all that an outbox may alter, told from others by its beginning."""
    return f'مشتری {place:04d} عزیز!  کد پیگیری ۱۲۳4 می\u200cرسد،\nلطفا "پیام" & <ما> را ببینید - یک...'


def late_text(place: int) -> str:
    """Return a text that is told from others by its end alone."""
    return f'مشتری عزیز و گرامی ما، سلام!  سفارش شما "آماده" است و می\u200cرسد - کد {place:04d}'


def personal(most: int, *, of: Callable[[int], str] = text, first: int = 1) -> list[Row]:
    """Return rows with a text of their own each."""
    return [(number(place), of(place)) for place in range(first, first + most)]


def grouped(most: int, *, size: int = 10) -> list[Row]:
    """Return rows of which as many as a batch holds share a text."""
    return [(number(place), text(1 + (place - 1) // size)) for place in range(1, most + 1)]


def connect(monkeypatch: pytest.MonkeyPatch, url: str, *, token: str = TOKEN, **extra: Any) -> None:
    """Let the default connection lead to a gateway, with time-outs that no busy machine meets."""
    extras = {"from_number": LINE, "connect_timeout": 5, "read_timeout": 10, **extra}
    value = {"conn_type": "p2psms", "host": url, "password": token, "extra": extras}
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", json.dumps(value))


@dataclass(frozen=True)
class Ended:
    """How a try ended: ``success``, ``retry``, ``failed`` (for good) or ``skipped``."""

    kind: str
    text: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    outcomes: list[dict[str, str]] = field(default_factory=list)

    @property
    def in_doubt(self) -> int:
        """How many rows the outcomes say are in doubt."""
        return sum(each["outcome"] == "in_doubt" for each in self.outcomes)


@dataclass
class Task:
    """
    One task of one run.

    :param copies: how often a message may be taken; 1 but where a test resends on purpose.
    :param offers: how often a message may leave.
    """

    gateway: HabitGateway
    operator: Callable[..., Any]
    folder: Path
    rows: Sequence[Row] = field(default_factory=lambda: personal(30))
    retries: int = 2
    map_index: int = -1
    options: dict[str, Any] = field(default_factory=dict)
    state_store: Any = None
    copies: int = 1
    offers: int = 2
    try_number: int = 0
    max_tries: int = 2
    tries: list[Ended] = field(default_factory=list)

    def run(self, **changed: Any) -> Ended:
        """Run the task until it succeeds, fails for good or has used up its retries."""
        while True:
            ended = self.once(**changed)
            if ended.kind != "retry" or self.try_number > self.max_tries:
                return ended

    def clear(self, **changed: Any) -> Ended:
        """Clear the task as a person does, and run it again."""
        self.max_tries = self.try_number + self.retries
        return self.run(**changed)

    def once(self, *, judged: bool = True, **changed: Any) -> Ended:
        """Run one try and judge it."""
        self.try_number += 1
        rows = changed.pop("messages", self.rows)
        outcomes = self.folder / f"outcomes.{self.map_index}.{self.try_number}.csv"
        options = {"batch_size": 10, "max_in_flight": 1, **self.options, **changed}
        operator = self.operator(
            task_id="send", messages=list(rows), outcomes=str(outcomes), retries=self.retries, **options
        )
        ended = self._execute(operator, outcomes)
        self.tries.append(ended)
        if judged:
            judge(self, ended, rows)
        return ended

    def _execute(self, operator: Any, outcomes: Path) -> Ended:
        kind, told, result = "success", "", {}
        try:
            result = operator.execute(self.context())
        except AirflowSkipException as err:
            kind, told = "skipped", str(err)
        except AirflowFailException as err:
            kind, told = "failed", str(err)
        except AirflowException as err:
            kind, told = "retry", str(err)
        lines = []
        if outcomes.exists():
            with outcomes.open(encoding="utf-8", newline="") as stream:
                lines = list(csv.DictReader(stream))
        return Ended(kind, told, result, lines)

    def context(self) -> Any:
        """Return what the operators read of Airflow's context."""
        ti = SimpleNamespace(
            dag_id="campaign",
            run_id="manual__2026-11-29",
            task_id="send",
            map_index=self.map_index,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=lambda **_: None,
        )
        return {"ti": ti} | ({"task_state_store": self.state_store} if self.state_store else {})


def judge(task: Task, ended: Ended, rows: Sequence[Row]) -> None:
    """Fail unless a try kept the promises."""
    none_twice(task)
    if ended.kind == "skipped":
        raise AssertionError(f"skipped with {len(rows)} rows: {ended.text}")
    taken = task.gateway.taken()
    all_ids = task.gateway.ids()
    by_number = {f"{place}": Entry(*row) for place, row in enumerate(rows, 1)}
    for line in ended.outcomes:
        entry = by_number[line["row"]]
        true_ids = set(map(str, all_ids.get(entry, ())))
        if line["outcome"] == "accepted":
            assert line["outbox_id"] in true_ids, f"{line} but the gateway has it under {true_ids}"
        elif line["outcome"] in {"refused", "invalid"}:
            assert not taken[entry], f"{line}, but the gateway has taken it"
    if ended.kind == "success":
        _is_true(task, ended, rows)
        return
    if ended.in_doubt:
        assert re.search(rf"(?<![\d,]){ended.in_doubt:,}(?![\d,])[^.\n]*in doubt", ended.text), ended.text
    assert not re.search(r"98912|0912|مشتری|token", ended.text), "a number, a text or the token is shown"


def none_twice(task: Task) -> None:
    """Fail if a message was taken or has left too often."""
    taken = task.gateway.taken()
    twice = {
        entry: count for entry, count in taken.items() if count > task.copies and entry.number != WITNESS
    }
    assert not twice, f"{len(twice)} of {len(taken)} messages taken up to {max(twice.values())} times"
    most = max((count for entry, count in task.gateway.offers.items() if entry.number != WITNESS), default=0)
    assert most <= task.offers, f"a message left {most} times"


def _is_true(task: Task, ended: Ended, rows: Sequence[Row]) -> None:
    taken = task.gateway.taken()
    missing = [row for row in rows if not taken[Entry(*row)]]
    assert not missing, f"success, but {len(missing)} of {len(rows)} were never sent"
    assert all(line["outcome"] in {"accepted", "duplicate"} for line in ended.outcomes)
    if task.copies == 1:
        all_ids = task.gateway.ids()
        ids = list(dict.fromkeys(each for row in rows for each in all_ids[Entry(*row)]))
        given = ended.result["message_outbox_ids"]
        theirs = set(ids)
        assert ids == [each for each in given if each in theirs], "the ids are not those of the rows"
    assert ended.result["accepted"] >= len(set(rows))
