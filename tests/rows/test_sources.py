"""What may be handed in as ``messages``, and what each form becomes."""

import json
import sqlite3
from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
import polars as pl
import pytest
import sqlalchemy

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_rows

NUMBER = "09121234567"
ROW = {"recipient": NUMBER, "message": "hi"}


class Named(NamedTuple):
    message: str
    recipient: str


def check(messages, **rules):
    return list(check_rows(read_rows(messages), RowRules(**rules)))


def sqlite_row():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 'hi' AS message, ? AS recipient", (NUMBER,)).fetchone()
    connection.close()
    return row


def sqlalchemy_rows():
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        query = sqlalchemy.text("SELECT 'hi' AS message, '09121234567' AS recipient")
        rows = [connection.execute(query).one(), connection.execute(query).mappings().one()]
    engine.dispose()
    return rows


@pytest.mark.parametrize(
    "messages",
    [
        [ROW],
        (ROW,),
        iter([ROW]),
        (row for row in [ROW]),
        {"only": ROW}.values(),
        ROW,
        MappingProxyType(ROW),
        [OrderedDict(ROW)],
        [UserDict(ROW)],
        [MappingProxyType(ROW)],
        [pd.Series(ROW)],
        [(NUMBER, "hi")],
        [[NUMBER, "hi"]],
        {(NUMBER, "hi")},
        [Named("hi", NUMBER)],
        [{"recipients": [NUMBER], "message": "hi"}],
        [{"recipients": (NUMBER,), "message": "hi"}],
        {"recipients": [NUMBER], "message": "hi"},
        json.dumps([ROW]),
        json.dumps(ROW),
        "\ufeff" + json.dumps([[NUMBER, "hi"]]),
        json.dumps([ROW]).encode(),
        json.dumps([ROW]).encode("utf-16"),
        bytearray(json.dumps([ROW]).encode("utf-8-sig")),
        pd.DataFrame([ROW]),
        pl.DataFrame([ROW]),
        pl.DataFrame([{"Message ": "hi", "Recipient": 9121234567}]),
        [pd.DataFrame([ROW])],
        iter([pl.DataFrame([ROW])]),
        pl.DataFrame([ROW]).iter_rows(named=True),
    ],
    ids=lambda messages: type(messages).__name__,
)
def test_every_form_of_one_row(messages):
    """Each form that is accepted gives the same message."""
    assert [Message(1, "+989121234567", "hi", 1)] == check(messages)


def test_rows_of_databases_are_read_by_name():
    """Rows that know their columns are read by them, whatever their order."""
    rows = [sqlite_row(), *sqlalchemy_rows()]

    assert [Message(n, "+989121234567", "hi", 1) for n in (1, 2, 3)] == check(rows)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_frames_with_any_columns(library):
    """A frame's columns fill a text; whole floats of a column with gaps are integers again."""
    frame = library({"phone": [NUMBER, None], "order_id": [12.0, None], "name": ["Ali", "Sara"]})

    results = check(frame, recipient_column="phone", key_column="order_id", text="{name}: {order_id}")

    assert Message(1, "+989121234567", "Ali: 12", 1, "12") == results[0]
    assert RowProblem(2, "phone", "", "is empty; it needs a phone number") == results[1]


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_frames_of_groups(library):
    """A column of lists is read as groups where it is named as the recipients' column."""
    frame = library({"recipients": [[NUMBER, "x"]], "message": ["hi"]})

    first, second = check(frame, recipient_column="recipients")

    assert Message(1, "+989121234567", "hi", 1) == first
    assert (1, "recipients") == (second.row, second.column)


@pytest.mark.parametrize("kind", ["float32", "Float32"])
def test_recipients_as_short_floats_are_refused_at_once(kind):
    """A 32-bit float has lost digits of a phone number: it would reach somebody else."""
    frame = pd.DataFrame({"recipient": [9121234567], "message": ["hi"]}).astype({"recipient": kind})

    with pytest.raises(InvalidMessageError, match="32 bits or fewer"):
        check(frame)
    with pytest.raises(InvalidMessageError, match="32 bits or fewer"):
        check(
            pl.DataFrame({"recipient": [9.1], "message": ["a"]}, schema_overrides={"recipient": pl.Float32})
        )


def test_frames_with_two_columns_of_one_name():
    """Which of two columns is meant cannot be known."""
    frame = pd.DataFrame([[NUMBER, "a", "b"]], columns=["recipient", "message", "message"])

    with pytest.raises(
        InvalidMessageError, match="the DataFrame has columns of the same name; found: message"
    ):
        check(frame)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (None, "is None: the task before it may have returned nothing"),
        (7, "is a int; messages takes rows"),
        (object(), "is a object"),
        ("", r"not JSON \(line 1, column 1\); messages takes"),
        ("/data/numbers.csv", "path belongs in `file`"),
        ("[{'recipient': 'secret'}]", "render_template_as_native_obj"),
        ("[('secret', 'x')]", "task.output"),
        ("('secret', 'x')", "task.output"),
        ("[['secret', 'x']]", "task.output"),
        ("{'recipient': 'secret'}", "task.output"),
        ("None", "task.output"),
        ("<generator object secret at 0x7f>", "task.output"),
        ('[{"recipient": "secret"', "line 1, column 24"),
        ("3", "neither a list"),
        ('"secret"', "neither a list"),
        ("null", "neither a list"),
        (b"\xff\xfe\xff", "not JSON; messages takes"),
        pytest.param("[" * 100_000, "not JSON; messages takes", id="deep"),
        pytest.param("[" + "1" * 5000 + "]", "not JSON; messages takes", id="huge"),
        (pl.LazyFrame({"recipient": []}), "collect"),
    ],
)
def test_what_holds_no_rows_is_refused_at_once(messages, reason):
    """What is nothing that holds rows is an error before any row, and shows none of its content."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        read_rows(messages)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


class Treacherous:
    """Looks like a mapping and fails when it is read."""

    def keys(self):
        return ["recipient"]

    def __getitem__(self, name):
        raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "a NoneType is no row"),
        (9121234567, "a int is no row"),
        ("secret", "a str is no row"),
        (b"secret", "a bytes is no row"),
        ({"secret"}, "a set is no row"),
        (object(), "a object is no row"),
        (("secret",), "a tuple of length 1"),
        (["secret", "b", "c"], "a list of length 3"),
        ((), "a tuple of length 0"),
        (Treacherous(), "cannot be read by its keys"),
    ],
)
def test_a_row_that_is_none_keeps_its_number(row, reason):
    """A row that is none is one problem in its place; the others go on."""
    first, problem, last = check([ROW, row, ROW])

    assert (1, 3) == (first.row, last.row)
    assert (2, "the whole row", "") == (problem.row, problem.column, problem.value)
    assert reason in problem.reason
    assert "secret" not in str(problem)


def test_errors_of_the_callers_iterator_pass_through():
    """An error of the caller's own generator is not swallowed."""

    def broken():
        yield ROW
        raise ZeroDivisionError

    results = check_rows(read_rows(broken()), RowRules())

    assert Message(1, "+989121234567", "hi", 1) == next(results)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_rows_are_read_one_by_one():
    """An endless source is read no further than asked."""

    def endless():
        while True:
            yield ROW

    results = check_rows(read_rows(endless()), RowRules())

    assert [1, 2, 3] == [next(results).row for _ in range(3)]
