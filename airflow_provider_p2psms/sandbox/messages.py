"""``/sandbox/messages``: the records as JSON and CSV, to list, to wait for and to export."""

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.answering import client_left
from airflow_provider_p2psms.sandbox.events import Feed, wait_for_news
from airflow_provider_p2psms.sandbox.filters import Filters, read_filters, read_id
from airflow_provider_p2psms.sandbox.looking import NEWEST, Look
from airflow_provider_p2psms.sandbox.outcomes import outcomes_of
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import Store

MOST_WAIT_S = 600
MOST_RECORDS = 1_000
_PAUSE_S = 0.05
_COLUMNS = (
    *("outbox_id", "recipient", "text", "outcome", "status", "state_id", "from_number", "kind", "parts"),
    *("accepted_at", "send_at", "dag_id", "run_id", "task_id", "request"),
)


class Messages:
    """Lists, awaits and exports records."""

    def __init__(self, settings: Settings, store: Store, feed: Feed) -> None:
        self._settings = settings
        self._store = store
        self._feed = feed

    async def find(self, request: Request) -> Response:
        """
        List the records that match the filters, newest first, once there are ``count`` messages.

        With ``wait_s`` it waits so long for them; if they have not come by then, the answer is HTTP 408.
        """
        query = request.query_params
        filters = read_filters(query)
        try:
            filters.raise_any()
            count, limit = _number(query, "count", 1), _number(query, "limit", 50, most=MOST_RECORDS)
            wait_s = _number(query, "wait_s", 0, most=MOST_WAIT_S)
            until = _number(query, "until", NEWEST, most=NEWEST)
        except ValueError as err:
            return JSONResponse({"error": str(err)}, 422)
        is_there = not wait_s or await self._wait(request, filters, count=count, wait_s=wait_s)
        answer = self._list(filters, limit=limit, until=until)
        if not is_there:
            found = answer["messages"]
            answer = {"error": f"{found:,} of {count:,} messages came within {wait_s} seconds"} | answer
        return JSONResponse(answer, 200 if is_there else 408)

    async def _wait(self, request: Request, filters: Filters, *, count: int, wait_s: int) -> bool:
        clock = asyncio.get_running_loop().time
        end = clock() + wait_s
        left = asyncio.ensure_future(client_left(request.receive))
        with self._feed.watch() as changed:
            while not left.done():
                look = Look(self._settings, self._store)
                if self._count(look, filters)[1] >= count:
                    left.cancel()
                    return True
                left_s, due_s = end - clock(), look.next_change_in_s()
                if left_s <= 0:
                    break
                timeout_s = left_s if due_s is None else min(left_s, max(due_s, _PAUSE_S))
                await wait_for_news(changed, left, timeout_s=timeout_s)
        left.cancel()
        return False

    def _count(self, look: Look, filters: Filters) -> tuple[int, int]:
        records, messages = look.count(filters)
        # Of a record that is found by its recipient, that one alone is meant.
        return records, records if "to" in filters.given else messages

    def _list(self, filters: Filters, *, limit: int, until: int) -> dict[str, Any]:
        look = Look(self._settings, self._store)
        records, messages = self._count(look, filters)
        rows = look.records(filters, limit=limit, until=until)
        return {
            "outbox": records,
            "messages": messages,
            "next": rows[-1]["id"] - 1 if len(rows) == limit else None,
            "records": [_record(look, row) for row in rows],
        }

    async def show(self, request: Request) -> Response:
        """Show one record with all its recipients."""
        look = Look(self._settings, self._store)
        filters = read_filters({"outbox_id": request.path_params["outbox_id"]})
        rows = look.records(filters, limit=1) if filters.given else []
        return JSONResponse(_record(look, rows[0])) if rows else JSONResponse({"error": "no such id"}, 404)

    async def export_csv(self, request: Request) -> Response:
        """Export the messages that match the filters, one a row, as CSV in UTF-8."""
        rows = self._messages(read_filters(request.query_params))
        headers = {"Content-Disposition": 'attachment; filename="messages.csv"'}
        return StreamingResponse(_as_csv(rows), media_type="text/csv", headers=headers)

    async def export_json(self, request: Request) -> Response:
        """Export the messages that match the filters as a list of JSON objects."""
        rows = self._messages(read_filters(request.query_params))
        headers = {"Content-Disposition": 'attachment; filename="messages.json"'}
        return StreamingResponse(_as_json(rows), media_type="application/json", headers=headers)

    def _messages(self, filters: Filters) -> Iterator[dict[str, Any]]:
        look = Look(self._settings, self._store)
        for row in look.every_record(filters):
            record = _record(look, row)
            for each in record["recipients"]:
                yield {name: ({**record, **each})[name] for name in _COLUMNS}


def _record(look: Look, row: sqlite3.Row) -> dict[str, Any]:
    state = look.state_of(row)
    return {
        "outbox_id": row["id"],
        "text": row["text"],
        "from_number": row["from_number"],
        "kind": row["kind"],
        "parts": row["parts"],
        "cost": row["cost"],
        "state_id": state,
        "state": phrases.STATES[state][0],
        "outcomes": dict(outcomes_of(row)),
        "accepted_at": _iso(row["created_at"]),
        "send_at": _iso(row["send_at"]),
        "dag_id": row["dag_id"],
        "run_id": row["run_id"],
        "task_id": row["task_id"],
        "request": row["request"],
        "recipients": [
            {name: each[name] for name in ("recipient", "text", "outcome", "status")}
            for each in look.recipients(row)
        ],
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _number(query: Mapping[str, str], name: str, default: int, *, most: int = 10**9) -> int:
    if name not in query:
        return default
    number = read_id(name, query[name])
    if number > most:
        raise ValueError(f"{name} is {most:,} or less, not {number:,}")
    return number


def _as_csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    chunk = io.StringIO(newline="")
    writer = csv.DictWriter(chunk, _COLUMNS)
    writer.writeheader()
    for number, row in enumerate(rows, start=1):
        writer.writerow(row)
        if not number % 1_000:
            yield chunk.getvalue()
            chunk.seek(0)
            chunk.truncate()
    yield chunk.getvalue()


def _as_json(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + json.dumps(row, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
