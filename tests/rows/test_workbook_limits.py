"""Workbooks that no program writes, and that must not take a process down."""

import io
import struct
import zipfile
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file
from airflow_provider_p2psms.rows.package import Package
from airflow_provider_p2psms.rows.plain_rows import parse_sheet
from airflow_provider_p2psms.rows.sheet_parser import SheetParser
from airflow_provider_p2psms.rows.sheet_values import _contained, _with_few_tags
from airflow_provider_p2psms.rows.workbook import open_workbook
from tests.rows.workbooks import LIST, NS, build, cell, pack, parts_of, row, sheet_xml


def check(content, **rules):
    return list(check_rows(read_file(io.BytesIO(content), name="folder/list.xlsx"), RowRules(**rules)))


def refusal(content):
    with pytest.raises(InvalidMessageError) as caught:
        check(content)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def a_parser(*, recalculates=False):
    package = Package(io.BytesIO(build(LIST)), "list.xlsx")
    book = open_workbook(package)
    book.recalculates = recalculates
    return SheetParser(package, book, "List")


SENT = [Message(1, "+989121234567", "hi", 1)]


def lone(reference, value="<v>1</v>"):
    number = "".join(filter(str.isdecimal, reference))
    return f'<row r="{number}"><c r="{reference}">{value}</c></row>'


@pytest.mark.parametrize("reference", ["XFD1048550", "XFD1000", "ZZ1048576"])
def test_a_cell_far_outside(reference):
    """One value far away would make the reader take memory for all between: its cell is named."""
    where = f'list.xlsx, sheet "List": cell {reference} lies far outside of the table; delete it'

    assert where == refusal(build(LIST + lone(reference)))


def test_a_cell_far_to_the_right_of_the_rows():
    """A value far to the right of the first rows is named, and not the row at which that is too much."""
    rows = "".join(row(number, "09121234567", "hi") for number in range(3, 2_003))

    assert "cell XFD2 lies far outside" in refusal(
        build(row(1, "recipient", "message") + f'<row r="2">{cell("XFD2", 1)}</row>' + rows)
    )


def test_a_table_far_away():
    """A table may stand anywhere, and a note far below or beside it is no more than a row."""
    far = f'<row r="1048575">{cell("XFC1048575", "recipient")}{cell("XFD1048575", "message")}</row>'
    rows = f'<row r="1048576">{cell("XFC1048576", "09121234567")}{cell("XFD1048576", "hi")}</row>'

    assert SENT == check(build(far + rows))
    (sent, problem) = check(build(LIST + lone("A1048576")))
    assert 'list.xlsx, sheet "List", row 1,048,576' == problem.place
    assert SENT == [sent]
    assert SENT == check(build(LIST.replace("</row>", cell("AZ1", "note") + "</row>", 1)))


def test_formats_far_away():
    """Cells with a format and no value are no part of the table, however far they go."""
    assert SENT == check(build(LIST + lone("XFD1048550", "") + lone("XFD1048551", "<v></v>")))


def test_a_large_sheet():
    """A sheet may have some million cells, many of them empty."""
    head = cell("A1", "recipient") + cell("B1", "message") + cell("ZZ1", "far")
    rows = "".join(row(number, "09121234567", *("1" * 24)) for number in range(2, 6_202))

    assert 6_200 == len(check(build(f'<row r="1">{head}</row>{rows}')))


def test_more_cells_than_there_is_memory_for():
    """A sheet of more cells than the reader may hold is refused as they are counted."""
    parser = a_parser()
    parser.feed(f'<worksheet {NS}><sheetData><row r="1">{cell("A1", 1)}{cell("Z1", 1)}</row>'.encode())
    parser.take(list(range(2, 900_000)), 20_000_000)

    with pytest.raises(InvalidMessageError, match="more than 25,165,824 cells; save the"):
        parser.take(list(range(900_000, 1_048_577)), 5_000_000)


ODD = [
    "A0",
    "1A",
    "A",
    "ZZZZZ3",
    "A1048577",
    "XFE3",
    "$A$3",
    "A3:B3",
    "",
    "A99999999999",
    "A-1",
    "A3A3",
    "A4",
    "A00000003",
]


