"""
A query's rows as they come from the database: a few thousand at a time, never all at once.

Knows what DB-API connections have in common, and where PostgreSQL's differ. Which connection it is, and what
becomes of the rows, is the operator's to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError
from airflow_provider_p2psms.rows.headers import build_header
from airflow_provider_p2psms.rows.table import Record, Table

ROWS_A_FETCH = 2_000

Parameters = Mapping[str, Any] | Sequence[Any]


@contextmanager
def open_query(connection: Any, sql: str, parameters: Parameters | None = None) -> Iterator[Table]:
    """
    Run a query, and stream its rows by their column names.

    PostgreSQL keeps the result on its side (a named cursor), and gives out what is asked for. Other drivers
    are asked for a few rows at a time; whether they hold the rest themselves is theirs to know. The
    connection is closed after the last row, or at the end of the block. Nothing is ever committed here; what
    a database writes without a commit stays.

    :param connection: a DB-API connection that nobody else uses.
    :raises P2PSMSError: the database refuses the query, or fails, now or while the rows are read.
    :raises InvalidMessageError: the query gives no rows at all, or has two columns of the same name.
    """
    with ExitStack() as stack:
        stack.enter_context(_closing(connection))
        with _query_errors():
            cursor = stack.enter_context(_closing(_cursor(connection)))
            # Without parameters a driver takes a percent sign as it is.
            cursor.execute(sql, *([_plain(parameters)] if parameters else []))
            first = cursor.fetchmany(ROWS_A_FETCH)
        if cursor.description is None:  # known only now: psycopg2 does not ask for it before the first rows
            raise InvalidMessageError("sql gives no rows; write a SELECT.")
        header = build_header("The query", (column[0] for column in cursor.description))
        yield Table(header, _chunks(stack, cursor, first))


@contextmanager
def _closing(thing: Any) -> Iterator[Any]:
    """Close at the end, whatever has become of it; several drivers take offence at what is closed already."""
    try:
        yield thing
    finally:
        with suppress(Exception):
            thing.close()


@contextmanager
def _query_errors() -> Iterator[None]:
    """Turn any driver's error into one of ours that quotes no data."""
    try:
        yield
    except Exception as err:  # noqa: BLE001 - every driver has its own
        # Not chained: a driver's error may quote the row at fault.
        raise P2PSMSError(f"The query failed: {_describe(err)}") from None


def _cursor(connection: Any) -> Any:
    libraries = {base.__module__.partition(".")[0] for base in type(connection).__mro__}
    return connection.cursor(name="p2psms") if libraries & {"psycopg", "psycopg2"} else connection.cursor()


def _plain(parameters: Parameters) -> Any:
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)


def _chunks(stack: ExitStack, cursor: Any, rows: Sequence[Any]) -> Iterator[Sequence[Record]]:
    while rows:
        # A connection can be set up to give its rows as dictionaries.
        yield [tuple(row.values()) if isinstance(row, Mapping) else row for row in rows]
        with _query_errors():
            rows = cursor.fetchmany(ROWS_A_FETCH)
    stack.close()


def _describe(err: Exception) -> str:
    """Say what a driver says where that is about the query or the database, and not about data (PEP 249)."""
    kind = type(err).__name__
    bases = {base.__name__ for base in type(err).__mro__}
    told = str(err).strip().partition("\n")[0]
    if not told or bases.isdisjoint({"ProgrammingError", "OperationalError", "InterfaceError"}):
        return f"{kind}."
    return f"{kind}: {re.sub(r'[0-9]{7,}', '•••', told)}"
