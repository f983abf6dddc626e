"""Slices of a file: together they are the file, each row once, with its number, line and columns."""

import codecs
import csv
import io
import json

import pytest
import xlsxwriter
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import FileRules, RowRules, check_rows, read_file
from airflow_provider_p2psms.rows.cutting import cut_file
from airflow_provider_p2psms.rows.slices import parse_slice, read_slice

ROWS = [("09120000001", "سلام سارا"), ("09120000002", "two\nlines"), ("09120000003", 'a "word", two')]
MARKS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
ENCODINGS = ["utf-8", "utf-8-sig", "cp1256", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def cut(content, rows, **how):
    """Cut a file; give the slices as another process gets them."""
    most = how.pop("most", None)
    made = cut_file(io.BytesIO(content), file="in/list.csv", rows=rows, most=most, how=FileRules(**how))
    return json.loads(json.dumps(made))


def results(table, **rules):
    """Give what becomes of each row: its number, and all that is known of it."""
    return list(check_rows(table, RowRules(**rules)))


def of_slice(content, part, **rules):
    return results(read_slice(io.BytesIO(content), parse_slice(part), name="in/list.csv"), **rules)


def of_slices(content, parts, **rules):
    return [result for part in parts for result in of_slice(content, part, **rules)]


def of_file(content, *, rules=None, **how):
    return results(read_file(io.BytesIO(content), name="in/list.csv", **how), **(rules or {}))


def lines_of(rows, *, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL, header=("recipient", "message")):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([header, *rows])
    return written.getvalue()


cells = st.text(st.sampled_from('\r\n",;\t| abcسلا\u200c,'), max_size=8)
numbers = st.sampled_from(["09120000001", "+98 912 000 0002", "۰۹۱۲۰۰۰۰۰۰۳", "12", "", "x"])
records = st.lists(st.tuples(numbers, cells, cells), max_size=12)


@given(
    records,
    st.sampled_from(ENCODINGS),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["", "sep", "blank"]),
    st.booleans(),
    st.integers(1, 6),
)
def test_the_slices_are_the_file(rows, encoding, delimiter, end, quoting, above, ends_open, size):
    """Whatever a CSV is like, its slices give what the whole file does: rows, numbers, lines and faults."""
    assume(quoting == csv.QUOTE_ALL or {"\r", "\n"}.isdisjoint("".join(text for row in rows for text in row)))
    header = ("recipient", "message", "note")
    text = lines_of(rows, delimiter=delimiter, end=end, quoting=quoting, header=header)
    text = {"": "", "sep": f"sep={delimiter}{end}", "blank": end * 2}[above] + text
    text = text.removesuffix(end) if ends_open else text
    content = MARKS.get(encoding, b"") + text.encode(encoding, "replace")
    try:
        whole = of_file(content, encoding=encoding)
    except InvalidMessageError:
        assume(False)

    parts = cut(content, size, encoding=encoding)

    assert whole == of_slices(content, parts)
    assert [size] * (len(parts) - 1) == [part["rows"] for part in parts[:-1]]
    assert sum(part["rows"] for part in parts) == (whole[-1].row if whole else 0)


@given(records, st.sampled_from(["utf-8", "cp1256", "utf-16-le"]), st.integers(1, 4), st.data())
def test_a_longer_file_has_the_same_first_slices(rows, encoding, size, data):
    """Added rows leave all slices before them as they were, and what was cut before is read still."""
    texts = [lines_of([row], quoting=csv.QUOTE_ALL).partition("\n")[2] for row in rows]
    fewer = data.draw(st.integers(0, len(rows)))
    long, short = (
        MARKS.get(encoding, b"") + ("recipient,message,note\n" + "".join(some)).encode(encoding, "replace")
        for some in (texts, texts[:fewer])
    )
    try:
        of_file(long)
        before, after = cut(short, size), cut(long, size)
    except InvalidMessageError:  # a few letters of a code page are not always detected
        assume(False)

    full = [part for part in before if part["rows"] == size]
    assert full == after[: len(full)]
    assert of_slices(short, before) == of_slices(long, before)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content.replace(b"0002", b"0009"), id="a row"),
        pytest.param(lambda content: content.replace(b"message", b"Message"), id="header"),
        pytest.param(lambda content: content.replace(b"09120000001,", b"09120000001 ,"), id="shifted"),
        pytest.param(lambda content: content[:-9], id="shrunk"),
        pytest.param(lambda content: content[:5], id="less than the header"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content + b"9", id="the last row goes on"),
        pytest.param(lambda content: content + b"\r9", id="so it does behind half an end"),
    ],
)
def test_a_changed_file_is_refused(change, request):
    """A slice whose rows or header are others by now sends nothing; the error names the file and the rows."""
    content = lines_of(ROWS[:2] * 2).encode().removesuffix(b"\n")
    last = cut(content, 2)[-1]
    if request.node.callspec.id == "so it does behind half an end":
        assert of_slice(content, last) == of_slice(change(content), last)
        return

    with pytest.raises(
        InvalidMessageError, match=r"list\.csv has changed .* its rows 3 to 4 differ"
    ) as error:
        of_slice(change(content), last)
    assert "0912" not in str(error.value)
    assert "clear the task of shards()" in str(error.value)


