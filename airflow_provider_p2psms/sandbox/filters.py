"""The filters of the page and of ``/sandbox/messages``: parameters of a URL, as a condition in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from airflow_provider_p2psms.sandbox.expecting import spell_e164
from airflow_provider_p2psms.sandbox.folding import fold, number_forms
from airflow_provider_p2psms.sandbox.outcomes import HAS_OUTCOME, OUTCOMES

# Parameter, and what a record must be like; `:name` is the parameter's value as it was read.
_CONDITIONS = {
    "sender": "from_number = :sender",
    "kind": "kind = :kind",
    "dag": "request IN (SELECT request FROM origins WHERE dag_id = :dag)",
    "run": "request IN (SELECT request FROM origins WHERE run_id = :run)",
    "task": "request IN (SELECT request FROM origins WHERE task_id = :task)",
    "to": "id IN (SELECT outbox_id FROM messages WHERE recipient = :to)",
    "since": "created_at >= :since",
    "before": "created_at < :before",
    "outbox_id": "id = :outbox_id",
    "request": "request = :request",
}
_SEARCH = """(
  instr(folded, :q) OR id = :q_as_id
  OR id IN (
    SELECT outbox_id FROM own_texts JOIN messages ON messages.id = own_texts.message
    WHERE instr(fold(own_texts.text), :q)
  ){numbers}
)"""
# One digit less than SQLite's greatest integer has.
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Filters:
    """
    ``given`` are the parameters that filter, as they came; ``where`` and ``values`` the same for SQL.

    ``problems`` says which parameters could not be read; they filter nothing.
    """

    given: dict[str, str] = field(default_factory=dict)
    where: str = "true"
    values: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def raise_any(self) -> None:
        """
        Refuse filters of which one could not be read.

        :raises ValueError: with the sentence of the first.
        """
        if self.problems:
            raise ValueError(self.problems[0])

    def url(self, **more: object) -> str:
        """Return the parameters of a URL with these filters and more, without those that are ``None``."""
        wanted = {**self.given, **more}
        return "?" + urlencode({name: value for name, value in wanted.items() if value is not None})


def read_filters(query: Mapping[str, str]) -> Filters:
    """Read the filters of a URL. Empty and unknown parameters filter nothing."""
    given: dict[str, str] = {}
    conditions: list[str] = []
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in ("q", "state", *_CONDITIONS):
        if not (value := query.get(name, "").strip()):
            continue
        try:
            condition, read = _read(name, value)
        except ValueError as err:
            problems.append(str(err))
            continue
        given[name] = value
        conditions.append(condition)
        values |= read
    return Filters(given, " AND ".join(conditions) or "true", values, tuple(problems))


def _read(name: str, value: str) -> tuple[str, dict[str, Any]]:
    if name == "q":
        return _search(value)
    if name == "state":
        return _state(value), {}
    return _CONDITIONS[name], {name: _read_value(name, value)}


def _search(query: str) -> tuple[str, dict[str, Any]]:
    forms = {f"number{place}": form for place, form in enumerate(number_forms(query))}
    found = " OR ".join(f"instr(recipient, :{name})" for name in forms)
    numbers = f" OR id IN (SELECT outbox_id FROM messages WHERE {found})" if forms else ""  # noqa: S608 - names
    folded = fold(query)
    as_id = int(folded) if folded.isascii() and folded.isdigit() and len(folded) < _DIGITS else None
    return _SEARCH.format(numbers=numbers), {"q": folded, "q_as_id": as_id, **forms}


def _state(value: str) -> str:
    if value not in OUTCOMES:
        raise ValueError(f"state is one of {', '.join(OUTCOMES)}, not {value!r}")
    return HAS_OUTCOME[value]


def _read_value(name: str, value: str) -> object:
    if name == "to":
        return spell_e164(fold(value))
    if name in ("since", "before"):
        return _read_time(name, value)
    if name in ("outbox_id", "request"):
        return read_id(name, value)
    return value


def read_id(name: str, value: str) -> int:
    """
    Read a number of a record or a request.

    :raises ValueError: it is none.
    """
    if not (value.isascii() and value.isdigit() and len(value) < _DIGITS):
        raise ValueError(f"{name} is a whole number, not {value!r}")
    return int(value)


def _read_time(name: str, value: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name} is a time in UTC such as 2026-01-31T12:00, not {value!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
