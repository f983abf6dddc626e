"""Keeps the newest messages and bodies and deletes the others, so that a sandbox can run for weeks."""

import sqlite3

# What goes with a request that has no messages left.
_OF_REQUESTS = {
    "requests": "id",
    "origins": "request",
    "exchanges": "request",
    "bodies": "request",
    "tallies": "request",
}
# So many bytes of bodies and uploads are kept, so that a sandbox in memory stays small.
MOST_BODY_BYTES = 64 * 1024 * 1024


def delete_older(db: sqlite3.Connection, keep: int) -> int | None:
    """
    Delete all records that are not needed to have the newest ``keep`` messages, and requests without any.

    :return: the oldest request that is left, of which a part may be gone; ``None`` if nothing was deleted.
    """
    newest = db.execute("SELECT max(id) FROM messages").fetchone()[0] or 0
    if not db.execute("SELECT 1 FROM messages WHERE id <= ? LIMIT 1", (newest - keep,)).fetchone():
        return None
    oldest = db.execute(
        "SELECT outbox.id, request FROM messages JOIN outbox ON outbox.id = outbox_id WHERE messages.id > ?"
        " ORDER BY messages.id LIMIT 1",
        (newest - keep,),
    ).fetchone()
    db.execute(
        "DELETE FROM own_texts WHERE message IN (SELECT id FROM messages WHERE outbox_id < ?)", (oldest[0],)
    )
    db.execute("DELETE FROM messages WHERE outbox_id < ?", (oldest[0],))
    db.execute("DELETE FROM outbox WHERE id < ?", (oldest[0],))
    for table, column in _OF_REQUESTS.items():
        db.execute(f"DELETE FROM {table} WHERE {column} < ?", (oldest[1],))  # noqa: S608 - constants
    return int(oldest[1])


def delete_older_bodies(db: sqlite3.Connection, most_bytes: int = MOST_BODY_BYTES) -> None:
    """Delete the bodies that are not among the newest ``most_bytes``."""
    db.execute(
        "DELETE FROM bodies WHERE request IN (SELECT request FROM"
        " (SELECT request, sum(length(content)) OVER (ORDER BY request DESC) AS size FROM bodies)"
        " WHERE size > ?)",
        (most_bytes,),
    )
