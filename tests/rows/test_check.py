"""The check: one result for each recipient, with row, column and reason where it cannot be sent."""

import enum
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_rows

NUMBER = "09121234567"
E164 = "+989121234567"


def check(*rows, **rules):
    return list(check_rows(read_rows(rows), RowRules(**rules)))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"region": "XX"}, "region"),
        ({"region": "ir"}, "capital"),
        ({"region": ""}, "region"),
        ({"recipient_column": ""}, "no name"),
        ({"message_column": ""}, "no name"),
        ({"key_column": ""}, "no name"),
        ({"recipient_column": "a", "message_column": "a"}, "same column"),
        ({"text": "Dear {"}, "brace"),
    ],
)
def test_rules_are_checked_when_built(rules, reason):
    """Rules that no row could follow are refused before any row is read."""
    with pytest.raises(InvalidMessageError, match=reason):
        RowRules(**rules)


def test_rules_show_no_text():
    """The text is in no ``repr``."""
    assert "secret" not in repr(RowRules(text="secret"))


class Word(enum.StrEnum):
    HELLO = "hello"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("  as it is\r\n", "  as it is\r\n"),
        ("{name}", "{name}"),
        (1234, "1234"),
        (1234.0, "1234"),
        (12.5, "12.5"),
        (np.int64(7), "7"),
        (Word.HELLO, "hello"),
    ],
)
def test_texts_of_a_row_of_its_own(message, text):
    """A row's own text is sent as it is and is no template; a number is sent as its digits."""
    (result,) = check((NUMBER, message), text="unused")

    assert (text, str) == (result.text, type(result.text))


@pytest.mark.parametrize("message", [None, "", " \n", float("nan")])
def test_the_text_is_for_rows_without_one(message):
    """A row without a text gets the common one, filled with its own columns."""
    row = {"recipient": NUMBER, "message": message, "name": "Ali"}

    assert [Message(1, E164, "Dear Ali", 1)] == check(row, text="Dear {name}")
    assert [Message(1, E164, "Hello", 1)] == check((NUMBER, message), text="Hello")


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        (("0912", "hi"), "recipient", "••12", "too short for a number of IR"),
        ((None, "hi"), "recipient", "", "is empty"),
        (([NUMBER], "hi"), "recipient", "(list)", "is a list"),
        ({"message": "hi"}, "recipient", "", "no such column; found: message"),
        ({}, "recipient", "", "no such column; found: none"),
        ({"09121234567": "hi"}, "recipient", "", "are not shown"),
        ({"recipient": NUMBER}, "message", "", "no such column, and no text for rows without one"),
        ((NUMBER, None), "message", "", "is empty, and there is no text"),
        ((NUMBER, True), "message", "", "is a bool, not a text"),
        ((NUMBER, b"secret"), "message", "", "is a bytes, not a text"),
        ((NUMBER, ["secret"]), "message", "", "is a list, not a text"),
        ((NUMBER, 1e16), "message", "", "may have lost digits"),
        ((NUMBER, "secret" * 300), "message", "(1,800 characters)", "longer than the gateway takes"),
        ({"recipients": [], "message": "hi"}, "recipients", "", "an empty list"),
        ({"recipients": NUMBER, "message": "hi"}, "recipients", "•••••••••67", "not a list"),
        ({"recipients": {NUMBER}, "message": "hi"}, "recipients", "(set)", "not a list"),
        ({"recipients": [NUMBER], "recipient": NUMBER, "message": "hi"}, "recipients", "", "has both"),
    ],
)
def test_problems_name_their_column(row, column, value, reason):
    """A problem names the row, the column at fault, the masked value, and what is wrong."""
    (problem,) = check(row)

    assert (1, column, value) == (problem.row, problem.column, problem.value)
    assert reason in problem.reason
    assert "secret" not in f"{problem}{problem!r}"


def test_a_column_named_recipients_beside_the_recipient():
    """A count named ``recipients`` does not make a group of a row."""
    assert [Message(1, E164, "hi", 1)] == check({"recipient": NUMBER, "message": "hi", "recipients": 3})


def test_the_recipients_of_a_group_are_checked_one_by_one():
    """All recipients of a group share its row; a bad one does not take the others with it."""
    group = {"recipients": [NUMBER, "12", 9351234567], "message": "hi {x}", "id": 5}

    results = check(group, (NUMBER, "bye"), {"recipient": NUMBER, "message": "x"})

    assert [1, 1, 1, 2, 3] == [result.row for result in results]
    assert ["+989121234567", "+989351234567"] == [r.recipient for r in results[:3] if isinstance(r, Message)]
    assert ("recipients", "12") == (results[1].column, results[1].value)


