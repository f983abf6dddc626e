"""
Rows of a table: a header, and records below it with their values in the order of its columns.

A table is a stream of rows like any other, each by its column names. But who knows where the columns stand
takes the records as they are: to name the cells of a million rows takes as long as to check them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, TypeAlias, cast

from airflow_provider_p2psms.rows.headers import build_header
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.row import Header, NumberedRow, Row

Record: TypeAlias = Sequence[Any]


class Placed(list[Record]):
    """Records, each with its place: the line of a file, or the row of a sheet, in which it begins."""

    __slots__ = ("places",)

    def __init__(self, records: Iterable[Record], places: Sequence[int]) -> None:
        super().__init__(records)
        self.places = places

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Placed(found, self.places[place]) if isinstance(place, slice) else found


class Columnar(Sequence[Record]):
    """
    Records that stand by columns, of which each has one cell of every record.

    ``places`` are as in ``Placed``.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], places: Sequence[int] = ()) -> None:
        self.columns = columns
        self.places = places

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Record]:
        return zip(*self.columns, strict=True)

    def __getitem__(self, place: Any) -> Any:
        cells = [column[place] for column in self.columns]
        return Columnar(cells, self.places[place]) if isinstance(place, slice) else cells


class Table(Iterator[Row]):
    """
    The rows of a table behind its header.

    ``chunks`` hold its values as they are read; ``name`` makes a row of one record. Both are for those who
    have asked for the ``header`` first.
    """

    blank_is_nothing: ClassVar[bool] = False

    def __init__(self, header: Header | None, chunks: Iterator[Sequence[Record]]) -> None:
        self.chunks = chunks
        self.reading = Reading()
        # The country whose code page a file may be written in. `check_rows` sets it before the first row.
        self.region = "IR"
        # The number of its first row: a slice of a file counts on from the rows before it.
        self.first_number = 1
        self._header = header
        self._is_header_told = False

    @property
    def header(self) -> Header | None:
        """The header; ``None`` for a table without any value."""
        return self._header

    def name(self, record: Record) -> NumberedRow | None:
        """Give one record its column names; ``None`` for one that is no row."""
        return dict(zip(self._columns, record, strict=True))

    def locate(self, records: Sequence[Record], index: int) -> str:  # noqa: ARG002 - for subclasses
        """Say where a person finds one record of a chunk; "" if only its number tells."""
        return ""

    @cached_property
    def records(self) -> Iterator[Record]:
        """The records one by one."""
        return chain.from_iterable(self.chunks)

    @property
    def _columns(self) -> tuple[str, ...]:
        return self.header.columns if self.header else ()

    def __next__(self) -> Row:
        header = self.header
        if not self._is_header_told and header and (header.is_first_row or self.has_rows()):
            self._is_header_told = True
            return header
        for record in self.records:
            if (row := self.name(record)) is not None:
                return row
        raise StopIteration

    def has_rows(self) -> bool:
        """Tell whether a record follows, for those who have not asked for any yet."""
        self.chunks = filter(len, self.chunks)
        for chunk in self.chunks:
            self.chunks = chain([chunk], self.chunks)
            return True
        return False


class Sheet(Table):
    """
    A table in a file: the first record with a value is its header, records without one are no rows.

    ``read`` gives the chunks, as ``Placed`` or ``Columnar`` records, and notes in ``reading`` how it reads.

    """

    # Blank cells stand for nothing: a file has no other way to say that there is no value.
    blank_is_nothing = True

    def __init__(self, origin: str, read: Callable[["Sheet"], Iterator[Sequence[Record]]]) -> None:
        super().__init__(None, read(self))
        self.reading.origin = origin

    @property
    def header(self) -> Header | None:
        """The header, read from the file when first asked for."""
        if self._header is None:
            for chunk in self.chunks:
                for place, names in enumerate(chunk):
                    if is_filled(names):
                        shown = ("" if is_blank_cell(name) else name for name in names)
                        self._header = build_header(self.reading.origin, shown, is_first_row=True)
                        self.chunks = chain([chunk[place + 1 :]], self.chunks)
                        return self._header
        return self._header

    def locate(self, records: Sequence[Record], index: int) -> str:
        """Name the file, and the line or the sheet and row of one record of a chunk."""
        place = cast("Placed", records).places[index]
        sheet = self.reading.sheet
        where = f'sheet "{sheet}", row {place:,}' if sheet else f"line {place:,}"
        return f"{self.reading.origin}, {where}"

    def name(self, record: Record) -> NumberedRow | None:
        """Give one record its column names, ``None`` where a cell is blank or lacks."""
        cells = [None if is_blank_cell(cell) else cell for cell in record]
        columns = self._columns
        if not any(cell is not None for cell in cells):
            return None
        if any(cell is not None for cell in cells[len(columns) :]):
            return InvalidValueError(
                "has more cells than the header; put quotes around texts that hold the delimiter"
            )
        return dict(zip(columns, cells + [None] * (len(columns) - len(cells)), strict=False))


def is_blank_cell(cell: object) -> bool:
    """Tell whether a cell of a file has nothing to be seen in it."""
    return cell is None or (isinstance(cell, str) and is_blank(cell))


def is_filled(record: Record) -> bool:
    """Tell whether a record of a file is a row: one without any value is none."""
    return not all(map(is_blank_cell, record))
