"""What the reader of workbooks does not tell of a sheet: where its values lie, and which cells hold none."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_provider_p2psms.rows.cells import CellError

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
FORMULA_ERRORS = (
    "#N/A #NAME? #REF! #VALUE! #DIV/0! #NULL! #NUM! #SPILL! #CALC! #FIELD! #BLOCKED! #CONNECT! #BUSY! "
    "#UNKNOWN! #GETTING_DATA"
).split()
_NOT_COMPUTED = CellError(
    "holds a formula that was never computed; open the file in a spreadsheet program and save it"
)
# Stands in cells below the first of merged ones: what is seen there is the value of that one.
MERGED = CellError("is merged with a cell above; split the cells and fill each")
# Marks of cells: a number for each reason.
_REASONS = [
    _NOT_COMPUTED,
    _NOT_COMPUTED,
    *(CellError(f"holds the formula error {error}; correct the formula") for error in FORMULA_ERRORS),
    CellError("holds the error of a formula; correct the formula"),
    CellError("holds a number that is none; type it again"),
    MERGED,
]
UNCOMPUTED, ZERO, FIRST_ERROR = range(3)
OTHER_ERROR, NO_NUMBER, MERGED_BELOW = range(len(_REASONS) - 3, len(_REASONS))


@dataclass(slots=True)
class SheetFacts:
    """
    What was found in a sheet. Rows and columns count from 1.

    ``rows`` counts the rows with values, ``hidden`` numbers those of them that are hidden, in order.
    ``is_filtered`` tells whether a filter may have hidden them.
    """

    rows: int = 0
    cells: int = 0
    last_row: int = 0
    first_row: int = 0
    first_column: int = MAX_COLUMNS
    last_column: int = 0
    is_filtered: bool = False
    hidden: "array[int]" = field(default_factory=lambda: array("I"))
    marks: "array[int]" = field(default_factory=lambda: array("Q"))
    widest: str = ""  # the cell that made the table as wide as it is
    has_computed: bool = False
    merged: int = 0

    def errors(self, *, zeros_too: bool) -> Iterator[tuple[int, int, CellError]]:
        """Give the row, the column and the error of each cell that holds no value to be sent, row by row."""
        for mark in sorted(self.marks) if self.merged else self.marks:
            kind = mark & 31
            if kind != ZERO or zeros_too:
                yield mark >> 20, mark >> 5 & 32767, _REASONS[kind]
