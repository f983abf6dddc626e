"""Which sheet of a workbook is read, and what becomes of its hidden rows."""

import io
import re

import pytest
import xlsxwriter

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file
from tests.rows.workbooks import LIST, build, pack, parts_of, row, sheet_xml

HEADER = row(1, "recipient", "message")
HIDDEN = ' hidden="1"'


def check(content, name="folder/list.xlsx", rules=None, **how):
    checked = check_rows(read_file(io.BytesIO(content), name=name, **how), rules or RowRules())
    return list(checked), checked.reading


def texts(content, **how):
    return [result.text for result in check(content, **how)[0] if isinstance(result, Message)]


def refusal(content, **how):
    with pytest.raises(InvalidMessageError) as caught:
        check(content, **how)
    assert "folder" not in str(caught.value)
    return str(caught.value)


def listed(text):
    return HEADER + row(2, "09121234567", text)


CHART = ("Chart", "<chartsheet/>", "visible", "chartsheet")
DIALOG = ("Dialog", "<dialogsheet/>", "visible", "dialogsheet")
MACRO = ("Macro", "<macrosheet/>", "visible", "xlMacrosheet")
EMPTY = ("Empty", "")
BLANK = ("Blank", row(1, " ", " ") + row(4, " ") + row(5, None, " "))
NOTE = ("Note", row(1, "see the list"))
A, B = ("A", listed("a")), ("B", listed("b"))
HIDDEN_A, VERY_HIDDEN_A = (*A, "hidden"), (*A, "veryHidden")


@pytest.mark.parametrize(
    "before", [(), (EMPTY,), (BLANK,), (NOTE,), (CHART,), (DIALOG,), (MACRO,), (HIDDEN_A,), (VERY_HIDDEN_A,)]
)
def test_the_only_visible_sheet_with_rows(before):
    """The visible worksheet that has rows is read, wherever it stands, and the reading names it."""
    results, reading = check(build(*before, B, *before[:1]))

    assert [Message(1, "+989121234567", "b", 1)] == results
    assert "B" == reading.sheet


def test_several_sheets_with_rows():
    """Several visible sheets with rows are refused, and named, as long as none is asked for."""
    assert 'several sheets; set sheet to the name of one of them; its sheets: "A", "B"' in refusal(
        build(A, NOTE, B)
    )


def test_a_sheet_that_may_have_rows():
    """A second sheet that cannot be read may be the one that is meant."""
    broken = ("Broken", '<row r="1"><c r="A0"><v>1</v></c></row>')

    assert '"A", "Broken"' in refusal(build(A, broken))
    assert ["a"] == texts(build(A, broken), sheet="A")


@pytest.mark.parametrize("visible", [EMPTY, BLANK, NOTE, CHART])
def test_rows_out_of_sight(visible):
    """A workbook whose rows all stand in hidden sheets is refused, and not taken for an empty one."""
    assert (
        'hidden ones; set sheet to the name of one of them, or make it visible; its sheets: "A" (hidden)'
        in refusal(build(visible, HIDDEN_A))
    )
    assert ["a"] == texts(build(visible, HIDDEN_A), sheet="A")


@pytest.mark.parametrize("sheets", [[EMPTY], [EMPTY, BLANK], [EMPTY, ("Old", "", "hidden")]])
def test_no_rows_at_all(sheets):
    """Empty sheets have no rows."""
    assert [] == check(build(*sheets))[0]


def test_a_header_alone():
    """A sheet that has a header and no rows is one without rows, and its header is checked."""
    assert [] == check(build(EMPTY, ("B", HEADER)))[0]
    assert "no column 'recipient'" in refusal(build(EMPTY, NOTE))


def test_no_worksheet():
    """A workbook of charts alone has nothing to be read."""
    assert 'has no worksheet; its sheets: "Chart"' in refusal(build(CHART))


