"""
The values of one sheet, read by calamine.

calamine is given a workbook of our own, with a copy of the one sheet and of its strings and styles: it never
meets what was not measured first. It would end the process where it finds no memory.
"""

import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, compress, islice, repeat
from typing import Any, cast

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.chunked import in_chunks
from airflow_provider_p2psms.rows.package import MAX_SMALL_BYTES, Package
from airflow_provider_p2psms.rows.plain_rows import parse_sheet
from airflow_provider_p2psms.rows.sheet_facts import MERGED, SheetFacts
from airflow_provider_p2psms.rows.sheet_parser import SheetParser
from airflow_provider_p2psms.rows.table import Placed, is_blank_cell
from airflow_provider_p2psms.rows.workbook import Tab, Workbook

# The table of strings is held in memory. Four tags make one, and a sheet may have one in each of its cells.
_MAX_STRINGS_BYTES = 2**30
_MOST_TAGS = 1 << 27
_XMLNS = "http://schemas.openxmlformats.org"
_TYPE = f"{_XMLNS}/officeDocument/2006/relationships"
_RELATED = (
    f'<Relationships xmlns="{_XMLNS}/package/2006/relationships">'
    '<Relationship Id="rId1" Type="{type}/{kind}" Target="{target}"/></Relationships>'
)
_WORKBOOK = (
    f'<workbook xmlns="{_XMLNS}/spreadsheetml/2006/main" xmlns:r="{_TYPE}"><workbookPr date1904="{{epoch}}"/>'
    '<sheets><sheet name="Sheet" sheetId="1" r:id="rId1"/></sheets></workbook>'
)


@dataclass(frozen=True, slots=True)
class SheetValues:
    """The values of a sheet, with the facts that they do not tell."""

    tab: Tab
    facts: SheetFacts
    zeros_are_uncomputed: bool
    values: Any
    package: Package

    def chunks(self) -> Iterator[Placed]:
        """Stream the rows, in chunks, with the errors of cells in place; empty ones may be left out."""
        first = 1
        errors = self.facts.errors(zeros_too=self.zeros_are_uncomputed)
        error = next(errors, None)
        with _contained(self.package):
            for chunk in in_chunks(self._rows()):
                while error and error[0] < first + len(chunk):
                    _put(chunk[error[0] - first], error[1] - self.facts.first_column, error[2])
                    error = next(errors, None)
                places = range(first, first + len(chunk))
                first += len(chunk)
                if self.facts.rows < self.facts.last_row:  # to check empty rows one by one takes long
                    empty = [""] * len(chunk[0])
                    filled = [row != empty for row in chunk]
                    if any(filled):
                        yield Placed(compress(chunk, filled), list(compress(places, filled)))
                else:
                    yield Placed(chunk, places)

    def _rows(self) -> Iterator[list[Any]]:
        """Give the rows; with all cells that were met if one of these holds no value."""
        rows = self.values.iter_rows()
        if not self.facts.marks:
            return cast("Iterator[list[Any]]", rows)
        facts = self.facts
        start, end = self.values.start or (0, facts.first_column - 1), self.values.end
        last = end[1] + 1 if end else facts.first_column - 1
        left = [""] * (start[1] + 1 - facts.first_column)
        right = [""] * (facts.last_column - last)
        padded = ([*left, *row, *right] for row in chain(rows, repeat([""] * (last - start[1]))))
        return islice(padded, facts.last_row)


def _put(row: list[Any], place: int, error: CellError) -> None:
    """Put an error in its cell; that of a merged one only where a row needs it."""
    if error is not MERGED or (
        is_blank_cell(row[place]) and not all(is_blank_cell(cell) or cell is MERGED for cell in row)
    ):
        row[place] = error


def load_sheet(package: Package, book: Workbook, tab: Tab) -> SheetValues:
    """
    Look at one worksheet, and read its values.

    :raises InvalidMessageError: it is damaged, or larger than any table.
    """
    # Here and not above: a DAG file that only imports this room does not pay for the reader.
    from python_calamine import CalamineWorkbook  # noqa: PLC0415

    parser = SheetParser(package, book, tab.shown)
    with tempfile.TemporaryFile() as copy, _contained(package):
        with zipfile.ZipFile(copy, "w") as archive:
            _write_workbook(archive, package, book, parse_sheet(package.chunks(tab.part), parser))
        copy.seek(0)
        values = CalamineWorkbook.from_filelike(copy).get_sheet_by_index(0)
    facts = parser.facts
    zeros = book.recalculates or (book.is_of_poi and not facts.has_computed)
    return SheetValues(tab, facts, zeros, values, package)


def _write_workbook(
    archive: zipfile.ZipFile, package: Package, book: Workbook, sheet: Iterable[bytes]
) -> None:
    archive.writestr(
        "_rels/.rels", _RELATED.format(type=_TYPE, kind="officeDocument", target="xl/workbook.xml")
    )
    archive.writestr(
        "xl/_rels/workbook.xml.rels",
        _RELATED.format(type=_TYPE, kind="worksheet", target="worksheets/sheet1.xml"),
    )
    epoch = "1" if book.has_1904_dates else "0"
    archive.writestr("xl/workbook.xml", _WORKBOOK.format(epoch=epoch))
    _write(archive, "xl/worksheets/sheet1.xml", sheet)
    if book.strings and book.strings in package:
        strings = package.chunks(book.strings, _MAX_STRINGS_BYTES)
        _write(archive, "xl/sharedStrings.xml", _with_few_tags(strings, package))
    if book.styles and book.styles in package:
        _write(archive, "xl/styles.xml", package.chunks(book.styles, MAX_SMALL_BYTES))


def _write(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> None:
    with archive.open(name, "w", force_zip64=True) as part:
        for chunk in chunks:
            part.write(chunk)


def _with_few_tags(chunks: Iterable[bytes], package: Package) -> Iterator[bytes]:
    count = 0
    for chunk in chunks:
        count += chunk.count(b"<")
        if count > _MOST_TAGS:
            raise InvalidMessageError(
                f"{package.origin} has more texts than a sheet has cells; save the table as .csv"
            )
        yield chunk


@contextmanager
def _contained(package: Package) -> Iterator[None]:
    """Make whatever the reader does at a workbook that it does not understand an error of the workbook."""
    from python_calamine import CalamineError  # noqa: PLC0415

    try:
        yield
    except CalamineError:
        raise package.damaged("its cells cannot be read") from None
    except BaseException as err:
        # A panic of Rust, whose class has no name to be imported by.
        if type(err).__name__ != "PanicException":
            raise
        raise package.damaged("its cells cannot be read") from None
