"""Cells that look filled and are not: errors of formulas, formulas never computed, merged cells."""

import io

import polars as pl
import pytest
import xlsxwriter

from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file
from tests.rows.workbooks import NS, build, row, sheet_xml

HEADER = row(1, "recipient", "message", "name", "extra")


def check(content, **rules):
    """Give the texts that are sent, and the place, column and reason of each problem, by row."""
    table = read_file(io.BytesIO(content), name="list.xlsx")
    return {
        int(getattr(result, "place", "").rpartition(" ")[2].replace(",", "") or result.row + 1): (
            result.text if isinstance(result, Message) else (result.column, result.reason)
        )
        for result in check_rows(table, RowRules(**rules))
    }


def filled(number, message, name="Sara", extra="x"):
    return row(number, "09121234567", message, name, extra)


def error(reference, literal="#N/A", formula=""):
    return f'<c r="{reference}" t="e">{formula}<v>{literal}</v></c>'


LITERALS = [
    "#N/A",
    "#NAME?",
    "#REF!",
    "#VALUE!",
    "#DIV/0!",
    "#NULL!",
    "#NUM!",
    "#SPILL!",
    "#CALC!",
    "#FIELD!",
    "#BLOCKED!",
    "#CONNECT!",
    "#BUSY!",
    "#UNKNOWN!",
    "#GETTING_DATA",
]


@pytest.mark.parametrize("text", [None, "Hello", "Hello {name}", "{message}!"])
@pytest.mark.parametrize("formula", ["", "<f>VLOOKUP(A2,X,2)</f>"])
def test_errors_of_formulas(text, formula):
    """Every error of a formula is a problem of its row, and never gives way to another text."""
    rows = [filled(number, error(f"B{number}", each, formula)) for number, each in enumerate(LITERALS, 2)]
    found = check(build(HEADER + "".join(rows)), text=text)

    reasons = [f"holds the formula error {each}; correct the formula" for each in LITERALS]
    assert {number: ("message", reason) for number, reason in enumerate(reasons, 2)} == found


@pytest.mark.parametrize("literal", ["09121234567", "secret", "", "#n/a!"])
def test_an_error_of_another_name(literal):
    """An error that no spreadsheet program knows is not shown."""
    found = check(build(HEADER + filled(2, error("B2", literal))), text="Hello")

    assert {2: ("message", "holds the error of a formula; correct the formula")} == found


def test_errors_in_any_column():
    """An error is refused in every column that is used, and in no other."""
    rows = (
        HEADER
        + row(2, error("A2"), "m", "Sara", "k")
        + row(3, "09121234567", None, error("C3"), "k")
        + row(4, "09121234567", None, "Sara", error("D4"))
    )
    refused = "holds the formula error #N/A; correct the formula"

    assert {2: ("recipient", refused), 3: ("name", refused), 4: "Hi Sara"} == check(
        build(rows), text="Hi {name}"
    )
    assert {2: ("recipient", refused), 3: "Hi", 4: ("extra", refused)} == check(
        build(rows), text="Hi", key_column="extra"
    )


def test_an_error_in_the_header():
    """A header that holds an error is a column without a name that anyone asks for."""
    with pytest.raises(ValueError, match="no column 'message'"):
        check(build(row(1, "recipient", error("B1")) + row(2, "09121234567", "hi")))


NEVER = "holds a formula that was never computed; open the file in a spreadsheet program and save it"


def formula(number, value, kind=""):
    return filled(number, f'<c r="B{number}"{kind}><f>A{number}&amp;"!"</f>{value}</c>')


LIBRARY = '<calcPr calcId="124519" fullCalcOnLoad="1"/>'  # xlsxwriter and its ports, openpyxl
POI = "<Properties><Application>Apache POI</Application></Properties>"


