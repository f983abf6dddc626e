"""XLSX: the rows of one sheet of a workbook. Which sheet that is, and which of its rows are hidden."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

from airflow_provider_p2psms.choices import HiddenRows
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.package import Package
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.rules import FileRules
from airflow_provider_p2psms.rows.sheet_values import SheetValues, load_sheet
from airflow_provider_p2psms.rows.table import Placed, Record, is_filled
from airflow_provider_p2psms.rows.workbook import Tab, Workbook, describe, find_tab, open_workbook

# A header and a row below it.
_FEWEST_ROWS = 2


def read_xlsx(stream: BinaryIO, rules: FileRules, reading: Reading) -> Iterator[Sequence[Record]]:
    """
    Stream the records of one sheet, in chunks, each with its number in the sheet.

    Numbers come as floats, dates as dates, texts as they are. A cell that holds no value although it looks
    filled, by a formula that failed or was never computed, comes as a ``CellError``. Hidden columns are read
    like others.

    The sheet itself is held in memory by the reader, in its own compact form.

    :raises InvalidMessageError: no workbook, a damaged or an encrypted one; the sheet is not there or not
        clear; rows are hidden, and the rules do not say what to do with them.
    """
    package = Package(stream, reading.origin)
    book = open_workbook(package)
    sheet = _choose(package, book, rules.sheet)
    if sheet is None:
        return
    reading.sheet = sheet.tab.shown
    if sheet.facts.hidden:
        if rules.hidden_rows == "fail":
            _refuse_hidden(sheet, package.origin)
        yield from _with_hidden(sheet, rules.hidden_rows, reading)
    else:
        yield from sheet.chunks()


def _choose(package: Package, book: Workbook, wanted: str | int | None) -> SheetValues | None:
    """Load the sheet that is asked for, else the only visible one with rows; ``None`` if all are empty."""
    if wanted is not None:
        return load_sheet(package, book, find_tab(book, wanted, package.origin))
    sheets = [tab for tab in book.tabs if tab.is_worksheet]
    if not sheets:
        raise InvalidMessageError(f"{package.origin} has no worksheet; {describe(book.tabs)}")
    visible = [tab for tab in sheets if not tab.is_hidden]
    if len(sheets) == len(visible) == 1:
        return load_sheet(package, book, sheets[0])
    candidates = [tab for tab in visible if _has_rows(package, book, tab, _FEWEST_ROWS)]
    if len(candidates) > 1:
        raise InvalidMessageError(
            f"{package.origin} has rows in several sheets; set sheet to the name of one of them; "
            f"{describe(candidates)}"
        )
    if not candidates:
        _require_no_hidden(package, book, [tab for tab in sheets if tab.is_hidden])
        candidates = [tab for tab in visible if _has_rows(package, book, tab, 1)][:1]
    return load_sheet(package, book, candidates[0]) if candidates else None


def _require_no_hidden(package: Package, book: Workbook, hidden: Sequence[Tab]) -> None:
    """Refuse to take a list for empty that somebody has put out of sight."""
    if with_rows := [tab for tab in hidden if _has_rows(package, book, tab, _FEWEST_ROWS)]:
        raise InvalidMessageError(
            f"{package.origin} has no rows in its visible sheets, but in hidden ones; set sheet to the name "
            f"of one of them, or make it visible; {describe(with_rows)}"
        )


def _has_rows(package: Package, book: Workbook, tab: Tab, fewest: int) -> bool:
    """Tell whether a sheet has so many rows with values; one that cannot be read may have them."""
    try:
        sheet = load_sheet(package, book, tab)
    except InvalidMessageError:
        return True
    filled = (record for chunk in sheet.chunks() for record in chunk if is_filled(record))
    return len(list(islice(filled, fewest))) == fewest


def _refuse_hidden(sheet: SheetValues, origin: str) -> None:
    found = [
        place
        for chunk in sheet.chunks()
        for record, place, is_hidden in zip(chunk, chunk.places, _hidden_of(sheet, chunk), strict=True)
        if is_hidden and is_filled(record)
    ]
    if found:
        are = "row is" if len(found) == 1 else "rows are"
        why = " by a filter" if sheet.facts.is_filtered else ""
        raise InvalidMessageError(
            f'{origin}, sheet "{sheet.tab.shown}": {len(found):,} {are} hidden{why}, first row {found[0]:,}; '
            'show or remove what is hidden, or set hidden_rows to "skip" or "send"'
        )


def _with_hidden(sheet: SheetValues, what: HiddenRows, reading: Reading) -> Iterator[Placed]:
    """Give the rows with or without those that are hidden, and count these; a hidden header is not sent."""
    reading.takes_hidden_rows = what == "send"
    for chunk in sheet.chunks():
        hidden = _hidden_of(sheet, chunk)
        for record, place, is_hidden in zip(chunk, chunk.places, hidden, strict=True):
            if is_hidden and is_filled(record) and (what == "skip" or place != sheet.facts.first_row):
                reading.hidden_rows += 1
        if what == "skip" and any(hidden):
            shown = [index for index, is_hidden in enumerate(hidden) if not is_hidden]
            yield Placed([chunk[index] for index in shown], [chunk.places[index] for index in shown])
        else:
            yield chunk


def _hidden_of(sheet: SheetValues, chunk: Placed) -> list[bool]:
    hidden, places = sheet.facts.hidden, chunk.places
    found = set(hidden[bisect_left(hidden, places[0]) : bisect_left(hidden, places[-1] + 1)])
    return [place in found for place in places]