@pytest.mark.parametrize(
    ("sheet", "text"),
    [
        ("A", "a"),
        (" a ", "a"),
        ("2", "2"),  # a name is a name first
        (2, "b"),
        ("1", "a"),
        ("لیست  من", "p"),
        ("لي\u200cست من", "p"),
        ("Hidden", "h"),
    ],
)
def test_a_sheet_that_is_asked_for(sheet, text):
    """A sheet is found by its name, whatever its case and spaces, or by its number."""
    content = build(A, B, ("2", listed("2")), ("لیست من", listed("p")), ("Hidden", listed("h"), "hidden"))

    assert [text] == texts(content, sheet=sheet)


@pytest.mark.parametrize(
    ("sheets", "number", "text"),
    [
        ([A, B], 2, "b"),
        ([HIDDEN_A, B], 2, "b"),
        ([CHART, B], 1, "b"),
        ([CHART, B], 2, "b"),
        ([B, HIDDEN_A], 1, "b"),
    ],
)
def test_the_number_of_a_sheet(sheets, number, text):
    """A number counts the tabs, and stands for the sheet that all ways of counting find."""
    assert [text] == texts(build(*sheets), sheet=number)


C = ("C", listed("c"))


@pytest.mark.parametrize(
    ("sheets", "number"), [([HIDDEN_A, B], 1), ([HIDDEN_A, B, C], 2), ([CHART, B, C], 2), ([A, HIDDEN_A], 2)]
)
def test_a_number_that_is_not_clear(sheets, number):
    """A number that is a different sheet with and without hidden ones is refused; so is a hidden sheet's."""
    assert f"sheet number {number} is not clear" in refusal(build(*sheets), sheet=number)


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        ("X", 'has no sheet of the name "X"; its sheets: "A", "B", "Chart"'),
        (7, 'has no worksheet number 7; its sheets: "A", "B", "Chart"'),
        ("7", "has no worksheet number 7"),
        (-1, "has no worksheet number -1"),
        ("Chart", 'the sheet "Chart" is a chart'),
    ],
)
def test_a_sheet_that_is_not_there(sheet, reason):
    """A sheet that is not there, or holds no cells, is refused with the names of those that are."""
    assert reason in refusal(build(A, B, CHART), sheet=sheet)


def test_names_that_differ_in_case():
    """Two sheets that the same name may mean are refused."""
    assert "several sheets of the name" in refusal(build(A, ("a ", LIST)), sheet=" A")


def test_names_that_hold_numbers():
    """A name that may be somebody's number shows no digits; a date is none, and many names are cut short."""
    sheets = [("09121234567", LIST), ("20260321", LIST), *((f"S{number}", LIST) for number in range(12))]
    reason = refusal(build(*sheets))

    assert '"•••••••••••", "20260321", "S0"' in reason
    assert reason.endswith("and 4 more")


# --- hidden rows


@pytest.mark.parametrize(
    "attributes",
    [HIDDEN, ' hidden="true"', ' ht="0" customHeight="1"', ' ht="0.00"', ' outlineLevel="1" hidden="1"'],
)
def test_hidden_rows_are_refused(attributes):
    """A row that is hidden in any way is refused with the count, unless the rules say what to do."""
    content = build(
        listed("a") + row(3, "09121234567", "b", attributes=attributes) + row(4, "09121234567", "c")
    )
    where = (
        'list.xlsx, sheet "List": 1 row is hidden, first row 3; show or remove what is hidden, or set hidden'
    )

    assert where in refusal(content)
    assert ["a", "c"] == texts(content, hidden_rows="skip")
    assert ["a", "b", "c"] == texts(content, hidden_rows="send")
    assert [1, 1] == [check(content, hidden_rows=what)[1].hidden_rows for what in ("skip", "send")]


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        ' hidden="0"',
        ' hidden="false" ht="12.8"',
        ' ht="0.75"',
        ' collapsed="1"',
        ' spans="1:2" s="1" customFormat="1" ht="15.75" customHeight="1" x14ac:dyDescent="0.25"',
    ],
)
def test_visible_rows(attributes):
    """A row of any height, format or outline is visible unless it says that it is not."""
    content = sheet_xml(listed("a") + row(3, "09121234567", "b", attributes=attributes)).replace(
        "<worksheet", '<worksheet xmlns:x14ac="x"'
    )

    assert ["a", "b"] == texts(build(content))


