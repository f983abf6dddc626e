"""Columns: found by names that look the same, told apart, and missed only where there are rows."""

import io

import pandas as pd
import polars as pl
import pytest

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file, read_rows
from airflow_provider_p2psms.rows.row import Header
from airflow_provider_p2psms.rows.table import Table

NUMBER = "09121234567"


def check(columns, **rules):
    frame = pl.DataFrame([[NUMBER], ["hi"]], schema=columns)
    return list(check_rows(read_rows(frame), RowRules(**rules)))


def check_file(content, **rules):
    return list(check_rows(read_file(io.BytesIO(content.encode()), name="a/list.csv"), RowRules(**rules)))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("MOBILE", "mobile"),
        ("Phone Number", "phone\u00a0number"),
        ("phone  number", "Phone number"),
        ("phone\nnumber", "phone number"),
        ("phone\t\r\n number", "phone number"),
        ("\ufeff\u200fphone\u200e", "phone"),
        ("شماره\u200cتلفن", "شمارهتلفن"),
        ("شماره تلفن مشتري", "شماره تلفن مشتری"),
        ("كد", "کد"),
        ("موبایلى", "موبایلی"),
        ("نـــام", "نام"),
        ("تلفن ۱", "تلفن 1"),
        ("تلفن ٢", "تلفن ۲"),
        ("Te\u0301le\u0301phone", "téléphone"),
        ("STRASSE", "straße"),
        ("mo\u00adbile", "mobile"),
    ],
    ids=ascii,
)
def test_names_that_look_the_same(found, wanted):
    """A column is found by what a person sees of its name, in both directions."""
    for name, asked in ((found, wanted), (wanted, found)):
        assert [Message(1, "+989121234567", "hi", 1)] == check([name, "message"], recipient_column=asked)


@pytest.mark.parametrize(
    ("found", "wanted", "shown"),
    [
        ("recipi\u0435nt", "recipient", r"found: recipi\u0435nt, message"),
        ("recipient", "recipi\u0435nt", r"no column 'recipi\u0435nt'"),
        ("شمارة", "شماره", r"found: شمار\u0629, message"),
        ("recipent", "recipient", "found: recipent, message"),
        ("نام", "recipient", "found: نام, message"),
    ],
    ids=ascii,
)
def test_what_differs_is_shown(found, wanted, shown):
    """Letters that only look the same are shown by their codes, and other names as they are."""
    with pytest.raises(InvalidMessageError) as caught:
        check([found, "message"], recipient_column=wanted)

    assert shown in str(caught.value)


def test_names_that_are_too_long_to_be_compared_are_shown_as_they_are():
    """Long names take long to compare, and a file that is no table may have one of a megabyte."""
    latin, cyrillic = "recipient" * 5, "recipi\u0435nt" * 5

    with pytest.raises(InvalidMessageError) as caught:
        check([latin, "message"], recipient_column=cyrillic)

    assert f"no column '{cyrillic}'" in str(caught.value)


def test_a_message_column_of_another_alphabet_is_not_passed_over():
    """A column that looks like the message column is not replaced by the common text in silence."""
    with pytest.raises(InvalidMessageError, match=r"found: recipient, m\\u0435ssage"):
        check(["recipient", "m\u0435ssage"], text="Hello")
    assert "Hello" == check(["recipient", "massage"], text="Hello")[0].text
    assert "Hello" == check(["recipient", "messages"], text="Hello")[0].text


def test_names_that_look_the_same_as_each_other():
    """Which of two columns is meant cannot be known, unless one has the very name."""
    with pytest.raises(InvalidMessageError, match="the DataFrame has several columns that look like 'كد'"):
        check(["کد", "ک\u200cد"], recipient_column="كد")
    assert [Message(1, "+989121234567", "hi", 1)] == check(
        ["recipient", "RECIPIENT"], message_column="RECIPIENT"
    )


@pytest.mark.parametrize(
    ("header", "rules"),
    [
        ("recipient,message,note,note", {}),
        ("recipient,message,,", {}),
        ("Note,recipient,message,Note", {}),
        ("recipient,message,name,name", {"text": "Hello"}),
    ],
)
def test_two_columns_of_one_name_that_nobody_uses(header, rules):
    """Columns that are not used may have any names."""
    cells = {"recipient": NUMBER, "message": "hi"}
    row = ",".join(cells.get(name, "x") for name in header.split(","))

    assert [Message(1, "+989121234567", "hi", 1)] == check_file(f"{header}\n{row}\n", **rules)