def test_a_change_elsewhere_is_no_matter():
    """Rows of other slices may change: this one's are what they were."""
    content = lines_of(ROWS * 2).encode()
    first, last = cut(content, 3)
    changed = content.replace(b"0001", b"0009", 1)

    assert of_slice(content, last) == of_slice(changed, last)
    with pytest.raises(InvalidMessageError, match="rows 1 to 3 differ"):
        of_slice(changed, first)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"recipient,message\n", b"recipient,message", b"\xef\xbb\xbf"]
)
def test_a_file_without_rows_has_no_slices(content):
    """Nothing is cut out of nothing."""
    assert [] == cut(content, 10)


def test_blank_lines_are_no_rows():
    """They count as lines, and not as rows; behind the last row they belong to no slice."""
    content = b"recipient,message\n\n,\n1,a\n\n\n2,b\n \n3,c\n\n\n"

    parts = cut(content, 2)

    assert [(1, 2, 2), (3, 1, 8)] == [(part["first_row"], part["rows"], part["first_line"]) for part in parts]
    assert content.index(b"\n\n\n", 30) + 1 == parts[-1]["end"]
    found = of_slices(content, parts)
    assert ["list.csv, line 4", "list.csv, line 7", "list.csv, line 9"] == [each.place for each in found]


def test_a_large_file_is_cut_where_its_rows_end():
    """Over many reads, with long cells and quoted line ends at each border."""
    rows = [(f"0912{number:07}", "سلام\r\n" * (number % 40)) for number in range(5_000)]
    content = lines_of([*rows, ("09120009999", "x" * 300_000)]).encode("utf-8-sig")

    parts = cut(content, 777)

    assert 7 == len(parts)
    assert of_file(content, rules={"text": "."}) == of_slices(content, parts, text=".")


def test_one_header_holds_for_all():
    """A delimiter that the rows alone would not show is that of the header."""
    content = b"sep=;\nrecipient;message\n09120000001;a,b,c\n09120000002;d,e,f\n"

    assert ["a,b,c", "d,e,f"] == [each.text for each in of_slices(content, cut(content, 1))]


def test_the_encoding_is_that_of_the_whole_file():
    """A slice with a single letter of a code page is read as the file is."""
    content = lines_of([("09120000001", "plain"), ("09120000002", "پ"), *[ROWS[0]] * 40]).encode("cp1256")

    parts = cut(content, 1)

    assert ["utf-8", "cp1256", "cp1256"] == [part["encoding"] for part in parts[:3]]
    assert of_file(content) == of_slices(content, parts)


@pytest.mark.parametrize("how", [{}, {"encoding": "utf-8"}])
def test_a_damaged_file_is_not_cut(how):
    """All of the file is read when it is cut: a broken byte or quote shows at once, with its line."""
    content = lines_of(ROWS * 2_000).encode()

    with pytest.raises(
        InvalidMessageError, match=r"list\.csv, line 8,002: a quote is opened and never closed"
    ):
        cut(content + b'09120000004,"open\n', 1_000, **how)
    with pytest.raises(
        InvalidMessageError, match=r"list\.csv, line 8,002: byte [0-9,]+ of the file cannot be"
    ):
        cut(content + b"09120000004,\xff\n", 1_000, **how)


def test_an_encoding_that_writes_one_text_in_several_ways():
    """Where the bytes of a text are not certain, the file is refused and not cut in the wrong place."""
    content = "recipient,message\n09120000001,".encode("utf-7") + b"+AGE-\n"
    assert "a" in content.decode("utf-7")

    with pytest.raises(InvalidMessageError, match=r"list\.csv cannot be cut: utf-7"):
        cut(content, 10, encoding="utf-7")