@pytest.mark.parametrize(
    ("value", "kind", "calculation", "found"),
    [
        ("", "", "", ("message", NEVER)),
        ("<v></v>", "", "", ("message", NEVER)),
        ("<v/>", "", LIBRARY, ("message", NEVER)),
        ("<v>0</v>", "", LIBRARY, ("message", NEVER)),
        ("<v>0.0</v>", "", '<calcPr fullCalcOnLoad="true"/>', ("message", NEVER)),
        ("<v>7</v>", "", '<calcPr calcId="0"/>', ("message", NEVER)),
        ("<v>hi</v>", ' t="str"', '<calcPr calcId="0" fullCalcOnLoad="true"/>', ("message", NEVER)),
        ("<v>hi</v>", ' t="str"', LIBRARY, "hi"),
        ("<v>7</v>", "", LIBRARY, "7"),
        ("<v>0</v>", "", "", "0"),
        ("<v>0</v>", "", '<calcPr calcId="191029"/>', "0"),
        ("<v></v>", ' t="str"', "", "Hello"),
    ],
)
def test_formulas(value, kind, calculation, found):
    """A formula counts by the value that a program computed; one that nobody computed is refused."""
    assert {2: found} == check(build(HEADER + formula(2, value, kind), inside=calculation), text="Hello")


def test_formulas_in_columns_that_nobody_uses():
    """A formula that was never computed does not matter where it is not read."""
    rows = row(1, None, "recipient", "message", None) + row(
        2, '<c r="A2"><f>1</f></c>', "09121234567", "hi", '<c r="D2"><f>1</f></c>'
    )

    assert {2: "hi"} == check(build(rows))


def test_rows_of_formulas_alone():
    """Rows that hold nothing but formulas that were never computed are rows."""
    rows = HEADER + "".join(
        row(number, f'<c r="A{number}"><f>x</f></c>', f'<c r="B{number}"><f>x</f></c>') for number in (2, 3)
    )

    assert {2: ("recipient", NEVER), 3: ("recipient", NEVER)} == check(build(rows), text="Hello")


def test_array_formulas():
    """All cells that one formula fills are its own, though only the first says so."""
    array = '<c r="B2"><f t="array" ref="B2:B4">x</f><v>0</v></c>'
    rows = HEADER + filled(2, array) + filled(3, 0) + filled(4, '<c r="B4"><v>0</v></c>') + filled(5, 0)

    assert {2: ("message", NEVER), 3: ("message", NEVER), 4: ("message", NEVER), 5: "0"} == check(
        build(rows, inside=LIBRARY)
    )


def test_many_array_formulas():
    """Where more formulas fill cells than are kept, every zero below may be theirs."""
    rows = "".join(
        filled(number, f'<c r="B{number}"><f t="array" ref="B{number}:B2000">x</f><v>0</v></c>')
        for number in range(2, 302)
    )
    found = check(build(HEADER + rows + filled(302, 0), inside=LIBRARY))

    assert {("message", NEVER)} == set(found.values())


def test_zeros_of_a_library_that_does_not_compute():
    """Apache POI leaves zeros: where no formula of the sheet has another value, none was computed."""
    never = HEADER + formula(2, "<v>0.0</v>") + formula(3, "<v>0.0</v>")
    computed = never + formula(4, "<v>3</v>")
    more = {"docProps/app.xml": POI}
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="a" Type="x/officeDocument" Target="xl/workbook.xml"/>'
        '<Relationship Id="b" Type="x/extended-properties" Target="docProps/app.xml"/></Relationships>'
    )
    more["_rels/.rels"] = rels

    assert {2: ("message", NEVER), 3: ("message", NEVER)} == check(build(never, **more))
    assert {2: "0", 3: "0", 4: "3"} == check(build(computed, **more))
    assert {2: "0", 3: "0"} == check(build(never, **{"_rels/.rels": rels}))