@pytest.mark.parametrize(
    ("header", "rules", "twice"),
    [
        ("recipient,message,message", {}, "message"),
        ("recipient,recipient,message", {}, "recipient"),
        ("recipient,message,id,id", {"key_column": "ID"}, "id"),
        ("recipient,name,name", {"text": "Dear {name}"}, "name"),
        ("recipient,message,recipients,recipients", {}, "recipients"),
    ],
)
def test_two_columns_of_one_name_that_is_used(header, rules, twice):
    """Which of two columns is meant cannot be known."""
    with pytest.raises(InvalidMessageError, match=f"of the same name; found: {twice}; rename or remove"):
        check_file(f"{header}\n{NUMBER},a,b,c\n", **rules)


def test_a_title_above_the_header():
    """A file whose first line is no header says so."""
    with pytest.raises(
        InvalidMessageError, match=r"list.csv has no column 'recipient'.*or the header is not the"
    ):
        check_file(f"Customers of March\nrecipient,message\n{NUMBER},hi\n")


EMPTY = [
    pd.DataFrame([]),
    pl.DataFrame([]),
    pd.DataFrame(columns=["a", "a"]),
    pl.DataFrame(schema=["a"]),
    pd.DataFrame({"recipient": [], "message": []}),
    pd.DataFrame([{"a": 1}]).iloc[:0],
]


@pytest.mark.parametrize("frame", EMPTY)
def test_a_frame_without_rows_has_none(frame):
    """No rows are no error, whatever the columns: also among other frames, and with none."""
    good = pl.DataFrame({"recipient": [NUMBER], "message": ["hi"]})

    for source in (frame, [frame], iter([frame, frame])):
        assert [] == list(check_rows(read_rows(source), RowRules(text="{name}", key_column="id")))
    assert [] == list(read_rows(frame))
    assert [1] == [each.row for each in check_rows(read_rows([frame, good, frame]), RowRules())]


def test_a_query_without_rows_has_none():
    """A table in memory without a record is not asked for its columns."""
    assert [] == list(check_rows(Table(Header("The query", ("a",)), iter([[], []])), RowRules()))


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(index=[0, 1]), pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]})]
)
def test_a_frame_with_rows_has_its_columns(frame):
    """Rows without the columns that they need are an error."""
    with pytest.raises(InvalidMessageError, match="the DataFrame has"):
        list(check_rows(read_rows(frame), RowRules()))
    with pytest.raises(InvalidMessageError, match="the DataFrame has"):
        list(check_rows(read_rows([frame]), RowRules()))


def counted(source, **rules):
    checked = check_rows(source, RowRules(**rules))
    good = sum(isinstance(result, Message) for result in checked)
    assert good == checked.reading.texts_of_column + checked.reading.texts_of_template
    return checked.reading.texts_of_column, checked.reading.texts_of_template


@pytest.mark.parametrize("size", [1, 300])
def test_texts_are_counted_by_where_they_came_from(size):
    """How many texts were the rows' own and how many the common one is known after the last row."""
    own, other = {"recipient": NUMBER, "message": "hi"}, {"recipient": NUMBER, "message": "\u200c"}
    bad = {"recipient": "1", "message": "hi"}
    rows = [own, own, other, bad] * size
    content = "recipient,message\n" + "".join(f"{row['recipient']},{row['message']}\n" for row in rows)

    assert (2 * size, size) == counted(read_rows(rows), text="Hello")
    assert (2 * size, 0) == counted(read_rows(rows))
    assert (2 * size, size) == counted(read_file(io.BytesIO(content.encode()), name="a.csv"), text="Hello")
    assert (0, 3 * size) == counted(read_rows([{"recipient": NUMBER}] * 3 * size), text="Hello")
    assert (3 * size, 0) == counted(read_rows([(NUMBER, "hi")] * 3 * size))
    assert (2 * size, 0) == counted(read_rows([{"recipients": [NUMBER, "1", NUMBER], "message": "a"}] * size))
    assert (size, size) == counted(read_rows([own, {"recipient": NUMBER}] * size), text="Hello")