@pytest.mark.parametrize("reference", ODD)
def test_odd_references(reference):
    """A reference that is none, or that of another row, makes a damaged workbook."""
    reason = refusal(build(f'{LIST}<row r="3"><c r="{reference}"><v>1</v></c></row>'))

    assert reason.startswith("list.xlsx is a damaged workbook (")
    assert "in row 3 stands elsewhere or nowhere" in reason


@pytest.mark.parametrize(
    "rows",
    [
        row(2, "a") + row(1, "b"),
        row(2, "a") + row(2, "b"),
        '<row r="0"><c><v>1</v></c></row>',
        '<row r="-1"><c><v>1</v></c></row>',
        '<row r="1048577"><c><v>1</v></c></row>',
        '<row r="99999999999999999999"><c><v>1</v></c></row>',
        '<row r="x"><c><v>1</v></c></row>',
        LIST + row(2, "09121234567", "again"),
        LIST + row(2_000_000, "09121234567", "hi"),
        '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><c r="B1"><v>1</v></c></c></row>',
        "<c><v>1</v></c>",
    ],
)
def test_rows_and_cells_out_of_order(rows):
    """Rows and cells that do not follow each other, or lie beyond the last, make a damaged workbook."""
    assert "is a damaged workbook" in refusal(build(rows))


def test_cells_without_references():
    """Rows and cells without a number follow the ones before them."""
    rows = "<row>" + cell("", "recipient") + cell("", "message") + "</row><row>" + cell("", "09121234567")

    assert SENT == check(build(rows + cell("", "hi") + "</row>"))
    assert SENT == check(build(LIST.lower().replace('r="a', 'r="a')))


@pytest.mark.parametrize(
    "cells",
    ['<c r="B2" t="s"><v>7</v></c>', '<c r="B2" t="b"><v>x</v></c>', '<c r="B2" t="zz"><v>1</v></c>'],
)
def test_cells_that_the_reader_does_not_know(cells):
    """What the reader of values refuses makes a damaged workbook."""
    assert "(its cells cannot be read)" in refusal(
        build(row(1, "recipient", "message") + row(2, "09121234567", cells))
    )


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        ("xl/worksheets/sheet1.xml", "<worksheet><sheetData>", "XML is broken"),
        ("xl/worksheets/sheet1.xml", "", "XML is broken"),
        ("xl/workbook.xml", "<workbook", "XML is broken"),
        ("xl/workbook.xml", "<x/>", "it has no sheets"),
        (
            "xl/workbook.xml",
            f'<workbook {NS}><sheets><sheet name="A" r:id="none"/></sheets></workbook>',
            "no part",
        ),
        ("xl/_rels/workbook.xml.rels", "<x/>", "a sheet has no part"),
        ("xl/worksheets/sheet1.xml", '<!DOCTYPE a [<!ENTITY b "c">]>' + sheet_xml(LIST), "document type"),
        (
            "xl/worksheets/sheet1.xml",
            "<?xml version='1.0' encoding='latin-1'?>" + sheet_xml(LIST),
            "not in UTF-8",
        ),
        ("xl/worksheets/sheet1.xml", sheet_xml(LIST).encode("utf-16"), "not in UTF-8"),
        ("xl/worksheets/sheet1.xml", sheet_xml(f"{LIST}<!--{' >' * (5 << 20)}-->"), "longer than any cell"),
        (
            "xl/worksheets/sheet1.xml",
            sheet_xml(f"{LIST}<row a='{' ' * (9 << 20)}'/>"),
            "longer than any cell",
        ),
    ],
    ids=range(11),
)
def test_parts_that_are_damaged(part, content, reason):
    """A part that is no XML of a workbook makes a damaged one."""
    assert reason in refusal(build(LIST, **{part: content}))


def test_parts_that_are_missing_or_doubled():
    """A workbook without its sheet, or with two parts of one name, is damaged."""
    parts = parts_of(LIST)
    sheet = parts.pop("xl/worksheets/sheet1.xml")

    assert "a part is missing" in refusal(pack(parts))
    assert "same name" in refusal(
        pack(parts | {"xl/worksheets/sheet1.xml": sheet, "xl\\Worksheets\\sheet1.xml": "x"})
    )


def test_parts_that_are_packed_otherwise():
    """A part that is encrypted or packed in another way is one that no spreadsheet reads."""
    packed = bytearray(build(LIST))
    place = packed.rindex(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):
        changed = bytearray(packed)
        changed[place + offset] = value
        assert "packed in a way that no spreadsheet reads" in refusal(bytes(changed))


