"""Queries as streams: rows by column names from any driver, few at a time, and nothing of them in errors."""

import gc
import os
import secrets
import sqlite3
import tracemalloc
from contextlib import closing

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError
from airflow_provider_p2psms.rows import RowRules, check_rows
from airflow_provider_p2psms.transfers.query import ROWS_A_FETCH, open_query
from tests.stack import postgres_server

RULES = RowRules(text="Dear {name}")


def sqlite():
    return sqlite3.connect(":memory:")


def _server():
    url = postgres_server()
    if url is None:
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def psycopg2():
    return pytest.importorskip("psycopg2").connect(_server())


def psycopg3():
    return pytest.importorskip("psycopg").connect(_server())


@pytest.fixture(params=[sqlite, psycopg2, psycopg3], ids=lambda driver: driver.__name__)
def connection(request):
    with closing(request.param()) as connection:
        yield connection


# SQLite converts anything to anything, and so has no such errors.
of_postgres = pytest.mark.parametrize("connection", [psycopg2, psycopg3], indirect=True)


def numbers(count):
    """Give a query of that many rows, for SQLite and PostgreSQL alike."""
    return (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        "SELECT 9120000000 + i AS recipient, 'n' || i AS name FROM n"
    )


def check(connection, query, *parameters):
    """Run a query to its end; give what the check makes of its rows."""
    with open_query(connection, query, *parameters) as rows:
        return list(check_rows(rows, RULES))


def test_rows_come_by_their_columns(connection):
    """Columns are found by their names, whatever their case, and values are read as the check reads them."""
    query = (
        "SELECT 'Sara' AS \"NAME\", '09120000001' AS \"Recipient\" UNION ALL SELECT 'Omid', '0935 000 0002'"
    )

    messages = check(connection, query)

    assert {("+989120000001", "Dear Sara"), ("+989350000002", "Dear Omid")} == {
        (message.recipient, message.text) for message in messages
    }


@pytest.mark.parametrize("count", [1, ROWS_A_FETCH, ROWS_A_FETCH * 2 + 1])
def test_no_row_is_lost_between_fetches(connection, count):
    """Each row comes once, however many fetches it takes."""
    texts = [message.text for message in check(connection, numbers(count))]

    assert [f"Dear n{i}" for i in range(1, count + 1)] == texts


def test_no_rows(connection):
    """An empty result has no messages; a missing column is noticed all the same."""
    nothing = "SELECT '09120000001' AS recipient, 'x' AS name WHERE 1 = 0"

    assert [] == check(connection, nothing)


def test_the_connection_is_closed_after_the_last_row(connection):
    """A database is held no longer than rows are read."""
    with open_query(connection, numbers(3)) as rows:
        assert 3 == len(list(rows.records))
        with pytest.raises(Exception, match=r"(?i)closed"):
            connection.cursor()


@pytest.mark.sampled(1)
def test_a_large_result_is_not_held_in_memory(connection):
    """200,000 rows go by in the memory of a few thousand."""
    gc.collect()
    tracemalloc.start()
    with open_query(connection, numbers(200_000)) as rows:
        count = sum(1 for _ in rows.records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 200_000 == count
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT recipient FROM there_is_none", "there_is_none"),
        ("SELEKT 1", "syntax error"),
        ("SELECT '1' AS recipient, '2' AS recipient, '3' AS name", "columns of the same name"),
    ],
)
def test_a_wrong_query_is_told_of(connection, query, told):
    """The database's own words say what is wrong with the query."""
    with pytest.raises(P2PSMSError, match=told):
        check(connection, query)


@pytest.mark.parametrize("query", ["CREATE TABLE a (b text)", "CREATE TEMP TABLE a AS SELECT 1 AS b"])
def test_a_query_without_rows_is_refused(connection, query):
    """What gives no rows is no query."""
    with pytest.raises(P2PSMSError, match=r"sql gives no rows|The query failed"):
        check(connection, query)


