"""
What Airflow calls back for, read from the context that it gives: each of its callbacks gives another.

A task's callback has the task instance. A DAG's has a *reason*, and perhaps its last task. A deadline's has a
DAG run as plain values, and nothing else. A missed SLA (Airflow 2) has a list of tasks, and no run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal

# One part of a text with letters beyond the GSM alphabet; a DAG's name may have some.
ONE_PART = 70
_LEAST_NAME = 12

_SAID = {
    "failed": "failed",
    "success": "succeeded",
    "up_for_retry": "will be retried",
    "up_for_reschedule": "will be continued",
    "skipped": "was skipped",
    "running": "has started",
    "deadline": "missed its deadline",
    "sla": "missed its SLA",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One event: of a task, a DAG run, a deadline or an SLA; templates know it as ``event``.

    ``state`` is Airflow's word for what became of the task or run (``deadline`` and ``sla`` for those that
    are missed). ``task_id`` and ``run_id`` are empty where there is none. ``number`` tells apart what is not
    the same event: a task's try, how often a run was cleared. ``at`` is the run's logical date, or when it
    was due. As a text it is one short sentence, of 70 characters at most.
    """

    kind: Literal["task", "dag", "deadline", "sla"]
    state: str
    dag_id: str
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    number: int = 0
    at: datetime | None = None
    token: str = ""

    def __str__(self) -> str:
        tries = f" (try {self.number})" if self.kind == "task" and self.number > 1 else ""
        when = f", {self.at.astimezone(UTC):%d %b %H:%M} UTC" if self.at else ""
        said = f" {_SAID.get(self.state, self.state)}{tries}{when}"
        return f"Airflow: {self._name(ONE_PART - len('Airflow: ') - len(said))}{said}"

    @property
    def is_known(self) -> bool:
        """Whether the context says enough to tell this event from others like it."""
        return bool(self.dag_id and (self.run_id or self.token))

    @property
    def place(self) -> tuple[str, ...]:
        """The event's own place among all ledgers, of names without two alike."""
        which = (
            f"{self.map_index}.{self.number}.{self.token}"
            if self.token
            else f"{self.map_index}.{self.number}"
        )
        # No DAG, run or task can be called @notices, so that no task's ledger is met.
        return (
            self.dag_id or "@none",
            self.run_id or "@none",
            "@notices",
            self.state,
            self.task_id or "@none",
            which,
        )

    def _name(self, most: int) -> str:
        task = f".{self.task_id}" if self.task_id else ""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        most = max(most, _LEAST_NAME) - len(mapped)
        of_dag = min(len(self.dag_id), max(most - len(task), most // 2))
        return f"{_cut(self.dag_id, of_dag)}{_cut(task, most - of_dag)}{mapped}"


def read_event(context: Mapping[str, Any], callback: object = None) -> Event:
    """
    Tell which event a callback's context is of.

    :param callback: the object that Airflow calls back.
    """
    run = context.get("dag_run")
    if "task_list" in context:
        told = blake2b(str(context["task_list"]).encode(), digest_size=8).hexdigest()
        return Event(kind="sla", state="sla", dag_id=_get(context.get("dag"), "dag_id"), token=told)
    if "deadline" in context:
        return Event(
            kind="deadline",
            state="deadline",
            dag_id=_get(run, "dag_id"),
            run_id=_get(run, "dag_run_id"),
            at=_date(run),
            token=str(context["deadline"].get("id", "")),
        )
    ti = context.get("ti") or context.get("task_instance")
    if ti is None or "reason" in context:
        return _dag_event(context, run, ti)
    return Event(
        kind="task",
        state=_state(ti) or _state_of_killed(ti, callback),
        dag_id=_get(ti, "dag_id") or _get(run, "dag_id"),
        run_id=_get(ti, "run_id") or context.get("run_id") or _get(run, "run_id"),
        task_id=_get(ti, "task_id"),
        map_index=_get(ti, "map_index", -1),
        number=_get(ti, "try_number", 1),
        at=_date(run),
    )


def _dag_event(context: Mapping[str, Any], run: Any, ti: Any) -> Event:
    state = _state(run)
    if state not in {"failed", "success"}:
        state = "success" if context.get("reason") == "success" else "failed"
    return Event(
        kind="dag",
        state=state,
        dag_id=_get(context.get("dag"), "dag_id") or _get(ti, "dag_id") or _get(run, "dag_id"),
        run_id=context.get("run_id") or _get(run, "run_id") or _get(ti, "run_id"),
        number=_get(run, "clear_number", 0) or 0,
        at=_date(run),
    )


def _state_of_killed(ti: Any, callback: object) -> str:
    """
    Say what becomes of a task whose process died: Airflow 3 retries it or fails it.

    The DAG processor calls back for such a task, and gives no state. The list that the callback is in tells;
    where it is in both or wrapped, the tries that are left do.
    """
    task = _get(ti, "task")
    of_retry, of_failure = (
        any(each is callback for each in _as_list(_get(task, name)))
        for name in ("on_retry_callback", "on_failure_callback")
    )
    if of_retry != of_failure:
        return "up_for_retry" if of_retry else "failed"
    tries, most = _get(ti, "try_number", 1) or 1, _get(ti, "max_tries", 0) or 0
    return "up_for_retry" if tries <= most else "failed"


def _as_list(callbacks: Any) -> list[Any] | tuple[Any, ...]:
    return callbacks if isinstance(callbacks, list | tuple) else [callbacks]


def _state(thing: Any) -> str:
    state = _get(thing, "state")
    return str(getattr(state, "value", state) or "")


def _date(run: Any) -> datetime | None:
    date = _get(run, "logical_date", None) or _get(run, "run_after", None)
    return datetime.fromisoformat(date) if isinstance(date, str) else date


def _get(thing: Any, name: str, default: Any = "") -> Any:
    return thing.get(name, default) if isinstance(thing, Mapping) else getattr(thing, name, default)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 2, 1)]}.."
