"""Which files are taken."""

import csv
import io

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.files import read_rows
from tests.sandbox.conftest import Asker

ROW = "09120000000,hello\n"


def xlsx(*rows):
    """Write a workbook with these rows."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return content.getvalue()


def test_one_id_a_row(ask: Asker, sandbox: Sandbox):
    """Each row of a CSV is a message of its own; local numbers become E.164."""
    reply = ask.upload('recipient,message\r\n09120000000,"a, ""b""\r\nc"\r\n+14155550100,پیام\r\n')

    assert reply.ids == [1123594208, 1123594210]
    assert [(m.outbox_id, m.recipient, m.text) for m in sandbox.arrived] == [
        (1123594208, "+989120000000", 'a, "b"\r\nc'),
        (1123594210, "+14155550100", "پیام"),
    ]


@pytest.mark.parametrize("header", [True, False])
def test_a_workbook_is_read_with_or_without_a_header(header, ask: Asker, sandbox: Sandbox):
    """Column A is the recipient, column B the message; a header row may stand above."""
    rows = [["09120000000", "سلام"], ["+989350000000", "two\nlines"]]

    reply = ask.upload(xlsx(*([["recipient", "message"]] if header else []), *rows), name="messages.XLSX")

    assert len(reply.ids) == 2
    assert sandbox.texts_arrived == ["سلام", "two\nlines"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("messages.txt", f"recipient,message\n{ROW}"),
        ("messages", f"recipient,message\n{ROW}"),
        ("messages.csv", f"\ufeffrecipient,message\n{ROW}"),
        ("messages.csv", "recipient,message\n09120000000,سلام\n".encode("utf-16")),
        ("messages.csv", f"recipient;message\n{ROW}"),
        ("messages.csv", f"Recipient,Message\n{ROW}"),
        ("messages.csv", f"message,recipient\n{ROW}"),
        ("messages.csv", ROW),
        ("messages.csv", ""),
        ("messages.csv", "recipient,message\n"),
        ("messages.csv", "recipient,message\n09120000000,a,b\n"),
        ("messages.csv", "recipient,message\n09120000000\n"),
        ("messages.csv", f"recipient,message\n\n{ROW}"),
        ("messages.csv", 'recipient,message\n09120000000,"open\n'),
        ("messages.csv", 'recipient,message\n09120000000,"a"b\n'),
        ("messages.csv", "recipient,message\n9120000000,hello\n"),
        ("messages.csv", "recipient,message\n0912000000,hello\n"),
        ("messages.csv", "recipient,message\n09120000000, \n"),
        ("messages.csv", f"recipient,message\n09120000000,{'a' * 1401}\n"),
        ("messages.xlsx", f"recipient,message\n{ROW}"),
        ("messages.xlsx", xlsx()),
        ("messages.xlsx", xlsx([9120000000, "hello"])),
        ("messages.xlsx", xlsx(["09120000000", "hello", "more"])),
    ],
)
def test_a_file_that_is_not_plain_is_refused(name, content, ask: Asker, sandbox: Sandbox):
    """Another type, encoding, delimiter, header or row is refused whole, with 422 on ``files``."""
    reply = ask.upload(content, name=name)

    assert (reply.status, set(reply.errors)) == (422, {"files"})
    assert sandbox.arrived == []


def test_a_bad_row_is_named_by_its_number(ask: Asker):
    """Rows count from 1 below the header."""
    reply = ask.upload(f"recipient,message\n{ROW}123,hello\n")

    assert reply.errors["files"][0].startswith("row 2: ")


def test_more_rows_than_a_file_may_have(ask: Asker, sandbox: Sandbox):
    """10,000 rows are taken, one more is refused."""
    rows = [f"0912{number:07},hello\n" for number in range(10_001)]

    assert set(ask.upload("recipient,message\n" + "".join(rows)).errors) == {"files"}
    assert len(ask.upload("recipient,message\n" + "".join(rows[:-1])).ids) == 10_000
    assert len(sandbox.arrived) == 10_000


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"sending_type": ...}, {"sending_type"}),
        ({"sending_type": "peer_to_peer"}, {"sending_type"}),
        ({"from_number": ...}, {"from_number"}),
        ({"files_field": "files"}, {"files"}),
        ({"count": 2}, {"files"}),
    ],
)
def test_a_form_field_at_fault_is_named(fields, at_fault, ask: Asker):
    """A missing or wrong field, another name for the file, or two files are refused."""
    assert set(ask.upload(f"recipient,message\n{ROW}", **fields).errors) == at_fault


def test_a_form_without_boundary_has_no_fields(ask: Asker):
    """What cannot be parsed is refused for want of its fields."""
    reply = ask("POST", "/v1/api/send", body=b"x", content_type="multipart/form-data")

    assert set(reply.errors) == {"sending_type", "from_number", "files"}


@given(st.lists(st.tuples(st.text(), st.text(st.characters(codec="utf-8"))), min_size=1))
def test_what_the_standard_writer_writes_is_read(rows):
    """Any texts that Python's CSV writer quotes come back as they were."""
    rows = [(f"{number}", text) for number, (_, text) in enumerate(rows)]
    written = io.StringIO(newline="")
    csv.writer(written).writerows([("recipient", "message"), *rows])

    assert read_rows("messages.csv", written.getvalue().encode()) == rows
