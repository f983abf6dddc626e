"""Opens the tables of the store: makes new ones, and changes those that an earlier sandbox has written."""

import sqlite3

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox.folding import fold
from airflow_provider_p2psms.sandbox.tables import SCHEMA, SCHEMA_VERSION, TALLY_ALL

# Version 2 had no line in canonical form. Its tallies are made anew, since they are sums of the outbox.
_FROM_VERSION_2 = f"""
ALTER TABLE outbox RENAME COLUMN fate TO final_state;
ALTER TABLE outbox ADD COLUMN line TEXT NOT NULL DEFAULT '';
UPDATE outbox SET line = canonical_line(from_number);
DROP TABLE tallies;
{SCHEMA}
{TALLY_ALL};
"""  # noqa: S608 - made of constants alone
_STEPS = {2: _FROM_VERSION_2}


def open_tables(db: sqlite3.Connection) -> None:
    """
    Make the tables, or change those of an earlier version; all of it or nothing.

    :raises sqlite3.DatabaseError: another version wrote them, and no step leads here from it.
    """
    db.create_function("fold", 1, fold, deterministic=True)
    db.create_function("canonical_line", 1, canonical_line, deterministic=True)
    found, tables = db.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
    ).fetchone()
    if not tables or found == SCHEMA_VERSION:
        step = SCHEMA
    elif found in _STEPS:
        step = _STEPS[found]
    else:
        raise sqlite3.DatabaseError(
            "the database was written by another version of the sandbox; name another file"
        )
    db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
