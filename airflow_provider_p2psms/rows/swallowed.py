"""Finds rows of a table that stand within a quoted text: a stray quote has put them there."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import cast

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.headers import Columns
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.row import Header
from airflow_provider_p2psms.rows.table import Columnar, Placed, Record, Table

_ends = re.compile(r"\r\n|\r|\n")
_digit = re.compile(r"\d")
_SOME_DIGITS = 4  # the shortest numbers that there are
_FEWEST_DIGITS = 7
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class SwallowedRows:
    """
    Looks for rows of a CSV within its quoted texts, whatever their column.

    A line of a quoted text reads as a row if it has as many cells as the table and a phone number where the
    recipients stand. Lines of prose are none: numbers only, or a space behind each comma where the table has
    none.

    ``known`` gives the E.164 form of each number, "" for what is none.
    """

    table: Table
    header: Header
    columns: Columns
    known: Callable[[Sequence[str]], list[str]]

    @cached_property
    def _find_cells(self) -> Callable[[str], object]:
        mark = re.escape(self.table.reading.delimiter)
        return re.compile(rf"\n[^{mark}\n\0]*+{mark}").search

    @cached_property
    def _find_digits(self) -> Callable[[str], object]:
        mark = re.escape(self.table.reading.delimiter)
        ahead = self.header.columns.index(self.columns.recipient)
        cells, digits = (
            rf"(?:[^{mark}\n\0]*+{mark}){{{ahead}}}",
            rf"(?:[^{mark}\n\0\d]*+\d){{{_SOME_DIGITS}}}",
        )
        return re.compile(rf"\n{cells}{digits}").search

    def refuse_in(self, records: Sequence[Record]) -> None:
        """
        Look at a chunk of the table; one without a line end in its cells costs nothing.

        :raises InvalidMessageError: rows stand within a text: they would be lost, and sent to somebody else.
        """
        if not self.table.reading.delimiter or isinstance(cast("Placed", records).places, range):
            return
        for index, column in sorted(self._candidates(records)):
            self._refuse_within(records, index, column)

    def _candidates(self, records: Sequence[Record]) -> Iterator[tuple[int, int]]:
        """Find the cells that hold a line with some digits where the recipients stand."""
        find = self._find_digits
        columns = records.columns if isinstance(records, Columnar) else zip_longest(*records, fillvalue="")
        for column, cells in enumerate(columns):
            text = "\0".join(cells)
            if "\r" in text:
                cells = [_ends.sub("\n", cell) for cell in cells]  # noqa: PLW2901
                text = "\0".join(cells)
            # Only in the first column may a row's part within a text be without a delimiter.
            if "\n" in text and (column == 0 or self._find_cells(text)) and find(text):
                yield from ((index, column) for index, cell in enumerate(cells) if find(cell))

    def _refuse_within(self, records: Sequence[Record], index: int, column: int) -> None:
        record = records[index]
        first, *lines = (line.split(self.table.reading.delimiter) for line in _ends.split(record[column]))
        last, behind = len(lines), len(record) - column - 1
        sizes = {len(self.header.columns), len(record)} - {1}
        # A cell with several numbers, one a line, is no row: a row that is cut has its beginning elsewhere.
        if len(lines[-1]) == 1 and column + len(first) not in sizes:
            lines.pop()
        for at, cells in enumerate(lines, 1):
            size = len(cells) + (behind if at == last else 0)
            if size in sizes and self._is_row(cells, record):
                begin = cast("Placed", records).places[index]
                begin += sum(len(_ends.findall(cell)) for cell in record[:column])
                raise InvalidMessageError(
                    f"{self.table.reading.origin}, line {begin:,}: a quoted text begins here, and line "
                    f"{begin + at:,} within it reads as a row of the table: a stray quote hides rows. Write "
                    'a quote within a text as ""; if the text is right as it is, save the table as .xlsx'
                )

    def _is_row(self, cells: Sequence[str], record: Record) -> bool:
        recipient = self.header.columns.index(self.columns.recipient)
        if recipient >= len(cells) or self._is_prose(cells, record):
            return False
        number = cells[recipient]
        own = record[recipient] if recipient < len(record) else ""
        return self._is_number(number) or _is_alike(number, own)

    def _is_prose(self, cells: Sequence[str], record: Record) -> bool:
        spaced = [cell[:1].isspace() for cell in cells[1:]]
        own = [cell[:1].isspace() for cell in record[1:]]
        if spaced and all(spaced) and not (own and all(own)):
            return True
        names = self.header.columns
        message = names.index(self.columns.message) if self.columns.message in names else len(cells)
        return message < len(cells) and self._is_number(cells[message])

    def _is_number(self, cell: str) -> bool:
        if len(cell) > _LONGEST_NUMBER:
            return False
        try:
            return self.known([cell]) != [""]
        except InvalidValueError:  # it is one, but not for certain which
            return True


def _is_alike(cell: str, number: str) -> bool:
    """Tell whether a cell has the shape of a number of the table, though no such number is in use."""
    shape = _digit.sub("0", number.strip())
    return shape.count("0") >= _FEWEST_DIGITS and _digit.sub("0", cell.strip()) == shape