def test_hidden_rows_without_values():
    """Hidden rows in which nothing stands do not matter."""
    rows = (
        listed("a") + row(3, attributes=HIDDEN) + row(4, " ", attributes=HIDDEN) + row(5, '<c r="A5" s="0"/>')
    )

    assert ["a"] == texts(build(rows))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '<autoFilter ref="A1:B3"><filterColumn colId="0"/></autoFilter>'),
        ('<sheetPr filterMode="1"/>', '<autoFilter ref="A1:B3"/>'),
    ],
)
def test_rows_hidden_by_a_filter(before, after):
    """Where a filter is set, the refusal says so."""
    rows = "".join(row(number, "09121234567", "a", attributes=HIDDEN) for number in range(2, 1_502))

    assert "1,500 rows are hidden by a filter, first row 2" in refusal(
        build(sheet_xml(HEADER + rows, before, after))
    )


def test_a_hidden_header():
    """A hidden header is a hidden row; it is the header again where hidden rows are sent, and not counted."""
    content = build(
        row(1, "recipient", "message", attributes=HIDDEN)
        + row(2, "recipient", "message")
        + row(3, "09121234567", "a")
    )

    assert "first row 1" in refusal(content)
    results, reading = check(content, hidden_rows="skip")
    assert ([Message(1, "+989121234567", "a", 1)], 1) == (results, reading.hidden_rows)
    results, reading = check(content, hidden_rows="send")
    assert isinstance(results[0], RowProblem)
    assert ("a", 0) == (results[1].text, reading.hidden_rows)


def test_places_beside_hidden_rows():
    """A problem names the row as the spreadsheet numbers it, below empty and hidden rows, too."""
    rows = (
        row(3, None, "recipient", "message")
        + row(5, None, "09121234567", "a", attributes=HIDDEN)
        + row(8, None, "1", "b")
        + row(2_500, None, "09121234567", "c")
        + row(2_501, None, "2", "d")
    )
    results, _ = check(build(rows), hidden_rows="skip")
    where = [re.sub(", recipient.*", "", str(result)) for result in results if isinstance(result, RowProblem)]

    assert ['list.xlsx, sheet "List", row 8', 'list.xlsx, sheet "List", row 2,501'] == where


def test_rows_that_a_library_hides():
    """Rows that xlsxwriter hides are hidden; a hidden column is read like any other."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet("List")
        for number, values in enumerate(
            [["recipient", "message"], ["09121234567", "a"], ["09121234567", "b"]]
        ):
            sheet.write_row(number, 0, values)
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_column(0, 0, None, None, {"hidden": True})
        sheet.set_default_row(hide_unused_rows=True)

    assert "1 row is hidden, first row 3" in refusal(content.getvalue())
    assert ["a"] == texts(content.getvalue(), hidden_rows="skip")


def test_parts_of_any_name():
    """The parts of a workbook are found by their relationships, whatever slashes and names they have."""
    parts = parts_of(LIST)
    backslashes = {name.replace("/", "\\"): part for name, part in parts.items()}
    renamed = {
        name.replace("xl/workbook", "Book/w22"): part for name, part in parts.items() if "rels" not in name
    }
    renamed["_rels/.rels"] = parts["_rels/.rels"].replace("xl/workbook", "/Book/w22")
    renamed["book/_rels/W22.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace(
        "worksheets/", "../XL\\worksheets/"
    )
    strict = {
        name: part.replace(
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships",
        ).replace(
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            "http://purl.oclc.org/ooxml/spreadsheetml/main",
        )
        for name, part in parts.items()
    }
    prefixed = build(
        sheet_xml(LIST).replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns=", "xmlns:x=")
    )
    plain = dict(parts)
    del plain["_rels/.rels"]

    assert [["hi"]] * 5 == [texts(pack(each)) for each in (backslashes, renamed, strict, plain)] + [
        texts(prefixed)
    ]