def test_a_group_without_a_good_text_is_a_problem_for_each():
    """Every recipient of a group without a text is accounted for, a bad number by its own reason."""
    results = check({"recipients": [NUMBER, "1", NUMBER], "message": ""})

    assert ["message", "recipients", "message"] == [problem.column for problem in results]


@pytest.mark.parametrize(
    ("value", "key"), [("A-7", "A-7"), (7, "7"), (7.0, "7"), (None, ""), (float("nan"), "")]
)
def test_the_key_names_a_row_to_its_owner(value, key):
    """The key column goes with messages and problems alike, whole floats as integers."""
    good = {"recipient": NUMBER, "message": "hi", "id": value}
    results = check(good, good | {"recipient": "1"}, good | {"message": ""}, {"id": value}, key_column="id")

    assert [key] * 4 == [result.key for result in results]
    assert isinstance(results[0], Message)


def test_the_key_of_a_group():
    """A group's key goes with each of its recipients."""
    results = check({"recipients": [NUMBER, "1"], "message": "hi", "id": 5}, key_column="id")

    assert ["5", "5"] == [result.key for result in results]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"recipient": NUMBER, "message": "hi"}, "no such column; found: recipient, message"),
        ({"recipient": NUMBER, "message": "hi", "id": ["secret"]}, "holds a list"),
        ((NUMBER, "hi"), "a pair has no key column"),
    ],
)
def test_rows_without_their_key(row, reason):
    """A row that lacks the key column is a problem: its owner could not be told what became of it."""
    (problem,) = check(row, key_column="id")

    assert "id" == problem.column
    assert reason in problem.reason


def test_a_value_that_the_text_lacks():
    """The column that a text needs and a row lacks is named."""
    missing, empty = check(
        {"recipient": NUMBER, "x": 1}, {"recipient": NUMBER, "name": None}, text="Dear {name}"
    )

    assert RowProblem(1, "name", "", "the text needs this column; found: recipient, x") == missing
    assert RowProblem(2, "name", "", "has no value, and the text needs one") == empty


garbage = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.text("0123456789 +-()/.,E۰۱۲۳", min_size=5, max_size=30)
    | st.binary()
    | st.dates()
    | st.complex_numbers()
    | st.just(NUMBER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
        | st.dictionaries(
            st.sampled_from(["recipient", "message", "name", "id"]) | st.text() | st.integers(), inner
        )
        | st.fixed_dictionaries({"recipients": st.lists(inner, max_size=3), "message": inner})
    ),
    max_leaves=12,
)


def expected_results(row):
    is_group = isinstance(row, dict) and isinstance(row.get("recipients"), list | tuple)
    return len(row["recipients"]) if is_group and row["recipients"] and "recipient" not in row else 1


def digits_within(value):
    """Collect all runs of five digits in what was handed in, however deep."""
    if isinstance(value, dict):
        return set().union(*map(digits_within, value), *map(digits_within, value.values()))
    if isinstance(value, list | tuple | set):
        return set().union(*map(digits_within, value))
    text = "".join(char if char.isdecimal() else " " for char in str(value))
    return {run[at : at + 5] for run in text.split() for at in range(len(run) - 4)}


@given(st.lists(garbage, max_size=4), st.sampled_from([None, "Dear {name}", "{id:d}"]), st.booleans())
def test_garbage_is_counted_and_not_shown(rows, text, keyed):
    """Whatever is handed in: one result for each recipient, and no run of five of its digits shown."""
    results = check(*rows, text=text, key_column="id" if keyed else None)

    expected = [number for number, row in enumerate(rows, 1) for _ in range(expected_results(row))]
    assert expected == [result.row for result in results]
    told = " ".join(f"{result}{result!r}" for result in results)
    # A column's name is shown, and an unprintable letter of it in digits of its own.
    told = re.sub(r"\\(x\w{2}|u\w{4}|U\w{8})", " ", told)
    assert not [run for run in digits_within(rows) if run in told]


@given(st.text().map(lambda text: f"ژ{text}ژ"))
def test_texts_are_not_shown(text):
    """A text in any place of a row is in no problem and no ``repr``."""
    words = {"recipient": text, "message": text, "name": text, "id": text}
    good = words | {"recipient": NUMBER}
    results = check(words, (text, text), good, good | {"message": b"x"}, text=None, key_column="id")

    told = " ".join(f"{result}{result!r}" for result in results)
    assert text not in told
