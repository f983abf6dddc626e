"""
Finds in the XML of a sheet what the reader of its values does not tell, and must not meet.

The reader takes memory for every cell between the first and the last: so all cells are counted here, and
their references checked, first.
"""

import re
from math import isfinite

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.package import Attributes, Package, is_true, local
from airflow_provider_p2psms.rows.sheet_facts import (
    FIRST_ERROR,
    FORMULA_ERRORS,
    MAX_COLUMNS,
    MAX_ROWS,
    MERGED_BELOW,
    NO_NUMBER,
    OTHER_ERROR,
    UNCOMPUTED,
    ZERO,
    SheetFacts,
)
from airflow_provider_p2psms.rows.workbook import Workbook

# Cells that a table may span, filled or not: the reader takes 24 bytes for each, 600 MB in all.
MAX_AREA = 24 * MAX_ROWS
# Nearly empty ones may span so many, and others so many times as many as they fill.
_FREE_AREA = 1 << 22
_SPARSEST = 32
# A table so wide is made so by the cell in its last column.
_WIDE = 256
_MOST_MERGED = 1 << 21
_LONGEST_TOKEN = 1 << 23
_MOST_ARRAYS = 256
_TEXTS = {"str", "inlineStr"}
_reference = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})").fullmatch
# With more digits it may be somebody's number, wherever it comes from.
_is_showable = re.compile(r"[A-Za-z$]{0,8}[0-9]{1,7}[A-Za-z]{0,3}").fullmatch
_is_zero = re.compile(r"\s*[+-]?0*\.?0*(?:[eE][+-]?[0-9]+)?\s*").fullmatch


