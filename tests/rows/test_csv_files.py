"""CSV as it comes from spreadsheets, databases and people."""

import codecs
import csv
import io
from itertools import islice
from typing import BinaryIO, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, csv_file, read_file
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.reading import Reading

PERSIAN = "سلام، سفارش شما ارسال شد"
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32": b"",
    "utf-32-be": codecs.BOM_UTF32_BE,
}


class Pipe(io.RawIOBase):
    """A stream that can be read once, from its beginning to its end."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._content.readinto(buffer)


def read(content, name="rows.csv"):
    content = content.encode() if isinstance(content, str) else content
    return list(read_file(io.BytesIO(content), name=name))[1:]


def check(content, **rules):
    content = content.encode() if isinstance(content, str) else content
    return list(
        check_rows(read_file(io.BytesIO(content), name="s3://bucket/secret/rows.csv"), RowRules(**rules))
    )


cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\ufeff") | st.sampled_from(" \r\n\",;\t|'س"),
    max_size=12,
).filter(lambda cell: not cell.isspace())


@given(
    st.lists(st.lists(cells.filter(bool), min_size=3, max_size=3), max_size=4),
    st.sampled_from(list(ENCODINGS)),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.booleans(),
    st.integers(1, 20),
)
def test_what_was_written_is_read(rows, encoding, delimiter, line_end, quoting, ends_open, at_once):
    """
    Every encoding, delimiter and line end gives back the texts that were written, to the character.

    However much is read at once: quotes may begin anywhere in a file.
    """
    # Python's writer forgets to quote a line end that is not its own.
    assume(quoting == csv.QUOTE_ALL or {"\r", "\n"}.isdisjoint("".join(map("".join, rows))))
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([["recipient", "message", "name"], *rows])
    text = written.getvalue().removesuffix(line_end if ends_open else "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "_BYTES", at_once)
        assert [list(row.values()) for row in read(ENCODINGS[encoding] + text.encode(encoding))] == rows


@pytest.mark.parametrize("encoding", ["utf-8", "cp1256", "utf-16-le", "utf-16-be"])
def test_encodings_without_a_mark(encoding):
    """A file without a mark is told by its bytes: UTF-16 by its zeros, UTF-8 by being it, else cp1256."""
    content = f"recipient,message\n09121234567,{PERSIAN}\n".encode(encoding)

    assert [PERSIAN] == [row["message"] for row in read(content)]


def test_an_encoding_shows_at_the_end_only():
    """One letter behind a megabyte of ASCII decides; no row comes before it is known."""
    rows = "".join(f"0912{n:07},hello\n" for n in range(60_000))
    content = f"recipient,message\n{rows}09121234567,پايان\n".encode("cp1256")

    assert "پايان" == read(content)[-1]["message"]


@pytest.mark.parametrize("place", ["first", "last"])
def test_utf_8_with_a_broken_byte_is_not_taken_for_cp1256(place):
    """A damaged UTF-8 file is refused: read as another encoding, all its texts would be wrong."""
    row = f"09121234567,{PERSIAN}\n".encode()
    broken = b"09121234567,\xd8\n"
    rows = [broken, row, row] if place == "first" else [row, row, broken]

    with pytest.raises(
        InvalidMessageError,
        match=rf"rows.csv, line {2 if place == 'first' else 4}: byte \d+ .* cannot be read as UTF-8",
    ) as caught:
        read(b"recipient,message\n" + b"".join(rows))

    assert caught.value.__context__ is None


def test_a_file_that_is_no_utf_8_further_on_is_damaged():
    """What has begun as UTF-8 stays it: an error where it does not, and no text in another encoding."""
    rows = f"09121234567,{PERSIAN}\n" * 20_000
    results = check_rows(
        read_file(
            io.BytesIO(b"recipient,message\n" + rows.encode() + rows.encode("cp1256")), name="rows.csv"
        ),
        RowRules(),
    )

    good = list(islice(results, 10_000))
    with pytest.raises(
        InvalidMessageError, match=r"rows.csv, line 20,002: byte [\d,]+ of the file cannot be read as UTF-8"
    ) as caught:
        list(results)

    assert {PERSIAN} == {isinstance(message, Message) and message.text for message in good}
    assert caught.value.__context__ is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_marked_file_that_breaks_off(encoding):
    """A file that says how it is encoded and does not keep it is damaged; the place is named."""
    content = "recipient,message\n09121234567,س".encode(encoding)[:-1]

    with pytest.raises(
        InvalidMessageError, match=r"rows.csv, line 2: byte \d+ of the file cannot be read as UTF"
    ):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        "recipient,message\n09121234567,hi\n",
        "message,recipient\nhi,09121234567",
        "recipient;message\r\n09121234567;hi\r\n",
        "recipient\tmessage\r09121234567\thi\r",
        "recipient|message\n09121234567|hi\n",
        '"recipient","message"\n"09121234567","hi"\n',
        "sep=;\r\nrecipient;message\r\n09121234567;hi",
        '"sep=,"\nrecipient,message\n09121234567,hi',
        "sep=|\nrecipient|message|a,b,c,d\n09121234567|hi\n",
        " Recipient , MESSAGE \n09121234567,hi\n",
        "\ufeff\u200frecipient\u200f,message\n09121234567,hi\n",
        "\n  \n,,\nrecipient,message,\n\n , \n09121234567,hi,\n\n",
        'recipient,"mess\nage",message\n09121234567,,hi\n',
        '"a;b;c;d",recipient,message\n,09121234567,hi\n',
        "recipient,message\n09121234567,hi,,\n",
        "recipient,message\r\r\n09121234567,hi\r\r\n",
        '="x",recipient,message\n1,"=""09121234567""",hi\n',
    ],
)
def test_headers_and_lines_as_they_come(content):
    """Order, case, marks, blanks and delimiters of a header do not matter; blank lines are no rows."""
    assert [Message(1, "+989121234567", "hi", 1)] == check(content)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("shift", range(4))
