"""What the page and ``/sandbox/messages`` ask of the store: records with their stage, found by filters."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from airflow_provider_p2psms.sandbox.filters import Filters
from airflow_provider_p2psms.sandbox.outcomes import ENDINGS, STAGE, STAGE_OF_TALLY
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.statuses import BLACKLISTED, DELIVERED, NOT_DELIVERED, recipient_status
from airflow_provider_p2psms.sandbox.store import Store
from airflow_provider_p2psms.sandbox.tables import OWN_TEXT

CHART_MINUTES = 30
NEWEST = 2**63 - 1
_STAGED = f"WITH staged AS (SELECT *, {STAGE} AS stage FROM outbox)"  # noqa: S608 - made of constants alone
_RECIPIENTS = f"""
SELECT recipient, {OWN_TEXT.replace("seen.", "outbox.")} AS text, ending, own_texts.text IS NOT NULL AS own
FROM messages JOIN outbox ON outbox.id = messages.outbox_id
  LEFT JOIN own_texts ON own_texts.message = messages.id
WHERE messages.outbox_id = ? ORDER BY messages.id LIMIT ?
"""  # noqa: S608 - made of constants alone
_ENDED = {DELIVERED: "delivered", NOT_DELIVERED: "not_delivered", BLACKLISTED: "blacklisted"}


class Look:
    """The records as they are at one moment."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.now = settings.clock()
        self._settings = settings
        self._store = store
        self._sent_before = self.now - settings.queue_s
        self._moments = {
            "now": self.now,
            "sent_before": self._sent_before,
            "delivered_before": self._sent_before - settings.delivery_s,
        }

    def newest(self) -> int:
        """Return the id of the newest record, 0 if there is none."""
        row = self._store.one("SELECT max(id) FROM outbox")
        return int(row[0] or 0) if row else 0

    def count(self, filters: Filters, *, after: int = 0, until: int = NEWEST) -> tuple[int, int]:
        """Count the records that match, and their recipients; only ids above ``after``, to ``until``."""
        if not filters.given and not after and until >= self.newest():  # then the sums are there
            counts = self._store.counts()
            return counts["outbox"], counts["messages"]
        row = self._one(
            "SELECT count(*), total(recipient_count) FROM outbox"  # noqa: S608 - values are bound
            f" WHERE id > :after AND id <= :until AND ({filters.where})",
            {**filters.values, "after": after, "until": until},
        )
        return row[0], int(row[1])

    def records(
        self, filters: Filters, *, until: int = NEWEST, limit: int = 50, offset: int = 0
    ) -> list[sqlite3.Row]:
        """Return the records that match, up to the id ``until``, newest first."""
        return self._store.all(
            f"{_STAGED} SELECT staged.*, dag_id, run_id, task_id FROM staged"  # noqa: S608 - values are bound
            " LEFT JOIN origins USING (request)"
            f" WHERE id <= :until AND ({filters.where}) ORDER BY id DESC LIMIT :limit OFFSET :offset",
            {**self._moments, **filters.values, "until": until, "limit": limit, "offset": offset},
        )

    def find(
        self, filters: Filters, *, until: int = NEWEST, limit: int = 50, offset: int = 0
    ) -> tuple[list[sqlite3.Row], tuple[int, int]]:
        """Return what :meth:`records` and :meth:`count` do, in one search if that will do."""
        rows = self.records(filters, until=until, limit=limit, offset=offset)
        if not offset and len(rows) < limit:  # they are all there are: a second search finds no more
            return rows, (len(rows), sum(row["recipient_count"] for row in rows))
        return rows, self.count(filters, until=until)

    def every_record(self, filters: Filters) -> Iterator[sqlite3.Row]:
        """Yield all records that match, newest first, a thousand at a time."""
        until = NEWEST
        while found := self.records(filters, until=until, limit=1_000):
            yield from found
            until = found[-1]["id"] - 1

    def recipients(self, record: sqlite3.Row, *, limit: int = -1) -> list[dict[str, Any]]:
        """Return the recipients of a record, with text, outcome and the gateway's status of each."""
        rows = self._store.all(_RECIPIENTS, (record["id"], limit))
        finished = record["stage"] == "finished"
        return [
            {
                "recipient": row["recipient"],
                "text": row["text"],
                "own": bool(row["own"]),
                "outcome": _ENDED[row["ending"]] if finished else record["stage"],
                "status": recipient_status(
                    row["ending"],
                    state=6 if finished else self.state_of(record),
                    sent_s_ago=self._sent_before - record["send_at"],
                    delivery_s=self._settings.delivery_s,
                ),
            }
            for row in rows
        ]

    def state_of(self, record: sqlite3.Row) -> int:
        """Return the gateway's state of a record."""
        if record["cancelled_at"] is not None:
            return 7
        return 5 if record["send_at"] > self._sent_before else int(record["final_state"])

    def choices(self) -> dict[str, list[str]]:
        """Return the values that the filters by sender, DAG and run can choose among, latest first."""
        latest = "SELECT {0} FROM {1} WHERE {0} IS NOT NULL GROUP BY {0} ORDER BY max({2}) DESC LIMIT 50"
        return {
            name: [row[0] for row in self._store.all(latest.format(*where))]
            for name, where in {
                "dag": ("dag_id", "origins", "request"),
                "run": ("run_id", "origins", "request"),
            }.items()
        }

    def counts_by_outcome(self) -> dict[str, int]:
        """Count all recipients by their outcome."""
        rows = self._store.all(
            f"SELECT {STAGE_OF_TALLY} AS stage, sum(recipient_count) AS all_of_it,"  # noqa: S608 - constants
            " sum(not_delivered) AS not_delivered, sum(blacklisted) AS blacklisted"
            " FROM tallies GROUP BY stage",
            self._moments,
        )
        counts = {row["stage"]: row["all_of_it"] for row in rows if row["stage"] != "finished"}
        for row in rows:
            if row["stage"] == "finished":
                bad = {"not_delivered": row["not_delivered"], "blacklisted": row["blacklisted"]}
                ended = {**bad, "delivered": row["all_of_it"] - sum(bad.values())}
                counts |= {name: ended[name] for name in ENDINGS if ended[name]}
        return counts

    def accepted_a_minute(self) -> list[int]:
        """Count the recipients accepted in each of the last minutes, the oldest first."""
        rows = self._store.all(
            "SELECT CAST((:now - created_at) / 60 AS INTEGER) AS ago, sum(recipient_count) FROM tallies"
            " WHERE created_at > :first AND created_at <= :now GROUP BY ago",
            {"now": self.now, "first": self.now - CHART_MINUTES * 60},
        )
        counts = dict(map(tuple, rows))
        return [counts.get(ago, 0) for ago in reversed(range(CHART_MINUTES))]

    def next_change_in_s(self) -> float | None:
        """Return in how many seconds time alone changes what is shown of a record, if it ever does."""
        settings = self._settings
        queue_s, delivery_s = settings.queue_s, settings.delivery_s
        passes = (0.0, queue_s, queue_s + delivery_s / 2, queue_s + delivery_s)
        due = [
            first + wait - self.now
            for wait in passes
            if (
                first := self._store.all(
                    "SELECT min(send_at) FROM outbox WHERE send_at > ?", (self.now - wait,)
                )[0][0]
            )
        ]
        return max(0.0, min(due)) if due else None

    def _one(self, query: str, asked: dict[str, Any]) -> sqlite3.Row:
        return self._store.all(query, {**self._moments, **asked})[0]