def test_nothing_is_written(tmp_path):
    """A transaction is never committed, so the database undoes what the query wrote in it."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute("CREATE TABLE a (recipient TEXT, message TEXT)")

    writing = "INSERT INTO a VALUES ('09120000001', 'hi') RETURNING recipient, message"
    with open_query(sqlite3.connect(tmp_path / "a.db"), writing) as rows:
        assert 1 == len(list(rows.records))

    with closing(sqlite3.connect(tmp_path / "a.db")) as asked:
        assert [] == asked.execute("SELECT * FROM a").fetchall()


def test_what_a_database_writes_without_a_commit_stays(tmp_path):
    """SQLite drops the table at once. The check for rows comes after that."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute("CREATE TABLE a (b TEXT)")

    with pytest.raises(InvalidMessageError, match="sql gives no rows"):
        check(sqlite3.connect(tmp_path / "a.db"), "DROP TABLE a")

    with closing(sqlite3.connect(tmp_path / "a.db")) as asked:
        assert [] == asked.execute("SELECT name FROM sqlite_master").fetchall()


@of_postgres
def test_a_table_is_not_dropped(connection):
    """PostgreSQL undoes even that."""
    name = f"p2psms_{secrets.token_hex(6)}"
    with closing(psycopg2()) as made:
        made.autocommit = True
        made.cursor().execute(f"CREATE TABLE {name} (b TEXT)")
        try:
            with pytest.raises(P2PSMSError):
                check(connection, f"DROP TABLE {name}")
            made.cursor().execute(f"SELECT * FROM {name}")
        finally:
            connection.close()
            made.cursor().execute(f"DROP TABLE {name}")


@of_postgres
def test_errors_quote_no_data(connection):
    """What the database says about a value is not repeated: it may be somebody's number."""
    word = secrets.token_hex(8)

    with pytest.raises(P2PSMSError) as caught:
        check(connection, f"SELECT CAST(v AS int) FROM (VALUES ('Dear {word}')) AS t(v)")

    assert word not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "InvalidTextRepresentation" in str(caught.value)


@pytest.mark.sampled(1)
@of_postgres
def test_a_failure_in_the_middle_quotes_no_data(connection):
    """Nor is it when the row at fault comes later."""
    query = (
        "SELECT CAST(CASE WHEN i = 5000 THEN '0912000' || i || 'x' ELSE '1' END AS int) AS recipient, "
        "'x' AS name FROM generate_series(1, 6000) AS n(i)"
    )
    with pytest.raises(P2PSMSError, match=r"The query failed: \w+\.$"):
        check(connection, query)


@pytest.mark.parametrize("driver", [psycopg2, psycopg3])
@pytest.mark.parametrize("parameters", [{"who": "Sara"}, ["Sara"], ("Sara",)])
def test_parameters(driver, parameters):
    """Named and numbered placeholders are filled in by the driver; without any, % is a character."""
    place = "%(who)s" if isinstance(parameters, dict) else "%s"
    query = f"SELECT '09120000001' AS recipient, {place}::text AS message, 1 AS name"
    with closing(driver()) as connection:
        assert ["Sara"] == [m.text for m in check(connection, query, parameters)]
    with closing(driver()) as connection:
        plain = "SELECT '09120000001' AS recipient, 'x' AS message, 1 AS name WHERE 'abc' LIKE 'a%'"
        assert ["x"] == [m.text for m in check(connection, plain)]


def test_rows_as_dictionaries():
    """A connection that is set up for dictionaries gives the same rows."""
    extras = pytest.importorskip("psycopg2.extras")
    with closing(psycopg2()) as connection:
        connection.cursor_factory = extras.RealDictCursor
        assert ["Dear n1", "Dear n2"] == [message.text for message in check(connection, numbers(2))]


def test_a_column_that_is_not_there():
    """It is named, beside those that are there."""
    with pytest.raises(
        InvalidMessageError, match=r"The query has no column 'name' \(text\); found: recipient"
    ):
        check(sqlite(), "SELECT '09120000001' AS recipient")
