"""
The answers of the report pages, with their keys, strings and integers as printed.

Ids and counts are strings here, though integers in the answers of sends; the list and the single record
differ in a few keys. Which records exist and which state they are in, ``store.py`` and ``statuses.py`` know;
what the habits make of texts, numbers, times and pages, ``showing.py`` and ``paging.py``.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import (
    Answer,
    Refused,
    done,
    done_briefly,
    not_found,
    wrong_fields,
)
from airflow_provider_p2psms.sandbox.habits import Habits
from airflow_provider_p2psms.sandbox.paging import cut_page, page_number, paging, shape, whole_number
from airflow_provider_p2psms.sandbox.pricing import is_gsm7, operator_of
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.showing import (
    clock_offset_s,
    count_recipients,
    show_line,
    show_recipient,
    show_recipients,
    show_text,
    show_time,
)
from airflow_provider_p2psms.sandbox.statuses import KNOWN_STATES, State, recipient_status
from airflow_provider_p2psms.sandbox.store import Store

_FILTERS_BY_NUMBER = (
    "messages_outbox_id",
    "create_from_date",
    "create_to_date",
    "send_from_date",
    "send_to_date",
    "from_exit_count",
    "to_exit_count",
)
_FILTERS_BY_TEXT = ("number", "message")
# In the order of the recipient statuses: handed over, received, delivered, not delivered, blacklisted.
_OUTCOMES = ("pending", "sent", "delivered", "failed", "blacklist")


class Reports:
    """Answers the four report pages for the time ``now``; each ``question`` has a number of its own."""

    def __init__(self, settings: Settings, store: Store, *, now: float, question: int) -> None:
        self._settings = settings
        self._store = store
        self._by_line = settings.habits_by_line()
        self._sent_before = now - settings.queue_s
        self._view = {
            "now": now,
            "sent_before": self._sent_before,
            "paces": json.dumps(
                [_pace(line, habits) for line, habits in {"": settings, **self._by_line}.items()]
            ),
            "has_lines": bool(self._by_line),
            "salt": question * 7919 % 10007,
        }

    def _habits_of(self, row: sqlite3.Row) -> Habits:
        return self._by_line.get(row["line"], self._settings)

    def by_bulk(self, outbox_id: int) -> Answer:
        """Answer one record, or 404 where there is none (yet)."""
        row = self._find(outbox_id)
        rejected = row["state"] == State.REJECTED
        only_here = {
            "number_color": None,
            "return": 0,
            "valid": None,
            "part": str(row["parts"]),
            "summary": show_text(row["text"], self._habits_of(row)),
            "user_ip": "127.0.0.1",
            "user_id": "58745",
            "reject_comment": phrases.REJECT_COMMENT if rejected else None,
            "files_path": f"1/send/{row['id']}.csv",
            "parent_id": str(row["request"]),
        }
        return done_briefly(self._record(row) | only_here)

    def new_list(self, body: Mapping[str, Any], *, path: str) -> Answer:
        """Answer a page of the records that match all filters, newest first."""
        settings = self._settings
        cut = cut_page(
            page_number(body.get("page", 1), "page"), page_number(body.get("limit", 10), "limit"), settings
        )
        wanted = _read_filters(body.get("filters", {}))
        if settings.filters_ignored:
            wanted = dict.fromkeys(wanted)
        rows, total = self._store.search(
            wanted | self._view, order=settings.order, limit=cut.size, offset=cut.offset
        )
        only_here = {
            "number_color": "#95E871",
            "valid": "approve",
            "part": None,
            "summary": None,
            "user_ip": None,
            "user_id": None,
            "files_path": None,
            "parent_id": None,
        }
        records = [self._record(row) | only_here for row in rows] if not cut.is_empty else []
        numbers = paging(cut, len(records), total=total, path=path, habits=settings)
        return done_briefly(shape(records, settings), paging=numbers)

    def recipients(self, outbox_id: int, *, page: int, per_page: int, path: str) -> Answer:
        """Answer a page of recipients with what became of each."""
        settings = self._settings
        row = self._find(outbox_id)
        habits = self._habits_of(row)
        cut = cut_page(page, per_page, settings)
        shown = show_recipients(self._store.recipients(outbox_id), habits)
        data = [
            {
                "recipient": show_recipient(recipient, habits),
                "message": show_text(text, habits),
                "is_readable": True,
                "msg_parts": str(row["parts"]),
                "message_status": str(self._status(row, ending)),
            }
            for recipient, text, ending in shown[cut.offset : cut.offset + cut.size]
            if not cut.is_empty
        ]
        numbers = paging(cut, len(data), total=len(shown), path=path, habits=settings)
        return done_briefly(shape(data, settings), paging=numbers)

    def bulk_stats(self, outbox_id: int) -> Answer:
        """Answer the counts by outcome, operator and language: as printed, zeros are ints, others text."""
        row = self._find(outbox_id)
        language = "en" if is_gsm7(row["text"]) else "fa"
        counts: dict[str, dict[str, dict[str, int | str]]] = {
            f"operators_{outcome}": {operator: {"en": 0, "fa": 0} for operator in ("irancell", "mci")}
            for outcome in _OUTCOMES
        }
        for recipient, _, ending in self._store.recipients(outbox_id):
            outcome = _OUTCOMES[self._status(row, ending)]
            operators = counts[f"operators_{outcome}"]
            languages = operators.setdefault(operator_of(recipient), {"en": 0, "fa": 0})
            languages[language] = str(int(languages[language]) + 1)
        return done(counts)

    def _find(self, outbox_id: int) -> sqlite3.Row:
        row = self._store.find(outbox_id, view=self._view)
        if row is None:
            raise not_found()
        return row

    def _record(self, row: sqlite3.Row) -> dict[str, Any]:
        habits = self._habits_of(row)
        word, label = phrases.STATES[row["state"]]
        record = {
            "username": "sandbox",
            "number": show_line(row["from_number"], habits),
            "number_id": "154845",
            "messages_outbox_id": str(row["id"]),
            "state": word,
            "type": row["kind"],
            "time_send": show_time(row["send_at"], habits),
            "time": show_time(row["listed_at"], habits),
            "rcpts_count": count_recipients(row["recipient_count"], habits),
            "exit_count": str(row["recipient_count"] if row["state"] == State.SENT else 0),
            "status": label,
            "partner_id": None,
            "in_delivery_line": 0,
            "message": show_text(row["text"], habits),
            "cost": row["cost"],
            "state_id": row["state"],
        }
        absent = [name for name in ("time_send", "time", "rcpts_count") if record[name] is None]
        return {name: shown for name, shown in record.items() if name not in absent}

    def _status(self, row: sqlite3.Row, ending: int) -> int:
        return recipient_status(
            ending,
            state=row["state"],
            sent_s_ago=self._sent_before - row["send_at"],
            delivery_s=self._settings.delivery_s,
        )


def _pace(line: str, habits: Habits) -> dict[str, Any]:
    return {
        "line": line,
        "lag_s": habits.report_lag_s,
        "lag_spread_s": max(0.0, habits.report_lag_most_s - habits.report_lag_s),
        "hold_scheduled": habits.scheduled_listed == "when_sent",
        "by_send_time": habits.scheduled_listed == "by_send_time",
        "clock_offset_s": clock_offset_s(habits),
    }


def _read_filters(filters: object) -> dict[str, object]:
    if not isinstance(filters, dict):
        raise wrong_fields({"filters": [phrases.NOT_A_LIST]})
    wanted: dict[str, object] = {
        name: whole_number(filters[name], name) if filters.get(name) is not None else None
        for name in _FILTERS_BY_NUMBER
    }
    wanted |= {name: filters.get(name) for name in _FILTERS_BY_TEXT}
    for name in _FILTERS_BY_TEXT:
        if not isinstance(wanted[name], str | None):
            raise wrong_fields({name: [phrases.NOT_TEXT]})
    return wanted | {"state_id": _read_state(filters.get("state_id"))}


def _read_state(given: object) -> int | None:
    if given is None:
        return None
    state = int(str(given)) if str(given).isdecimal() else -1
    if state not in KNOWN_STATES:
        raise Refused(422, "400-31", phrases.INVALID_STATE)
    return state
