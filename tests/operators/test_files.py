"""Files of rows at the operators: which sheet, hidden rows, encodings, numbers, and what the log says."""

import logging

import pytest
import xlsxwriter

from airflow_provider_p2psms.airflow_compat import AirflowException
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times", "p2psms_sandbox")]

LINE = "+983000505"
PEOPLE = [("09120000001", "for Sara"), ("09120000002", "for Omid")]


@pytest.fixture
def workbook(tmp_path):
    """Write a workbook with rows in each of its sheets; hide rows by their numbers in the sheet."""

    def write(sheets, hidden=()):
        path = tmp_path / "list.xlsx"
        with xlsxwriter.Workbook(path) as book:
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                for place, row in enumerate([("recipient", "message"), *rows] if rows else []):
                    sheet.write_row(place, 0, row)
                for row in hidden:
                    sheet.set_row(row - 1, None, None, {"hidden": True})
        return path

    return write


def send(file, operator=PeerToPeerSMSOperator, **how):
    return operator(task_id="send", file=file, from_number=LINE, **how).execute({})


def test_the_sheet_with_rows_is_sent(workbook, p2psms_sandbox: Sandbox, caplog):
    """An empty sheet in front of it is passed over, and the log names the sheet that was read."""
    with caplog.at_level(logging.INFO):
        assert 2 == send(workbook({"Cover": [], "List": PEOPLE}))["accepted"]

    assert ["for Sara", "for Omid"] == p2psms_sandbox.texts_arrived
    assert 'Read list.xlsx: sheet "List".' in caplog.text


@pytest.mark.parametrize("sheet", ["New", 2, "2"])
def test_one_of_several_sheets_is_named(workbook, sheet, p2psms_sandbox: Sandbox):
    """Where several sheets have rows, nothing is sent until one of them is named."""
    file = workbook({"Old": PEOPLE[:1], "New": PEOPLE[1:]})

    with pytest.raises(
        AirflowException, match=r'set sheet to the name of one of them; its\s+sheets: "Old", "New"'
    ):
        send(file)
    assert not p2psms_sandbox.arrived
    assert 1 == send(file, sheet=sheet)["accepted"]
    assert ["for Omid"] == p2psms_sandbox.texts_arrived


def test_a_sheet_of_a_file_that_has_none(tmp_path, p2psms_sandbox: Sandbox):
    """A CSV in the place of a workbook is not what was asked for."""
    (tmp_path / "list.csv").write_text("recipient,message\n09120000001,a\n")

    with pytest.raises(AirflowException, match=r"list\.csv is a text file and has no sheets"):
        send(tmp_path / "list.csv", sheet="List")
    assert not p2psms_sandbox.arrived


def test_hidden_rows(workbook, p2psms_sandbox: Sandbox, caplog):
    """Rows that the author of the list does not see stop the send, until the task says what is meant."""
    file = workbook({"List": PEOPLE}, hidden=[2])

    with pytest.raises(AirflowException, match=r"(?s)1 row is hidden, first row 2; .* set hidden_rows"):
        send(file)
    assert not p2psms_sandbox.arrived
    with caplog.at_level(logging.INFO):
        assert 1 == send(file, hidden_rows="skip")["accepted"]
    assert ["for Omid"] == p2psms_sandbox.texts_arrived
    assert 'Read list.xlsx: sheet "List", 1 hidden row skipped.' in caplog.text


def test_a_bad_row_is_named_as_the_spreadsheet_names_it(workbook):
    """The file, the sheet and the row's number in it stand in the error."""
    with pytest.raises(AirflowException, match=r'list\.xlsx, sheet "List", row 3, recipient'):
        send(workbook({"List": [PEOPLE[0], ("12", "x")]}))


@pytest.mark.parametrize("operator", [PeerToPeerSMSOperator, PeerToPeerFileOperator])
def test_an_encoding_that_is_told(operator, tmp_path, p2psms_sandbox: Sandbox, caplog):
    """A code page of another country is used as it is told; the log names it."""
    file = tmp_path / "kunden.csv"
    file.write_bytes("recipient;message\n09120000001;Größe für Jürgen\n".encode("cp850"))

    with caplog.at_level(logging.INFO):
        send(file, operator, encoding="cp850")

    assert ["Größe für Jürgen"] == p2psms_sandbox.texts_arrived
    assert "Read kunden.csv: cp850, delimiter ';'." in caplog.text


def test_texts_of_the_column_and_of_the_template_are_counted(tmp_path, caplog):
    """A list whose message column is filled in part says how many texts came from where."""
    file = tmp_path / "list.csv"
    file.write_text("recipient,name,message\n09120000001,Sara,\n09120000002,Omid,own\n")

    with caplog.at_level(logging.INFO):
        send(file, text="Dear {name}")

    assert "1 from the message column, 1 from the template" in caplog.text


def test_landlines_only_where_the_task_takes_them(tmp_path, p2psms_sandbox: Sandbox):
    """A landline is accepted, and refused by a task of mobile numbers only."""
    file = tmp_path / "list.csv"
    file.write_text("recipient,message\n+982188776655,a\n")

    with pytest.raises(AirflowException, match="mobile"):
        send(file, mobiles_only=True)
    assert not p2psms_sandbox.arrived
    assert 1 == send(file)["accepted"]


def test_a_number_range_that_is_new(tmp_path, p2psms_sandbox: Sandbox):
    """A number that the numbering plans lack is refused with the way on; a task may trust it."""
    file = tmp_path / "list.csv"
    file.write_text("recipient,message\n+989601234567,a\n")

    with pytest.raises(AirflowException, match="trust_e164"):
        send(file)
    assert 1 == send(file, trust_e164=True)["accepted"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"messages": [], "sheet": "List"}, "can be used with file"),
        ({"messages": [], "hidden_rows": "skip"}, "can be used with file"),
        ({"messages": [], "encoding": "cp1256"}, "can be used with file"),
        ({"file": "x.csv", "hidden_rows": "drop"}, "hidden_rows must be one of fail, skip, send"),
        ({"file": "x.csv", "text_values": "NULL"}, "text_values must be a list of words"),
    ],
)
def test_what_cannot_work_is_refused_when_the_dag_is_parsed(how, reason):
    """Parameters of a file without one, and unknown words, are errors of the DAG."""
    with pytest.raises(ValueError, match=reason):
        PeerToPeerSMSOperator(task_id="send", **how)


def test_an_encoding_of_a_template_is_checked_before_the_file_is_read(tmp_path):
    """A rendered value that names no encoding is an error that says what to set."""
    (tmp_path / "list.csv").write_text("recipient,message\n09120000001,a\n")

    with pytest.raises(AirflowException, match="encoding is not a text encoding"):
        send(tmp_path / "list.csv", encoding="klingon")