class SheetParser:
    """
    Reads the XML of one sheet in pieces, and notes its facts.

    Where whole rows are known to be plain (``take``), they are left out of what is fed.

    :raises InvalidMessageError: a reference is none, rows or cells do not follow each other, or they lie so
        far apart that no table looks like it; names the cell.
    """

    def __init__(self, package: Package, book: Workbook, shown: str) -> None:
        self.facts = SheetFacts()
        self._package, self._book = package, book
        self._where = f'{package.origin}, sheet "{shown}"'
        self._parser = package.parser()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._row = self._column = 0
        self._is_row_hidden = self._row_has_value = False
        self._kind = ""  # of the cell that is open
        self._has_formula = self._has_value = False
        self._value: list[str] = []
        self._arrays: list[tuple[int, int, int, int]] = []
        self._fed = 0

    @property
    def is_in_arrays(self) -> bool:
        """Tell whether cells to come may belong to a formula that was met above."""
        return bool(self._arrays)

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        """Read on."""
        with self._package.reading_xml():
            self._parser.Parse(data, is_last)
        self._fed += len(data)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TOKEN:  # the parser would keep it whole
            raise self._package.damaged("a piece of its XML is longer than any cell")

    def take(self, numbers: list[int], cells: int) -> None:
        """Note rows that have nothing to be noted but their numbers and the count of their cells."""
        facts = self.facts
        if numbers[0] <= self._row or numbers[-1] > MAX_ROWS or numbers != sorted(set(numbers)):
            raise self._package.damaged("its rows are not in order")
        facts.rows += len(numbers)
        facts.first_row = facts.first_row or numbers[0]
        facts.cells += cells
        self._row = facts.last_row = numbers[-1]
        self._require_table(numbers[-1], facts.last_column)

    def _on_start(self, name: str, attributes: Attributes) -> None:
        match local(name):
            case "c":
                self._open_cell(attributes)
            case "row":
                self._open_row(attributes)
            case "v":
                self._parser.CharacterDataHandler = self._value.append
            case "is":
                self._has_value = True
            case "f":
                self._has_formula = True
                if attributes.get("t") == "array" or "ref" in attributes:
                    self._note_array(attributes.get("ref", ""))
            case "mergeCell":
                self._note_merged(attributes.get("ref", ""))
            case "filterColumn":
                self.facts.is_filtered = True
            case "sheetPr" if is_true(attributes.get("filterMode")):
                self.facts.is_filtered = True

    def _on_end(self, name: str) -> None:
        match local(name):
            case "v":
                self._parser.CharacterDataHandler = None
            case "c":
                self._close_cell()
            case "row" if self._row_has_value:
                self.facts.rows += 1
                if self._is_row_hidden:
                    self.facts.hidden.append(self._row)

    def _open_row(self, attributes: Attributes) -> None:
        number = attributes.get("r", "")
        row = int(number) if number.isdecimal() and len(number) <= 7 else 0
        if "r" not in attributes:
            row = self._row + 1
        if not self._row < row <= MAX_ROWS:
            raise self._package.damaged("its rows are not in order")
        self._row, self._column, self._row_has_value = row, 0, False
        self._is_row_hidden = is_true(attributes.get("hidden")) or _is_flat(attributes.get("ht"))
        self._arrays = [each for each in self._arrays if each[2] >= row]

    def _open_cell(self, attributes: Attributes) -> None:
        if self._kind or not self._row:
            raise self._package.damaged("a cell stands outside of a row, or in another cell")
        self._column = self._column_of(attributes["r"]) if "r" in attributes else self._column + 1
        self._kind, self._has_formula, self._has_value = attributes.get("t") or "n", False, False
        self._value.clear()

    def _column_of(self, reference: str) -> int:
        row, column = _parse(reference)
        if row != self._row or not self._column < column <= MAX_COLUMNS:
            named = f"cell {reference}" if _is_showable(reference) else "a cell"
            raise self._package.damaged(f"{named} in row {self._row:,} stands elsewhere or nowhere")
        return column

    def _close_cell(self) -> None:
        value = "".join(self._value)
        kind, self._kind = self._kind, ""
        if not (value or self._has_value or self._has_formula or kind == "e"):
            return
        self._row_has_value = True
        self._note_place()
        if kind == "e":
            error = value.strip()
            is_known = error in FORMULA_ERRORS
            self._mark(FIRST_ERROR + FORMULA_ERRORS.index(error) if is_known else OTHER_ERROR)
        elif self._has_formula or (self._arrays and self._is_in_array()):
            self._note_formula(value, kind)
        if kind == "n" and value.strip() and not _is_finite(value):
            self._mark(NO_NUMBER)

    def _note_formula(self, value: str, kind: str) -> None:
        is_empty = not value and kind not in _TEXTS  # a computed text may be empty
        if is_empty or self._book.is_stale:
            self._mark(UNCOMPUTED)
        elif kind != "n" or not _is_zero(value):
            self.facts.has_computed = True
        elif self._book.recalculates or self._book.is_of_poi:
            self._mark(ZERO)

    def _mark(self, kind: int) -> None:
        self.facts.marks.append(self._row << 20 | self._column << 5 | kind)

    def _note_array(self, reference: str) -> None:
        """Keep the cells that one formula fills: only the first of them says so."""
        first, _, last = reference.partition(":")
        top, left = _parse(first)
        bottom, right = _parse(last or first)
        if len(self._arrays) >= _MOST_ARRAYS:  # whatever comes may be in one of so many
            left, right, bottom = 1, MAX_COLUMNS, MAX_ROWS
            self._arrays.clear()
        self._arrays.append((top, left, bottom, right))

    def _note_merged(self, reference: str) -> None:
        """Mark the cells below the first row of merged ones, as far as the table goes."""
        first, _, last = reference.partition(":")
        (top, left), (bottom, right) = _parse(first), _parse(last)
        rows = range(top + 1, min(bottom, self.facts.last_row) + 1)
        columns = range(max(left, self.facts.first_column), min(right, self.facts.last_column) + 1)
        self.facts.merged += len(rows) * len(columns)
        if self.facts.merged > _MOST_MERGED:
            raise InvalidMessageError(f"{self._where} has too many merged cells; split them, and fill each")
        self.facts.marks.extend(row << 20 | column << 5 | MERGED_BELOW for row in rows for column in columns)

    def _is_in_array(self) -> bool:
        return any(
            top <= self._row <= bottom and left <= self._column <= right
            for top, left, bottom, right in self._arrays
        )

    def _note_place(self) -> None:
        facts = self.facts
        facts.cells += 1
        facts.first_row = facts.first_row or self._row
        facts.last_row = self._row
        facts.first_column = min(facts.first_column, self._column)
        if self._column > facts.last_column:
            facts.last_column = self._column
            facts.widest = f"{column_name(self._column)}{self._row}"
        self._require_table(self._row, self._column)

    def _require_table(self, row: int, column: int) -> None:
        facts = self.facts
        width = facts.last_column - facts.first_column + 1
        area = width * (facts.last_row - facts.first_row + 1)
        if area <= _FREE_AREA:
            return
        if area > _SPARSEST * facts.cells or area > MAX_AREA:
            if area > MAX_AREA and area <= 2 * facts.cells:
                raise InvalidMessageError(
                    f"{self._where} has more than {MAX_AREA:,} cells; save the table as .csv"
                )
            cell = facts.widest if width > _WIDE else f"{column_name(column)}{row}"
            raise InvalidMessageError(f"{self._where}: cell {cell} lies far outside of the table; delete it")


def column_name(column: int) -> str:
    """Name a column as spreadsheets do: 1 is A, 28 is AB."""
    name = ""
    while column:
        column, place = divmod(column - 1, 26)
        name = chr(ord("A") + place) + name
    return name


def _parse(reference: str) -> tuple[int, int]:
    """Give the row and the column of a cell; zeros for what is no reference."""
    if not (found := _reference(reference)):
        return 0, 0
    column = 0
    for letter in found[1].upper():
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(found[2]), column


def _is_flat(height: str | None) -> bool:
    return height is not None and bool(height) and _is_zero(height) is not None


def _is_finite(number: str) -> bool:
    try:
        return isfinite(float(number))
    except ValueError:
        return False
