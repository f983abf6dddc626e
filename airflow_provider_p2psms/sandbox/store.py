"""
What the sandbox was asked and what it took, in SQLite: a file that outlives the process, or memory.

One transaction a request. Every method may be called from any thread. A record is durable against the end of
the process when its transaction ends (not against a power cut: a sandbox need not be).
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from airflow_provider_p2psms.sandbox.contract import Group, Submission
from airflow_provider_p2psms.sandbox.pricing import price_of
from airflow_provider_p2psms.sandbox.statuses import State, fate_of
from airflow_provider_p2psms.sandbox.tables import (
    FOUND,
    MESSAGES,
    ORDERS,
    OWN_TEXT,
    SCHEMA,
    SEARCHED,
    SEEN,
    SHOWN,
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
        self._db = sqlite3.connect(database or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # A log ahead of the file, without a sync at each commit: fast, and safe when the process is killed.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)
        # Kept in memory, since a sum over all that was ever taken would slow down every send.
        self._promised = self._sum_of_costs()

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
                self._promised = self._sum_of_costs()
                raise
            self._db.execute("COMMIT")

    def reset(self) -> None:
        """Forget everything; ids begin anew."""
        with self.transaction():
            for table in ("requests", "outbox", "messages", "own_texts"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand in the line above
            self._promised = 0

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

    def take(
        self, submission: Submission, *, request: int, now: float, duplicate_window_s: float, credit: float
    ) -> list[int]:
        """
        Store all groups of a send and return their outbox ids: one a group, in order.

        A group that the credit left does not cover is taken as well, and ends in state 8.

        :raises RepeatedError: by the 40-second rule; nothing was stored.
        """
        sender = submission.from_number
        first = self._db.execute("SELECT max(id) + ? FROM outbox", (ID_STEP,)).fetchone()[0] or FIRST_ID
        ids = [first + ID_STEP * place for place in range(len(submission.groups))]
        rows = [
            (outbox_id, recipient, sender, digest, now)
            for outbox_id, group in zip(ids, submission.groups, strict=True)
            for recipient, digest in zip(group.recipients, _digests(group), strict=True)
        ]
        if duplicate_window_s and self._any_alike(rows, since=now - duplicate_window_s):
            raise RepeatedError
        self._db.executemany(
            "INSERT INTO outbox (id, request, kind, from_number, text, parts, recipient_count, cost, fate,"
            " created_at, send_at, send_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(outbox_id, request, submission.kind, sender, group.text, group.parts),
                    *(len(group.recipients), *self._promise(group, credit=credit)),
                    *(now, submission.send_at, submission.send_time),
                )
                for outbox_id, group in zip(ids, submission.groups, strict=True)
            ],
        )
        self._db.executemany(
            "INSERT INTO messages (outbox_id, recipient, from_number, digest, at) VALUES (?, ?, ?, ?, ?)",
            rows,
        )
        for outbox_id, group in zip(ids, submission.groups, strict=True):
            if group.own_texts:
                self._keep_own_texts(outbox_id, group.own_texts)
        return ids

    def _keep_own_texts(self, outbox_id: int, texts: Sequence[str]) -> None:
        messages = self._all("SELECT id FROM messages WHERE outbox_id = ? ORDER BY id", (outbox_id,))
        self._db.executemany(
            "INSERT INTO own_texts (message, text) VALUES (?, ?)",
            [(message["id"], text) for message, text in zip(messages, texts, strict=True)],
        )

    def _any_alike(self, rows: list[tuple[int, str, str, bytes, float]], *, since: float) -> bool:
        query = (
            "SELECT 1 FROM messages WHERE recipient = ? AND from_number = ? AND digest = ? AND at > ? LIMIT 1"
        )
        return any(self._db.execute(query, (*row[1:4], since)).fetchone() for row in rows)

    def _promise(self, group: Group, *, credit: float) -> tuple[int, State]:
        cost = sum(price_of(recipient, parts=group.parts) for recipient in group.recipients)
        fate = fate_of(group.text)
        if fate is State.SENT and self._promised + cost > credit:
            fate = State.NO_CREDIT
        if fate is State.SENT:
            self._promised += cost
        return cost, fate

    def _sum_of_costs(self, *, sent_before: float | None = None) -> int:
        row = self._db.execute(
            "SELECT total(cost) FROM outbox WHERE fate = 6 AND cancelled_at IS NULL"
            " AND (:before IS NULL OR send_at <= :before)",
            {"before": sent_before},
        ).fetchone()
        return int(row[0])

    def spent(self, *, sent_before: float) -> int:
        """Return what all messages sent by then have cost, in rial."""
        with self._lock:
            return self._sum_of_costs(sent_before=sent_before)

    def cancel(self, outbox_id: int, *, now: float, send_at_least: float) -> bool:
        """Cancel a message that is sent at ``send_at_least`` or later; say whether there was one."""
        row = self._db.execute(
            "UPDATE outbox SET cancelled_at = ? WHERE id = ? AND send_at >= ? AND cancelled_at IS NULL"
            " RETURNING fate, cost",
            (now, outbox_id, send_at_least),
        ).fetchone()
        if row and row["fate"] == State.SENT:
            self._promised -= row["cost"]
        return row is not None

    def find(self, outbox_id: int, *, view: Mapping[str, object]) -> sqlite3.Row | None:
        """Return one outbox record with its ``state``, if the reports show it; ``view`` is theirs."""
        return self._one(SHOWN + "SELECT *" + FOUND, {**view, "id": outbox_id})

    def search(
        self, wanted: Mapping[str, object], *, order: str, limit: int, offset: int
    ) -> tuple[list[sqlite3.Row], int]:
        """Return a page of the outbox records that the reports show, and the number of all that match."""
        page = {**wanted, "limit": limit, "offset": offset}
        total = self._one(SHOWN + "SELECT count(*)" + WANTED, page)
        records = SHOWN + "SELECT *" + WANTED + ORDERS[order] + " LIMIT :limit OFFSET :offset"
        return self._all(records, page), total[0] if total else 0

    def recipients(self, outbox_id: int) -> list[tuple[str, str]]:
        """Return (recipient, text) of all messages of one outbox id, in their order."""
        asked = {"outbox_id": outbox_id, "sent_before": 0}
        rows = self._all(
            f"{SEEN} SELECT recipient, {OWN_TEXT} AS text {MESSAGES}"
            " WHERE messages.outbox_id = :outbox_id ORDER BY messages.id",
            asked,
        )
        return [(row["recipient"], row["text"]) for row in rows]

    def look(
        self, *, search: str, outbox_id: int | None, sent_before: float, limit: int, offset: int
    ) -> tuple[list[sqlite3.Row], int]:
        """Return a page of messages with their outbox records, and the number of all that match."""
        asked = {
            "search": search,
            "outbox_id": outbox_id,
            "sent_before": sent_before,
            "limit": limit,
            "offset": offset,
        }
        total = self._one(SEEN + "SELECT count(*)" + SEARCHED, asked)
        columns = (
            f"SELECT seen.*, recipient, {OWN_TEXT} AS own_text"
            + SEARCHED
            + "ORDER BY messages.id DESC LIMIT :limit OFFSET :offset"
        )
        return self._all(SEEN + columns, asked), total[0] if total else 0

    def counts(self) -> dict[str, int]:
        """Count what there is, for the outbox page and the state."""
        row = self._one(
            "SELECT (SELECT count(*) FROM requests) AS requests,"
            " (SELECT count(*) FROM requests WHERE method = 'POST' AND path = '/api/send') AS send_requests,"
            " (SELECT count(*) FROM outbox) AS outbox, (SELECT count(*) FROM messages) AS messages"
        )
        return dict(row) if row else {}

    def requests(self, *, latest: int | None = None) -> list[NotedRequest]:
        """Return the noted requests, oldest first; or only the latest, newest first."""
        if latest is None:
            rows = self._all("SELECT * FROM requests ORDER BY id")
        else:
            rows = self._all("SELECT * FROM requests ORDER BY id DESC LIMIT ?", (latest,))
        return [NotedRequest(**{**row, "taken": bool(row["taken"])}) for row in rows]

    def arrived(self) -> list[Arrived]:
        """Return every message taken, in the order of arrival."""
        rows = self._all(
            "SELECT outbox_id, recipient, coalesce(own_texts.text, outbox.text), outbox.from_number,"
            " send_time, request FROM messages JOIN outbox ON outbox.id = outbox_id"
            " LEFT JOIN own_texts ON own_texts.message = messages.id ORDER BY messages.id"
        )
        return [Arrived(*row) for row in rows]

    def _one(self, query: str, asked: Any = ()) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(query, asked).fetchone()
            return row

    def _all(self, query: str, asked: Any = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, asked).fetchall()


def _digests(group: Group) -> list[bytes]:
    texts = group.own_texts or [group.text]
    digests = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
    return digests if group.own_texts else digests * len(group.recipients)