def test_formulas_of_libraries():
    """Formulas of xlsxwriter and polars hold zero and are refused; a value that the author gave is taken."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["recipient", "message", "name"])
        for number in range(1, 5):
            sheet.write_row(number, 0, ["09121234567", "hi", "Sara"])
        sheet.write_formula(1, 1, '="Dear "&C2')
        sheet.write_formula(2, 1, '="Dear "&C3', None, "Dear Sara")
        sheet.write_array_formula(3, 1, 4, 1, "{=C4:C5}")
    frame = io.BytesIO()
    pl.DataFrame({"recipient": ["09121234567"]}).write_excel(frame, formulas={"message": '="Dear"'})

    never = ("message", NEVER)
    assert {2: never, 3: "Dear Sara", 4: never, 5: never} == check(content.getvalue(), text="Hello")
    assert {2: never} == check(frame.getvalue(), text="Hello")


def test_numbers_that_are_none():
    """A number that is none is refused, and does not count as blank."""
    rows = HEADER + "".join(
        filled(number, f'<c r="B{number}"><v>{value}</v></c>')
        for number, value in enumerate(["NaN", "inf", "1e999", "x", " 7 "], 2)
    )
    wrong = ("message", "holds a number that is none; type it again")

    found = check(build(rows), text="Hello")
    assert [wrong] * 4 == [found[number] for number in range(2, 6)]


MERGED = ("message", "is merged with a cell above; split the cells and fill each")


def test_merged_cells():
    """A cell that is merged with the one above looks filled: it does not give way to the other text."""
    rows = HEADER + filled(2, "long") + filled(3, None) + filled(4, '<c r="B4" s="0"/>') + filled(5, None)
    merged = '<mergeCells><mergeCell ref="B2:B4"/><mergeCell ref="C2:D2"/></mergeCells>'

    assert {2: "long", 3: MERGED, 4: MERGED, 5: "Hello"} == check(
        build(sheet_xml(rows, after=merged)), text="Hello"
    )


def test_merged_cells_in_blank_rows():
    """A header of two rows, or a blank row within merged cells, is no row of its own."""
    rows = HEADER + row(3, "09121234567", "a") + row(5, "09121234567", "b")
    merged = (
        '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:B2"/><mergeCell ref="C3:D9"/></mergeCells>'
    )

    assert ["a", "b"] == list(check(build(sheet_xml(rows, after=merged))).values())


def test_too_many_merged_cells():
    """Merged cells beyond all measure are refused."""
    rows = HEADER + row(600_000, "09121234567", "a")
    merged = '<mergeCell ref="A1:D600000"/>'

    with pytest.raises(ValueError, match="too many merged cells"):
        check(build(sheet_xml(rows, after=f"<mergeCells>{merged}</mergeCells>")))


def test_values_as_the_sheet_types_them():
    """Rich and phonetic text, truth values, times, percentages and both epochs come as they are typed."""
    styles = (
        f"<styleSheet {NS}><numFmts>"
        '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="[h]:mm"/>'
        '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="9"/>'
        "</cellXfs></styleSheet>"
    )
    strings = (
        f"<sst {NS}>"
        '<si><r><t>Sa</t></r><r><t>ra</t></r><rPh sb="0" eb="1"><t>PH</t></rPh></si>'
        "<si><t>a_x000D_b &amp; c</t></si></sst>"
    )
    rows = row(1, "recipient", "message", "v") + "".join(
        row(number, "09121234567", None, value)
        for number, value in enumerate(
            [
                '<c r="C2" t="s"><v>0</v></c>',
                '<c r="C3" t="s"><v>1</v></c>',
                '<c r="C4" t="b"><v>1</v></c>',
                '<c r="C5" s="1"><v>45000</v></c>',
                '<c r="C6" s="2"><v>1.5</v></c>',
                '<c r="C7" s="3"><v>0.15</v></c>',
            ],
            2,
        )
    )
    related = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="rId2" Type="x/styles" Target="look.xml"/>'
        '<Relationship Id="rId3" Type="x/sharedStrings" Target="words.xml"/></Relationships>'
    )
    more = {"xl/_rels/workbook.xml.rels": related, "xl/look.xml": styles, "xl/words.xml": strings}
    content = build(rows, **more)
    later = build(rows, inside='<workbookPr date1904="1"/>', **more)

    assert ["Sara", "a\rb & c", "True", "2023-03-15", "1 day, 12:00:00", "0.15"] == list(
        check(content, text="{v}").values()
    )
    assert "2027-03-16" == check(later, text="{v}")[5]
