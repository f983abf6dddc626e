"""
What the sandbox was asked and what it took, in SQLite: a file that outlives the process, or memory.

One transaction a request. Every method may be called from any thread. A record is durable against the end of
the process when its transaction ends (not against a power cut: a sandbox need not be).
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox.by_line import Credit
from airflow_provider_p2psms.sandbox.contract import Submission
from airflow_provider_p2psms.sandbox.folding import fold
from airflow_provider_p2psms.sandbox.keeping import delete_older, delete_older_bodies
from airflow_provider_p2psms.sandbox.message_rows import MessageRow, count_endings, message_rows
from airflow_provider_p2psms.sandbox.migrations import open_tables
from airflow_provider_p2psms.sandbox.spending import Spending
from airflow_provider_p2psms.sandbox.statuses import State
from airflow_provider_p2psms.sandbox.tables import (
    FOUND,
    MESSAGES,
    ORDERS,
    OWN_TEXT,
    SEEN,
    SHOWN,
    TABLES,
    TALLY,
    WANTED,
    Arrived,
    NotedRequest,
)

# The documents' own example answers 1123594208 and 1123594210, so ids ascend with gaps from there.
FIRST_ID = 1_123_594_208
ID_STEP = 2
MAX_ID = 2**63 - 1  # SQLite holds no greater integer


class RepeatedError(Exception):
    """A message alike in recipient, sender and text was taken within the window; nothing was stored."""


class Store:
    """The tables. ``database`` is a path, or ``None`` for memory."""

    def __init__(self, database: Path | str | None) -> None:
        self._lock = threading.RLock()
        self._floor = FIRST_ID
        self._db = sqlite3.connect(database or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # A log ahead of the file, without a sync at each commit: fast, and safe when the process is killed.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            open_tables(self._db)
        except sqlite3.Error:
            self._db.close()
            raise
        self._spending = Spending(self._db)

    def close(self) -> None:
        """Close the database; nothing can be asked afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all of one request durable together, or none of it."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                self._spending.reload()
                raise
            self._db.execute("COMMIT")

    def reset(self) -> None:
        """Forget everything; ids begin anew."""
        self._floor = FIRST_ID
        self._empty()

    def _empty(self) -> None:
        with self.transaction():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are constants
            self._spending.clear()

    def delete_all(self) -> None:
        """Delete all messages and requests. Ids go on, so that none is given twice."""
        with self._lock:
            self._floor = self._next_id()
            self._empty()

    def _next_id(self) -> int:
        newest = self._db.execute("SELECT max(id) FROM outbox").fetchone()[0]
        return max(self._floor, newest + ID_STEP if newest else FIRST_ID)

    def note_request(self, *, at: float, method: str, path: str, kind: str, body_size: int) -> int:
        """Note a request and return its id."""
        cursor = self._db.execute(
            "INSERT INTO requests (at, method, path, kind, body_size) VALUES (?, ?, ?, ?, ?)",
            (at, method, path, kind, body_size),
        )
        return int(cursor.lastrowid or 0)

    def note_answer(self, request: int, *, status: int | None, taken: bool, fault: str | None = None) -> None:
        """Note what a request is about to be answered, and the fault that has a hand in it."""
        self._db.execute(
            "UPDATE requests SET status = ?, taken = ?, fault = ? WHERE id = ?",
            (status, taken, fault, request),
        )

    def note_origin(self, request: int, origin: Sequence[str | None]) -> None:
        """Note the DAG, run and task that a request says it came from."""
        self._db.execute("INSERT INTO origins VALUES (?, ?, ?, ?)", (request, *origin))

    def note_exchange(self, request: int, *, media_type: str, sent: bytes, answered: str) -> None:
        """Note what a request sent and was answered, for a person to read."""
        self._db.execute("INSERT INTO exchanges VALUES (?, ?, ?, ?)", (request, media_type, sent, answered))

    def keep_body(self, request: int, content: bytes, *, suffix: str) -> None:
        """Keep the body or the upload of a request as a file; the newest 64 MiB of all are kept."""
        self._db.execute("INSERT INTO bodies VALUES (?, ?, ?)", (request, suffix, content))
        delete_older_bodies(self._db)

    def take(
        self, submission: Submission, *, request: int, now: float, duplicate_window_s: float, credit: Credit
    ) -> list[int]:
        """
        Store all groups of a send and return their outbox ids: one a group, in order.

        A group that is not covered by what is left of ``credit`` is taken as well, and ends in state 8.

        :raises RepeatedError: by the 40-second rule; nothing was stored.
        """
        sender, line = submission.from_number, canonical_line(submission.from_number)
        first = self._next_id()
        ids = [first + ID_STEP * place for place in range(len(submission.groups))]
        place = self._db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
        rows = message_rows(submission, ids, now=now, place=place)
        if duplicate_window_s and self._any_alike(rows, since=now - duplicate_window_s):
            raise RepeatedError
        endings = count_endings(rows, ids)
        promises = self._spending.promise(submission.groups, line=line, credit=credit, state=submission.state)
        self._db.executemany(
            "INSERT INTO outbox (id, request, kind, from_number, text, folded, parts, recipient_count,"
            " not_delivered, blacklisted, cost, final_state, created_at, send_at, send_time, line)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(outbox_id, request, submission.kind, sender, group.text, fold(group.text), group.parts),
                    *counts,
                    *promise,
                    *(now, submission.send_at, submission.send_time, line),
                )
                for outbox_id, group, counts, promise in zip(
                    ids, submission.groups, endings, promises, strict=True
                )
            ],
        )
        self._db.executemany(
            "INSERT INTO messages (outbox_id, recipient, from_number, digest, at, ending)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._tally(request)
        for outbox_id, group in zip(ids, submission.groups, strict=True):
            if group.own_texts:
                self._keep_own_texts(outbox_id, group.own_texts)
        return ids

    def keep_newest(self, count: int) -> None:
        """Keep the newest ``count`` messages. What the others cost stays spent."""
        before = self._spending.kept()
        oldest = delete_older(self._db, count)
        if oldest is not None:
            self._tally(oldest)
            self._spending.note_deleted(before)

    def _tally(self, request: int) -> None:
        self._db.execute("DELETE FROM tallies WHERE request = ?", (request,))
        self._db.execute(TALLY, (request,))

    def _keep_own_texts(self, outbox_id: int, texts: Sequence[str]) -> None:
        messages = self.all("SELECT id FROM messages WHERE outbox_id = ? ORDER BY id", (outbox_id,))
        self._db.executemany(
            "INSERT INTO own_texts (message, text) VALUES (?, ?)",
            [(message["id"], text) for message, text in zip(messages, texts, strict=True)],
        )

    def _any_alike(self, rows: list[MessageRow], *, since: float) -> bool:
        query = (
            "SELECT 1 FROM messages WHERE recipient = ? AND from_number = ? AND digest = ? AND at > ? LIMIT 1"
        )
        return any(self._db.execute(query, (*row[1:4], since)).fetchone() for row in rows)

    def spent(self, credit: Credit, *, sent_before: float) -> int:
        """Return what the messages that a credit pays for, and that were sent by then, have cost."""
        with self._lock:
            return self._spending.spent(credit, sent_before=sent_before)

    def cancel(self, outbox_id: int, *, now: float, send_at_least: float) -> bool:
        """Cancel a message that is sent at ``send_at_least`` or later; say whether there was one."""
        row = self._db.execute(
            "UPDATE outbox SET cancelled_at = ? WHERE id = ? AND send_at >= ? AND cancelled_at IS NULL"
            " RETURNING final_state, cost, request, line",
            (now, outbox_id, send_at_least),
        ).fetchone()
        if row:
            self._tally(row["request"])
        if row and row["final_state"] == State.SENT:
            self._spending.take_back(row["cost"], line=row["line"])
        return row is not None

    def find(self, outbox_id: int, *, view: Mapping[str, object]) -> sqlite3.Row | None:
        """Return one outbox record with its ``state``, if the reports show it; ``view`` is theirs."""
        return self.one(SHOWN + "SELECT *" + FOUND, {**view, "id": outbox_id})

    def search(
        self, wanted: Mapping[str, object], *, order: str, limit: int, offset: int
    ) -> tuple[list[sqlite3.Row], int]:
        """Return a page of the outbox records that the reports show, and the number of all that match."""
        page = {**wanted, "limit": limit, "offset": offset}
        total = self.one(SHOWN + "SELECT count(*)" + WANTED, page)
        records = SHOWN + "SELECT *" + WANTED + ORDERS[order] + " LIMIT :limit OFFSET :offset"
        return self.all(records, page), total[0] if total else 0

    def recipients(self, outbox_id: int) -> list[tuple[str, str, int]]:
        """Return (recipient, text, ending) of all messages of one outbox id, in their order."""
        asked = {"outbox_id": outbox_id, "sent_before": 0}
        rows = self.all(
            f"{SEEN} SELECT recipient, {OWN_TEXT}, ending {MESSAGES}"
            " WHERE messages.outbox_id = :outbox_id ORDER BY messages.id",
            asked,
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Count what there is, for the outbox page and the state."""
        row = self.one(
            "SELECT (SELECT count(*) FROM requests) AS requests,"
            " (SELECT count(*) FROM requests WHERE method = 'POST' AND path = '/api/send') AS send_requests,"
            " coalesce(sum(records), 0) AS outbox, coalesce(sum(recipient_count), 0) AS messages FROM tallies"
        )
        return dict(row) if row else {}

    def requests(self, *, latest: int | None = None) -> list[NotedRequest]:
        """Return the noted requests, oldest first; or only the latest, newest first."""
        if latest is None:
            rows = self.all("SELECT * FROM requests ORDER BY id")
        else:
            rows = self.all("SELECT * FROM requests ORDER BY id DESC LIMIT ?", (latest,))
        return [NotedRequest(**{**row, "taken": bool(row["taken"])}) for row in rows]

    def arrived(self) -> list[Arrived]:
        """Return every message taken, in the order of arrival."""
        rows = self.all(
            "SELECT outbox_id, recipient, coalesce(own_texts.text, outbox.text), outbox.from_number,"
            " send_time, request FROM messages JOIN outbox ON outbox.id = outbox_id"
            " LEFT JOIN own_texts ON own_texts.message = messages.id ORDER BY messages.id"
        )
        return [Arrived(*row) for row in rows]

    def one(self, query: str, asked: Any = ()) -> sqlite3.Row | None:
        """Return the first row of a query, if there is one."""
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(query, asked).fetchone()
            return row

    def all(self, query: str, asked: Any = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._db.execute(query, asked).fetchall()