def test_a_line_that_ends_otherwise_than_the_rest(end, shift):
    """Wherever in a file that is read in pieces; texts keep the ends of their own."""
    row = '09121234567,"a\r\nb"'
    lines = [f"recipient,message{' ' * shift}\r\n", *[f"{row}\r\n"] * 5_000, f"{row}{end}", row]

    found = check("".join(lines))

    assert [(number, "a\r\nb") for number in range(1, 5_003)] == [(each.row, each.text) for each in found]


def test_texts_keep_their_quotes_line_ends_and_spaces():
    """A quoted text may hold delimiters, doubled quotes and line breaks, and is not altered."""
    content = 'recipient,message\n09121234567," a, ""b""\r\nc "\n'

    assert [' a, "b"\r\nc '] == [result.text for result in check(content)]


def test_persian_names_of_columns():
    """Names written with the Arabic yeh and kaf are those with the Persian ones."""
    content = "گيرنده,نام مشتري\n09121234567,علی\n"

    (result,) = check(content, recipient_column="گیرنده", text="{نام مشتری} عزیز")

    assert "علی عزیز" == result.text


def test_the_very_name_goes_before_one_that_differs_in_case():
    """Of two names that differ in case, the one that is asked for is taken; neither is a question."""
    content = "recipient,Message,message\n09121234567,no,yes\n"

    assert "yes" == check(content)[0].text
    with pytest.raises(InvalidMessageError, match="several columns that look like 'MESSAGE'"):
        check(content, message_column="MESSAGE")


@pytest.mark.parametrize(
    ("header", "rules", "reason"),
    [
        (
            "phone,message",
            {},
            r"rows.csv has no column 'recipient' \(recipient_column\), or the header .*; found: phone,",
        ),
        ("recipient,body", {}, r"no column 'message' \(message_column\), .*; found: recipient, body"),
        ("recipient,message", {"key_column": "id"}, r"no column 'id' \(key_column\)"),
        ("recipient,message", {"text": "Dear {name}"}, r"no column 'name' \(text\)"),
        ("recipient,message,message", {}, "columns of the same name; found: message"),
        ("09121234567,hi ali", {}, "is the header row missing"),
        ("recipients,message", {}, "no column 'recipient'"),
        ('sep="', {}, "no column 'recipient'"),
    ],
)
def test_a_missing_column_is_refused_once(header, rules, reason):
    """A table without a column that all its rows need is one error, and it names what was found."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        check(header + "\n1,2\n1,2\n", **rules)

    assert "0912" not in str(caught.value)
    assert "ali" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_message_column_is_needed_beside_a_text():
    """Where a text is given, a file may hold numbers only."""
    assert [Message(1, "+989121234567", "hi", 1)] == check("recipient\n09121234567\n", text="hi")


def test_rows_of_another_length():
    """Missing cells are empty; a value beyond the header is a problem, since a text was cut there."""
    content = "recipient,message,name\n09121234567,hi\n09121234567,a,b,c\n09121234567\n"

    first, second, third = check(content)

    assert Message(1, "+989121234567", "hi", 1) == first
    assert (2, "the whole row") == (second.row, second.column)
    assert "more cells than the header" in second.reason
    assert (3, "message", "rows.csv, line 4") == (third.row, third.column, third.place)


@pytest.mark.parametrize(
    "content", ["", "\n\r\n", "\ufeff", "recipient,message", "recipient,message\n", ",,\n"]
)
def test_a_file_without_rows(content):
    """A file without rows gives none; what that means is the caller's to say."""
    assert [] == check(content)


