"""A row of a CSV is named by its line in the file, whatever stands above it."""

import csv
import io
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import RowRules, check_rows, csv_file, read_file
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.table import Placed


def places(content, **rules):
    table = read_file(io.BytesIO(content.encode()), name="folder/rows.csv")
    return [each.place for each in check_rows(table, RowRules(**rules)) if isinstance(each, RowProblem)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("recipient,message\n12,hi\n", 2),
        ("recipient,message\r\n12,hi\r\n", 2),
        ("recipient,message\r12,hi\r", 2),
        ("\n\nrecipient,message\n\n\n12,hi\n", 6),
        ("sep=;\nrecipient;message\n12;hi\n", 3),
        ('"sep=;"\r\n\r\nrecipient;message\r\n12;hi\r\n', 4),
        ('recipient,"mess\nage",message\n,,\n12,,hi\n', 4),
        ('recipient,message\n09121234567,"a\nb\n\nc"\n12,hi\n', 6),
        ('recipient,message\r\n09121234567,"a\r\nb\rc\nd"\r\n12,hi\r\n', 6),
        ('recipient,message\n09121234567,"a ""b""\nc"\n12,"d\ne"\n', 4),
        ('recipient,message\n09121234567,"a"\n"12","d\ne"\n', 3),
        ("recipient,message\n09121234567\n12,hi\n", 3),
        ("recipient,message\n" + '09121234567,"a\nb"\n' * 5_000 + "12,hi\n", 10_002),
        ("recipient,message\n" + "09121234567,hi\n" * 5_000 + "12,hi\n", 5_002),
        ("recipient,message\n" + '09121234567,"""\n"\n' * 5_000 + "12,hi\n", 10_002),
    ],
    ids=range(15),
)
def test_the_line_of_a_row(content, line):
    """Blank lines, a line above the header, and line ends in quotes count; CRLF is one."""
    assert f"rows.csv, line {line:,}" == places(content)[-1]


def test_a_problem_shows_its_line():
    """Where the row stands comes first in what people read."""
    table = read_file(io.BytesIO(b"recipient,message\n\n0912,hi\n"), name="s3://bucket/secret/rows.csv")

    (problem,) = check_rows(table, RowRules())

    assert str(problem).startswith("rows.csv, line 3, recipient ••12: ")


lines_of = st.text(st.sampled_from('ab,\r\n\n\r\n"" \x1e'), max_size=40)


@given(lines_of, st.integers(1, 50), st.sampled_from(["recipient,message\r\n", '"a\nb",c\n', "a\n"]))
def test_lines_are_counted_as_pythons_reader_counts_them(text, at_once, head):
    """Also in whole pieces and in halves of them."""
    reader, expected, above = csv.reader(io.StringIO(head + text, newline=""), strict=True), [], 0
    try:
        for _ in reader:
            expected.append(above + 1)
            above = reader.line_num
    except csv.Error:
        expected = []
    found: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "_BYTES", at_once)
        try:
            for records in csv_file.read_csv(io.BytesIO((head + text).encode()), "utf-8", Reading()):
                chunk = cast("Placed", records)
                half = len(chunk) // 2
                assert [*chunk[:half].places, *chunk[half:].places] == list(chunk.places)
                assert len(chunk) == len(chunk.places)
                found += chunk.places
        except InvalidMessageError:
            found = []

    assert expected == found


@pytest.mark.parametrize("size", [131_073, 200_000, 1_000_000])
@pytest.mark.parametrize("cell", ["x", "x\n", "é"])
@pytest.mark.parametrize("more", ["", '1,"a ""b""",\n'], ids=["split", "read"])
def test_a_long_cell_in_a_column_that_nobody_uses(size, cell, more):
    """Its length is nobody's affair."""
    content = f'recipient,message,body\n{more}12,hi,"{(cell * size)[:size]}"\n09121234567,hi,\n'

    assert "rows.csv, line 2" == places(content)[0]


def test_a_long_text_is_a_problem_of_its_row():
    """As any text that is too long for an SMS."""
    table = read_file(
        io.BytesIO(b"recipient,message\n09121234567," + b"x" * 200_000 + b"\n"), name="rows.csv"
    )

    (problem,) = check_rows(table, RowRules())

    assert isinstance(problem, RowProblem)
    assert ("message", "rows.csv, line 2") == (problem.column, problem.place)
    assert "longer than the gateway takes" in problem.reason


def test_an_open_quote_does_not_load_the_file():
    """What stands behind it is read up to a limit, and its line is named."""

    class Endless(io.RawIOBase):
        def __init__(self):
            self.place = self.most = 0

        def readable(self):
            return True

        def seekable(self):
            return True

        def seek(self, place, _whence=0):
            self.place = place
            return place

        def readinto(self, buffer):
            head = b'recipient,message\n1,"' if self.place == 0 else b""
            content = (head + b"1,secret\n" * (len(buffer) // 9 + 1))[: len(buffer)]
            buffer[: len(content)] = content
            self.place += len(content)
            self.most = max(self.most, self.place)
            return len(content)

    stream = Endless()
    table = read_file(stream, name="rows.csv", encoding="utf-8")  # type: ignore[arg-type]

    with pytest.raises(InvalidMessageError, match=r"rows.csv, line 2: a cell is longer than") as caught:
        list(check_rows(table, RowRules()))

    assert stream.most < 10_000_000
    assert "secret" not in str(caught.value)
