"""The tables of the store, the questions asked of them, and the two records that tests read."""

from dataclasses import dataclass, field

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
    body_size INTEGER NOT NULL, fault TEXT, status INTEGER, taken INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS origins (request INTEGER PRIMARY KEY, dag_id TEXT, run_id TEXT, task_id TEXT);
CREATE TABLE IF NOT EXISTS exchanges (
    request INTEGER PRIMARY KEY, media_type TEXT NOT NULL, sent BLOB NOT NULL, answered TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS bodies (request INTEGER PRIMARY KEY, suffix TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, request INTEGER NOT NULL, kind TEXT NOT NULL, from_number TEXT NOT NULL,
    text TEXT NOT NULL, folded TEXT NOT NULL, parts INTEGER NOT NULL, cost INTEGER NOT NULL,
    recipient_count INTEGER NOT NULL, not_delivered INTEGER NOT NULL, blacklisted INTEGER NOT NULL,
    final_state INTEGER NOT NULL, created_at REAL NOT NULL, send_at REAL NOT NULL, send_time TEXT,
    cancelled_at REAL, line TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, outbox_id INTEGER NOT NULL, recipient TEXT NOT NULL, from_number TEXT NOT NULL,
    digest BLOB NOT NULL, at REAL NOT NULL, ending INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tallies (
    request INTEGER NOT NULL, final_state INTEGER NOT NULL, is_cancelled INTEGER NOT NULL,
    line TEXT NOT NULL, created_at REAL NOT NULL, send_at REAL NOT NULL, cost INTEGER NOT NULL,
    records INTEGER NOT NULL, recipient_count INTEGER NOT NULL,
    not_delivered INTEGER NOT NULL, blacklisted INTEGER NOT NULL,
    PRIMARY KEY (request, final_state, is_cancelled)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_texts (message INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS messages_alike ON messages (recipient, from_number, digest, at);
CREATE INDEX IF NOT EXISTS messages_of_outbox ON messages (outbox_id);
CREATE INDEX IF NOT EXISTS outbox_of_request ON outbox (request);
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (send_at);
"""
# Counted up when the tables change; `migrations.py` knows which earlier ones are changed to it.
SCHEMA_VERSION = 3
TABLES = ("requests", "origins", "exchanges", "bodies", "outbox", "messages", "own_texts", "tallies")
# The sums of each request's records by how they end: without them the page would count all there is anew.
_TALLY = """
INSERT INTO tallies
SELECT request, final_state, cancelled_at IS NOT NULL, line, created_at, send_at, sum(cost), count(*),
  sum(recipient_count), sum(not_delivered), sum(blacklisted)
FROM outbox {where} GROUP BY 1, 2, 3, 4, 5, 6
"""
TALLY, TALLY_ALL = _TALLY.format(where="WHERE request = ?"), _TALLY.format(where="")

# An outbox record with its state at this moment; `:sent_before` is the moment of sending whose queue is over.
SEEN = """
WITH seen AS (
    SELECT *,
      CASE
        WHEN cancelled_at IS NOT NULL THEN 7 WHEN send_at > :sent_before THEN 5 ELSE final_state
      END AS state
    FROM outbox
)
"""
# The records that the reports show: each has a lag between `lag_s` and `lag_spread_s` more. `listed_at` is
# the time under which they show it. `:paces` are these habits as JSON: for all lines under the line "", and
# for each line that has some of its own; without such lines (`:has_lines`) none is looked for in each record.
SHOWN = f"""
{SEEN}, paces AS MATERIALIZED (
    SELECT json_extract(value, '$.line') AS of_line, json_extract(value, '$.lag_s') AS lag_s,
      json_extract(value, '$.lag_spread_s') AS lag_spread_s,
      json_extract(value, '$.hold_scheduled') AS hold_scheduled,
      json_extract(value, '$.by_send_time') AS by_send_time,
      json_extract(value, '$.clock_offset_s') AS clock_offset_s
    FROM json_each(:paces)
), shown AS (
    SELECT seen.*, iif(by_send_time, send_at, created_at) AS listed_at, clock_offset_s
    FROM seen JOIN paces ON of_line = iif(:has_lines AND line IN (SELECT of_line FROM paces), line, '')
    WHERE iif(hold_scheduled, max(send_at, created_at), created_at)
      + lag_s + lag_spread_s * (id / 2 * 617 % 1000) / 1000.0 <= :now
)
"""  # noqa: S608 - made of constants alone
FOUND = "FROM shown WHERE id = :id"
WANTED = """
FROM shown WHERE true
  AND (:number IS NULL OR from_number = :number)
  AND (:messages_outbox_id IS NULL OR id = :messages_outbox_id)
  AND (:create_from_date IS NULL OR CAST(listed_at + clock_offset_s AS INTEGER) >= :create_from_date)
  AND (:create_to_date IS NULL OR CAST(listed_at + clock_offset_s AS INTEGER) <= :create_to_date)
  AND (:send_from_date IS NULL OR CAST(send_at + clock_offset_s AS INTEGER) >= :send_from_date)
  AND (:send_to_date IS NULL OR CAST(send_at + clock_offset_s AS INTEGER) <= :send_to_date)
  AND (:from_exit_count IS NULL OR iif(state = 6, recipient_count, 0) >= :from_exit_count)
  AND (:to_exit_count IS NULL OR iif(state = 6, recipient_count, 0) <= :to_exit_count)
  AND (:message IS NULL OR instr(text, :message))
  AND (:state_id IS NULL OR state = :state_id)
"""
# `:salt` makes another order of each question.
ORDERS = {
    "newest_first": "ORDER BY id DESC",
    "oldest_first": "ORDER BY id",
    "unstable": "ORDER BY (id / 2 * :salt) % 10007, id",
}
# A message has the text of its outbox record, unless messages with several texts have one id.
MESSAGES = """
FROM messages JOIN seen ON seen.id = messages.outbox_id
  LEFT JOIN own_texts ON own_texts.message = messages.id
"""
OWN_TEXT = "coalesce(own_texts.text, seen.text)"


@dataclass(frozen=True, slots=True)
class Arrived:
    """
    One message that was taken. ``request`` is the id of the noted request that brought it.

    ``recipient`` is in E.164, also where a file held a local number; ``send_time`` is as it was given.
    """

    outbox_id: int
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    from_number: str
    send_time: str | None
    request: int


@dataclass(frozen=True, slots=True)
class NotedRequest:
    """
    One request, noted before its answer left.

    ``path`` begins with ``/api/``, whatever the base address; ``kind`` is the sending type (by content type)
    or what stands behind ``/api/``; ``fault`` the name of the fault that hit it; ``status`` the HTTP status
    answered, ``None`` where a fault answers nothing; ``taken`` whether messages were accepted with it.
    """

    id: int
    at: float
    method: str
    path: str
    kind: str
    body_size: int
    fault: str | None
    status: int | None
    taken: bool