def test_an_archive_that_lies_about_sizes():
    """A part is measured as it is unpacked: the archive's word for its size is not taken."""
    content = bytearray(build(LIST + row(3, "09121234567", "hi" * 500)))
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 50)

    assert 2 == len(check(bytes(content)))


def test_an_archive_that_is_damaged_within():
    """Bytes that cannot be unpacked are told from a good part."""
    content = bytearray(build(LIST))
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 60
    content[start : start + 40] = bytes(40)

    assert "cut short or damaged" in refusal(bytes(content))


def test_parts_beyond_all_measure():
    """A small file that unpacks to more than any workbook needs is refused as it is unpacked."""
    part = f"<workbook {NS}>{' ' * (65 << 20)}</workbook>"

    assert "unpacks to more than 64 MiB in one part" in refusal(build(LIST, **{"xl/workbook.xml": part}))


def test_a_panic_of_the_reader():
    """A panic is no exception that anyone catches: it becomes an error, what ends the process does not."""
    package = Package(io.BytesIO(build(LIST)), "list.xlsx")
    panic = type("PanicException", (BaseException,), {})

    with pytest.raises(InvalidMessageError, match="its cells cannot be read"), _contained(package):
        raise panic
    with pytest.raises(KeyboardInterrupt), _contained(package):
        raise KeyboardInterrupt


def test_more_texts_than_cells():
    """A table of texts that is longer than any sheet is refused before anybody makes them."""
    package = Package(io.BytesIO(build(LIST)), "list.xlsx")
    chunk = b"<si/>" * 2**18

    assert 1 == len(list(_with_few_tags([chunk], package)))
    with pytest.raises(InvalidMessageError, match="more texts than a sheet has cells"):
        list(_with_few_tags(repeat(chunk, 513), package))


# --- the hot path beside the plain one

values = st.sampled_from(
    [
        "<v>1</v>",
        "<v>1.5E3</v>",
        "<v>NaN</v>",
        "<v></v>",
        "",
        "<f>x</f>",
        "<f>x</f><v>0</v>",
        "<is><t>a</t></is>",
    ]
)
kinds = st.sampled_from(
    ["", ' t="n"', ' t="s"', ' t="str"', ' t="e"', ' t="inlineStr"', ' s="1"', ' s="1" t="b"']
)
numbers = st.lists(st.integers(1, 40), unique=True, max_size=6).map(sorted)


@st.composite
def rows_of_sheets(draw):
    rows = []
    for number in draw(numbers):
        columns = draw(
            st.lists(st.sampled_from(["A", "B", "C", "Z", "AA", "AB", "BC", "ZZ", "AAA"]), max_size=4)
        )
        columns = sorted(set(columns), key=lambda name: (len(name), name))
        cells = "".join(f'<c r="{name}{number}"{draw(kinds)}>{draw(values)}</c>' for name in columns)
        attributes = draw(
            st.sampled_from(["", ' spans="1:3"', ' hidden="1"', ' hidden="0" ht="12"', ' ht="0"'])
        )
        rows.append(f'<row r="{number}"{attributes}>{cells}</row>')
    if draw(st.booleans()):
        draw(st.randoms()).shuffle(rows)
    return "".join(rows)


@given(rows_of_sheets(), st.integers(1, 200), st.booleans())
def test_plain_rows(rows, size, recalculates):
    """The facts of a sheet are the same, in whatever pieces it comes, as those of its XML in one."""
    data = sheet_xml(rows).encode()

    def facts(quick):
        parser = a_parser(recalculates=recalculates)
        try:
            if quick:
                pieces = (data[place : place + size] for place in range(0, len(data), size))
                given_on = b"".join(parse_sheet(pieces, parser))
                assert data.replace(b't="e"', b't="str"') == given_on
            else:
                parser.feed(data, is_last=True)
        except InvalidMessageError:
            return None
        found = parser.facts
        return (
            found.rows,
            found.first_row,
            found.last_row,
            found.first_column,
            found.last_column,
            list(found.hidden),
            list(found.errors(zeros_too=recalculates)),
            found.has_computed,
        )

    assert facts(quick=False) == facts(quick=True)
