"""
Slices of a file: what one is, and how its rows are read.

A slice says where some rows of a CSV or XLSX stand, how the whole file was read when it was cut, and which
fingerprint the header and these rows had. It is small, is JSON, and holds no name of a column and no value.
Cutting is the work of ``cutting``.
"""

import io
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import PurePosixPath
from typing import Annotated, Any, BinaryIO, cast

import msgspec

from airflow_provider_p2psms.choices import HiddenRows
from airflow_provider_p2psms.errors import InvalidMessageError, lay_out
from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.csv_file import read_csv
from airflow_provider_p2psms.rows.encoding import split_mark
from airflow_provider_p2psms.rows.files import rewindable
from airflow_provider_p2psms.rows.rules import FileRules
from airflow_provider_p2psms.rows.table import Placed, Record, Sheet, Table, is_blank_cell, is_filled
from airflow_provider_p2psms.rows.xlsx_file import read_xlsx

FINGERPRINT_BYTES = 16
# A slice of up to so many bytes is copied into memory, a larger one into a temporary file.
_MOST_IN_MEMORY = 32 * 2**20
_COPIED_AT_ONCE = 1 << 20
_LONGEST_CHARACTER = 4

_Number = Annotated[int, msgspec.Meta(ge=1)]
_Place = Annotated[int, msgspec.Meta(ge=0)]


class Slice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format"):
    """
    Some rows of a file.

    ``first_row`` is the number of the first of them in the whole file, counted from 1 without the header, and
    ``rows`` how many there are. ``fingerprint`` is that of the header and of these rows.
    """

    file: str
    first_row: _Number
    rows: _Number
    fingerprint: str

    @property
    def shown(self) -> str:
        """The rows as errors name them."""
        return f"rows {self.first_row:,} to {self.first_row + self.rows - 1:,}"


class CSVSlice(Slice, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="csv"):
    """
    Some rows of a CSV: its bytes from ``start`` up to ``end``.

    ``first_line`` is the line of the file that begins there. The header is the file up to ``header_end``.
    """

    start: _Place
    end: _Number
    first_line: _Number
    header_end: _Number
    encoding: str
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)]


class XLSXSlice(Slice, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="xlsx"):
    """
    Some rows of a worksheet: from ``first_sheet_row`` to ``last_sheet_row``, as the sheet counts them.

    ``sheet`` and ``hidden_rows`` are what the caller has said about the whole file.
    """

    first_sheet_row: _Number
    last_sheet_row: _Number
    sheet: str | int | None
    hidden_rows: HiddenRows


def parse_slice(value: object) -> CSVSlice | XLSXSlice:
    """
    Read a slice from its mapping.

    :raises InvalidMessageError: it is none; quotes nothing of it, since it may be a row.
    """
    try:
        return msgspec.convert(value, CSVSlice | XLSXSlice)
    except (msgspec.ValidationError, TypeError):
        pass  # not chained: the error may name what is a customer's
    raise InvalidMessageError(
        lay_out(
            "file is neither a path nor a slice of a file.",
            options=(
                "Map over what shards() returned, as it is: .expand(file=shards(…)).",
                "If this package was updated meanwhile, clear the task of shards(), and the tasks behind it.",
            ),
        )
    )


def read_slice(stream: BinaryIO, part: CSVSlice | XLSXSlice, *, name: str) -> Table:
    """
    Stream the rows of a slice, with the numbers, lines and columns that they have in the whole file.

    :param stream: the file as it is now; left open.
    :param name: shown in errors, without its folders.
    :raises InvalidMessageError: the header or the rows are not those of which the slice was made. This shows
        before the first row comes.
    """
    read: Any = _read_csv if isinstance(part, CSVSlice) else _read_xlsx
    table = Sheet(PurePosixPath(name).name, partial(read, stream, part))
    table.first_number = part.first_row
    return table


def new_digest() -> blake2b:
    """Begin a fingerprint."""
    return blake2b(digest_size=FINGERPRINT_BYTES)


def add_to_digest(digest: blake2b, record: Record) -> None:
    """Add a record of a sheet to a fingerprint, without the empty cells at its end: other rows make them."""
    cells = [
        f"{CellError.__name__}: {cell.reason}" if isinstance(cell, CellError) else cell for cell in record
    ]
    while cells and is_blank_cell(cells[-1]):
        cells.pop()
    digest.update(repr(cells).encode("utf-8", "surrogatepass"))


def _read_csv(stream: BinaryIO, part: CSVSlice, table: Table) -> Iterator[Sequence[Record]]:
    reading = table.reading
    # From a copy: the file may change between the comparison and the last row.
    with rewindable(stream) as source, tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as spool:
        copy = cast("BinaryIO", spool)
        digest = new_digest()
        head = source.read(part.header_end)
        digest.update(head)
        _, encoding = split_mark(part.encoding, head)
        source.seek(part.start)
        left, last = part.end - part.start, b""
        while left and (chunk := source.read(min(left, _COPIED_AT_ONCE))):
            digest.update(chunk)
            copy.write(chunk)
            left -= len(chunk)
            last = (last + chunk)[-_LONGEST_CHARACTER:]
        if digest.hexdigest() != part.fingerprint or _goes_on(source, last, encoding):
            raise _changed(part, reading.origin)
        yield from read_csv(io.BytesIO(head), part.encoding, reading, delimiter=part.delimiter)
        yield from read_csv(copy, encoding, reading, delimiter=part.delimiter, first_line=part.first_line)


def _goes_on(source: BinaryIO, last: bytes, encoding: str) -> bool:
    """Tell whether the last line had no line end when the file was cut, and has become longer since."""
    ends = tuple(end.encode(encoding) for end in "\r\n")
    if last.endswith(ends):
        return False
    following = source.read(_LONGEST_CHARACTER)
    return bool(following) and not following.startswith(ends)


def _read_xlsx(stream: BinaryIO, part: XLSXSlice, table: Table) -> Iterator[Sequence[Record]]:
    rules = FileRules(sheet=part.sheet, hidden_rows=part.hidden_rows)
    digest, found = new_digest(), list[Placed]()
    with rewindable(stream) as source:
        for chunk in _within(read_xlsx(source, rules, table.reading), part):
            for record in filter(is_filled, chunk):
                add_to_digest(digest, record)
            found.append(chunk)
    if digest.hexdigest() != part.fingerprint:
        raise _changed(part, table.reading.origin)
    yield from found


def _within(chunks: Iterator[Sequence[Record]], part: XLSXSlice) -> Iterator[Placed]:
    """Give the header of a sheet, and the rows of a slice."""
    has_header = False
    for chunk in cast("Iterator[Placed]", chunks):
        if not has_header:
            filled = (place for place, record in enumerate(chunk) if is_filled(record))
            for place in islice(filled, 1):
                has_header = True
                yield chunk[place : place + 1]
        start = bisect_left(chunk.places, part.first_sheet_row)
        yield chunk[start : bisect_left(chunk.places, part.last_sheet_row + 1)]
        if chunk.places and chunk.places[-1] >= part.last_sheet_row:
            return


def _changed(part: Slice, origin: str) -> InvalidMessageError:
    return InvalidMessageError(
        lay_out(
            f"{origin} has changed since it was cut into slices: its header or its {part.shown} differ.",
            "Nothing of this slice was sent by this try.",
            options=(
                "Put the file back as it was, and clear this task.",
                "Or clear the task of shards(), and the tasks behind it: the file is cut anew.",
            ),
        )
    )
