"""
The answers of the report pages, with their keys, strings and integers as printed.

Ids and counts are strings here, though integers in the answers of sends; the list and the single record
differ in a few keys. Which records exist and which state they are in, ``store.py`` and ``statuses.py`` know.
"""

import re
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
from airflow_provider_p2psms.sandbox.pricing import is_gsm7, operator_of
from airflow_provider_p2psms.sandbox.settings import Settings
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
# No more digits than SQLite can hold.
_MAX_PAGE = 99_999
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
_FILTERS_BY_TEXT = ("number", "message")
# In the order of the recipient statuses: handed over, received, delivered, not delivered, blacklisted.
_OUTCOMES = ("pending", "sent", "delivered", "failed", "blacklist")


class Reports:
    """Answers the four report pages for the time ``now``."""

    def __init__(self, settings: Settings, store: Store, *, now: float) -> None:
        self._settings = settings
        self._store = store
        self._now = now
        self._moments = {
            "visible_before": now - settings.report_lag_s,
            "sent_before": now - settings.queue_s,
        }

    def by_bulk(self, outbox_id: int) -> Answer:
        """Answer one record, or 404 where there is none (yet)."""
        row = self._find(outbox_id)
        rejected = row["state"] == State.REJECTED
        only_here = {
            "number_color": None,
            "return": 0,
            "valid": None,
            "part": str(row["parts"]),
            "summary": row["text"],
            "user_ip": "127.0.0.1",
            "user_id": "58745",
            "reject_comment": phrases.REJECT_COMMENT if rejected else None,
            "files_path": f"1/send/{row['id']}.csv",
            "parent_id": str(row["request"]),
        }
        return done_briefly(_record(row) | only_here)

    def new_list(self, body: Mapping[str, Any], *, path: str) -> Answer:
        """Answer a page of the records that match all filters, newest first."""
        page = page_number(body.get("page", 1), "page")
        limit = page_number(body.get("limit", 10), "limit")
        wanted = _read_filters(body.get("filters", {})) | self._moments
        rows, total = self._store.search(wanted, limit=limit, offset=(page - 1) * limit)
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
        records = [_record(row) | only_here for row in rows]
        return done_briefly(records, paging=paging(page, limit, len(rows), total=total, path=path))

    def recipients(self, outbox_id: int, *, page: int, per_page: int, path: str) -> Answer:
        """Answer a page of recipients with what became of each."""
        row = self._find(outbox_id)
        recipients = self._store.recipients(outbox_id, limit=per_page, offset=(page - 1) * per_page)
        data = [
            {
                "recipient": recipient,
                "message": row["text"],
                "is_readable": True,
                "msg_parts": str(row["parts"]),
                "message_status": str(self._status(row, recipient)),
            }
            for recipient in recipients
        ]
        total = row["recipient_count"]
        return done_briefly(data, paging=paging(page, per_page, len(data), total=total, path=path))

    def bulk_stats(self, outbox_id: int) -> Answer:
        """Answer the counts by outcome, operator and language: as printed, zeros are ints, others text."""
        row = self._find(outbox_id)
        language = "en" if is_gsm7(row["text"]) else "fa"
        counts: dict[str, dict[str, dict[str, int | str]]] = {
            f"operators_{outcome}": {operator: {"en": 0, "fa": 0} for operator in ("irancell", "mci")}
            for outcome in _OUTCOMES
        }
        for recipient in self._store.recipients(outbox_id):
            outcome = _OUTCOMES[self._status(row, recipient)]
            operators = counts[f"operators_{outcome}"]
            languages = operators.setdefault(operator_of(recipient), {"en": 0, "fa": 0})
            languages[language] = str(int(languages[language]) + 1)
        return done(counts)

    def _find(self, outbox_id: int) -> sqlite3.Row:
        row = self._store.find(outbox_id, **self._moments)
        if row is None:
            raise not_found()
        return row

    def _status(self, row: sqlite3.Row, recipient: str) -> int:
        return recipient_status(
            recipient,
            state=row["state"],
            sent_s_ago=self._moments["sent_before"] - row["send_at"],
            delivery_s=self._settings.delivery_s,
        )


def _record(row: sqlite3.Row) -> dict[str, Any]:
    word, label = phrases.STATES[row["state"]]
    return {
        "username": "sandbox",
        "number": row["from_number"],
        "number_id": "154845",
        "messages_outbox_id": str(row["id"]),
        "state": word,
        "type": row["kind"],
        "time_send": str(int(row["send_at"])),
        "time": str(int(row["created_at"])),
        "rcpts_count": str(row["recipient_count"]),
        "exit_count": str(row["recipient_count"] if row["state"] == State.SENT else 0),
        "status": label,
        "partner_id": None,
        "in_delivery_line": 0,
        "message": row["text"],
        "cost": row["cost"],
        "state_id": row["state"],
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


def whole_number(given: object, field: str) -> int:
    """
    Read an integer of 0 or more, that may come as text.

    :raises Refused: 422 on ``field``.
    """
    text = str(given)
    if isinstance(given, bool) or not _WHOLE_NUMBER.fullmatch(text):
        raise wrong_fields({field: [phrases.NOT_A_NUMBER]})
    return int(text)


def page_number(given: object, field: str) -> int:
    """
    Read the number or the size of a page: 1 to 99,999.

    :raises Refused: 422 on ``field``.
    """
    number = whole_number(given, field)
    if not 1 <= number <= _MAX_PAGE:
        raise wrong_fields({field: [phrases.NOT_A_NUMBER]})
    return number


def paging(page: int, per_page: int, count: int, *, total: int, path: str) -> dict[str, Any]:
    """Build the numbers of a page that shows ``count`` of ``total`` entries."""
    first = (page - 1) * per_page + 1
    return {
        "current_page": page,
        "from": first if count else None,
        "last_page": max(1, -(-total // per_page)),
        "path": path,
        "per_page": per_page,
        "to": first + count - 1 if count else None,
        "total": total,
    }