@pytest.mark.parametrize(("rows", "least"), [(1, 4), (3, 4), (9, 4)])
def test_too_many_slices_are_refused(rows, least):
    """The error says how large slices have to be, and that many are enough."""
    content = lines_of(ROWS * 12).encode()

    with pytest.raises(InvalidMessageError, match=r"has 36 rows: .* Airflow maps over 3 at most") as error:
        cut(content, rows, most=3)
    assert "- Set rows to 12 or more." in str(error.value)
    assert 3 == len(cut(content, 12, most=3))


@pytest.mark.parametrize(
    "value",
    [
        None, 3, "x", [], {}, {"format": "csv"}, {"format": "pdf"}, {"mobile": "09120000001"},
        {**cut(lines_of(ROWS).encode(), 2)[0], "start": -1},
        {**cut(lines_of(ROWS).encode(), 2)[0], "rows": "2"},
        {**cut(lines_of(ROWS).encode(), 2)[0], "more": 1},
    ],
)  # fmt: skip
def test_what_is_no_slice(value):
    """What shards() has not returned is refused, and nothing of it is shown."""
    with pytest.raises(InvalidMessageError, match="neither a path nor a slice of a file") as error:
        parse_slice(value)
    assert "mobile" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_slice_holds_nothing_of_the_rows():
    """Neither a name of a column nor a value is in it."""
    content = lines_of([("09120000001", "s3cret")], header=("recipient", "09129999999")).encode()

    [part] = cut(content, 5)

    assert not any(word in json.dumps(part) for word in ("0912", "s3cret", "recipient"))
    assert len(json.dumps(part)) < 400


# --- workbooks


def workbook_of(rows, hidden=()):
    """Write a workbook with one sheet; hide rows by their numbers in the sheet."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
        for row in hidden:
            sheet.set_row(row - 1, None, None, {"hidden": True})
    return content.getvalue()


HEADER = ("recipient", "message", "extra")


@given(
    st.lists(st.tuples(numbers, st.sampled_from(["a", "سلام", 1, 2.5, ""]), st.just("")), max_size=9),
    st.integers(1, 4),
)
def test_the_slices_of_a_sheet_are_the_sheet(rows, size):
    """Also where rows are blank: numbers, rows of the sheet and faults are those of the whole file."""
    content = workbook_of([(), HEADER, *rows])

    parts = cut(content, size)

    assert of_file(content) == of_slices(content, parts)
    assert sum(part["rows"] for part in parts) == len([row for row in rows if any(row)])


def test_a_longer_sheet_has_the_same_first_slices():
    """Although its file is another one, and its rows have more columns."""
    short, long = (workbook_of([HEADER, *ROWS, *more]) for more in ([], [(*ROWS[0], "", "wide"), ROWS[1]]))

    before, after = cut(short, 2), cut(long, 2)

    assert before[:1] == after[:1]
    assert of_slices(short, before) == of_slices(long, before)


@pytest.mark.parametrize(
    "rows",
    [
        [HEADER, ROWS[1], ROWS[0]], [("recipient", "text"), *ROWS[:2]], [HEADER, ROWS[0]],
        [HEADER, (), *ROWS], [],
    ],
)  # fmt: skip
def test_a_changed_sheet_is_refused(rows):
    """Rows in another order, another header, fewer rows, rows that have moved."""
    [part] = cut(workbook_of([HEADER, *ROWS[:2]]), 2)

    with pytest.raises(InvalidMessageError, match=r"list\.csv has changed .* rows 1 to 2 differ"):
        of_slice(workbook_of(rows), part)


def test_hidden_rows_are_left_out_of_slices():
    """What the caller has said of hidden rows, and of the sheet, holds for each slice."""
    rows = [HEADER, *[(f"0912000000{number}", "a") for number in range(8)]]
    content = workbook_of(rows, hidden=[3, 4, 6])

    parts = cut(content, 2, hidden_rows="skip", sheet=1)

    assert of_file(content, hidden_rows="skip") == of_slices(content, parts)
    assert [2, 2, 1] == [part["rows"] for part in parts]
    with pytest.raises(InvalidMessageError, match="3 rows are hidden"):
        cut(content, 2)


@pytest.mark.parametrize("how", ["skip", "send"])
def test_a_sheet_of_many_rows(how):
    """Rows far down, behind a thousand that are hidden."""
    rows = [HEADER, *[(f"0912{number:07}", f"text {number}") for number in range(3_400)]]
    content = workbook_of(rows, hidden=range(900, 2_300))

    parts = cut(content, 700, hidden_rows=how)

    assert of_file(content, hidden_rows=how) == of_slices(content, parts)
    assert (3 if how == "skip" else 5) == len(parts)
