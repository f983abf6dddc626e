"""Rows of a table in a file: the first record with a value is its header, records without one are no rows."""

from collections.abc import Iterable, Iterator

from airflow_provider_p2psms.rows.headers import build_header
from airflow_provider_p2psms.rows.row import Row, UnfitError


def read_table(records: Iterable[list[object]], *, origin: str) -> Iterator[Row]:
    """
    Give each record its column names.

    :param records: cells in the order of the columns, ``None`` where a cell is blank.
    :raises InvalidMessageError: two columns have the same name.
    """
    columns: tuple[str, ...] = ()
    for cells in records:
        missing = len(columns) - len(cells)
        if cells and not missing and None not in cells:
            yield dict(zip(columns, cells, strict=True))
        elif not any(cell is not None for cell in cells):
            continue
        elif not columns:
            header = build_header(origin, ("" if cell is None else cell for cell in cells))
            columns = header.columns
            yield header
        elif any(cell is not None for cell in cells[len(columns) :]):
            yield UnfitError(
                "has more cells than the header; put quotes around texts that hold the delimiter"
            )
        else:
            yield dict(zip(columns, cells + [None] * missing, strict=False))