def test_an_empty_table_lacks_its_columns_too():
    """A header that cannot be used is refused even without rows below it."""
    with pytest.raises(InvalidMessageError, match="no column 'recipient'"):
        check("a,b\n")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('recipient,message\n1,2\n3,"secret', "rows.csv, line 3: a quote is opened and never closed"),
        pytest.param(
            "recipient,message\n" + "1,2\n" * 20_000 + '3,"secret',
            "line 20,002: a quote is opened and never closed",
            marks=pytest.mark.no_cover,  # the next case runs the same lines
        ),
        (
            "recipient,message\n" + '1,"a\r\nb"\n' * 20_000 + '3,"secret',
            "line 40,002: a quote is opened and never closed",
        ),
        ('recipient,"message\n1,2\n', "line 1: a quote is opened and never closed"),
        ('recipient,message\n3,"secret" secret\n', "line 2: something stands behind a closing quote"),
        ('recipient,message\n3,"' + "secret" * 30_000, "line 2: a quote is opened and never closed"),
        ('"' + "secret\n" * 30_000, "line 1: a quote is opened and never closed"),
        ('recipient,message\n"a\nb","secret\n1,2\n', "line 3: a quote is opened and never closed"),
        (
            'recipient,message\n1,"secret\n2,3\n4,"5"\n',
            "line 2: the quoted text that begins here is closed in line 4, and something stands behind",
        ),
        (
            'recipient,message\n1,"' + "secret\n" * 600_000,
            "line 2: a cell is longer than 4,194,304 characters: is a quote opened and never closed",
        ),
        (
            "recipient,message\n1," + "secret" * 700_000,
            "line 2: a cell is longer than 4,194,304 characters: is a quote opened and never closed",
        ),
    ],
    ids=range(11),
)
def test_broken_quotes_are_refused(content, reason):
    """A quote that is not closed could put one customer's row into another's text: nothing is read on."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        check(content)

    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_nul_bytes_are_problems_of_their_row():
    """A NUL in a number or a text is named where it stands."""
    number, text = check("recipient,message\n0912\0" + "1234567,hi\n09121234567,h\0i\n")

    assert ("recipient", 1) == (number.column, number.row)
    assert ("message", 2) == (text.column, text.row)


@pytest.mark.parametrize(
    "content", [b"recipient,message\n09121234567,\xd3\xe1\xc7\xe3", "recipient,message\n09121234567,سلام"]
)
def test_a_stream_that_cannot_seek(content):
    """A pipe is copied, since its encoding is checked before its rows are read."""
    content = content if isinstance(content, bytes) else content.encode()

    rows = list(read_file(cast("BinaryIO", Pipe(content)), name="rows.csv"))

    assert {"recipient": "09121234567", "message": "سلام"} == rows[1]


def test_the_stream_stays_open():
    """A stream belongs to who opened it, whether its rows were read to the end or not."""
    stream = io.BytesIO(b"recipient,message\n1,2\n3,4\n")

    rows = read_file(stream, name="rows.csv")
    next(rows)
    del rows

    assert not stream.closed
    assert 3 == len(list(read_file(stream, name="rows.csv")))


def test_what_is_wrong_with_a_row_travels_in_its_place():
    """A row that cannot be read is in the stream as what is wrong with it: rows keep their numbers."""
    assert isinstance(read("a,b\n1,2,3\n")[0], InvalidValueError)


def test_blank_lines_are_not_in_the_stream_of_rows():
    """Nor are lines without any value, wherever they stand."""
    assert [{"a": "1", "b": "2"}, {"a": "3", "b": None}] == read("a,b\n\n1,2\n,\n \n3,\n\n")


def test_a_stream_that_its_owner_closes_first():
    """Rows that are left half read when their stream is closed end without an error of their own."""
    with io.BytesIO(b"recipient,message\n1,2\n3,4\n") as stream:
        rows = read_file(stream, name="rows.csv")
        next(rows)

    del rows  # an error here would be an unraisable one, which pytest reports

    assert stream.closed


lines_of = st.text(st.sampled_from("ab,;\r\n\n\r\n\"' \x1e"), max_size=40)


@given(lines_of, st.integers(1, 9))
def test_whatever_stands_in_a_file_is_read_as_pythons_reader_reads_it(text, at_once):
    """Also with a number of lines at once, blank ones among them and each ending in its own way."""
    head = "recipient,message\r\n"
    try:
        expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        expected = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "_BYTES", at_once)
        chunks = csv_file.read_csv(io.BytesIO((head + text).encode()), "utf-8", Reading(origin="rows.csv"))
        try:
            found = [list(record) or [""] for chunk in chunks for record in chunk][1:]
        except InvalidMessageError:
            found = None

    assert found == (expected and [record or [""] for record in expected])


@pytest.mark.proof
@pytest.mark.no_cover  # what refuses it is counted with shorter files
def test_a_file_of_one_line_is_no_table():
    """A file without any line end, as another format may be, takes time that grows as its length does."""
    content = b"recipient: 09121234567, " * 1_000_000

    with pytest.raises(InvalidMessageError, match="no column 'recipient'"):
        check(content)
