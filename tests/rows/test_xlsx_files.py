"""XLSX: cells typed by a spreadsheet, and files that only look like one."""

import io
import zipfile
from datetime import datetime

import pytest
import xlsxwriter

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file


def workbook(*sheets):
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"default_date_format": "yyyy-mm-dd"}) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return content.getvalue()


def check(content, name="rows.xlsx", **rules):
    return list(check_rows(read_file(io.BytesIO(content), name=name), RowRules(**rules)))


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.csv", "no name"])
def test_numbers_and_dates_of_a_sheet(name):
    """Numbers stored as quantities are numbers again, dates are ISO; the file's name does not matter."""
    content = workbook(
        [
            ["Recipient ", "order_id", "day", "price"],
            [9121234567, 1234, datetime(2026, 3, 21), 12.5],  # noqa: DTZ001 - cells have no time zone
            ["", "  "],
            ["۰۹۱۲۱۲۳۴۵۶۷", "A-7", "tomorrow", 13],
        ],
        [["another", "sheet"]],
    )

    results = check(content, name, text="{order_id} on {day}: {price}", key_column="order_id")

    assert [
        Message(1, "+989121234567", "1234 on 2026-03-21: 12.5", 1, "1234"),
        Message(2, "+989121234567", "A-7 on tomorrow: 13", 1, "A-7"),
    ] == results


def test_a_sheet_that_begins_further_down():
    """Blank rows and columns around a table are not part of it."""
    content = workbook([[], [], ["", "recipient", "message"], [], ["", "09121234567", " hi\n"]])

    assert [Message(1, "+989121234567", " hi\n", 1)] == check(content)


def test_cells_that_are_no_numbers():
    """A truth value, a date or a number too large is a problem of its row."""
    rows = [["recipient", "message"], [True, "a"], [datetime(2026, 3, 21), "b"], [1e17, "c"], [None, "d"]]  # noqa: DTZ001

    assert [1, 2, 3, 4] == [problem.row for problem in check(workbook(rows)) if problem.column == "recipient"]


def test_columns_that_a_sheet_lacks():
    """A missing column is refused once."""
    with pytest.raises(InvalidMessageError, match=r"rows.xlsx has no column 'recipient'"):
        check(workbook([["a", 2026], ["b", "c"]]))


def test_an_empty_sheet():
    """A sheet without a cell has no rows."""
    assert [] == check(workbook([]))


def archive(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name in names:
            opened.writestr(name, "<x/>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 and no more", "cut short or damaged"),
        (workbook([["a"]])[:-50], "cut short or damaged"),
        (archive("mimetype", "content.xml"), "no .xlsx workbook"),
        (archive("xl/styles.xml"), "no .xlsx workbook"),
        (archive("xl/workbook.xml"), "a damaged workbook"),
        (
            archive("xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"),
            "a damaged workbook",
        ),
    ],
    ids=range(6),
)
def test_zips_that_are_no_workbooks(content, reason):
    """A file that begins like a workbook and is none is named for what it is."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        check(content)

    assert caught.value.__suppress_context__ or caught.value.__context__ is None
