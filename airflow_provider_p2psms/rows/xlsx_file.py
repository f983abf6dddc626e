"""XLSX: the first sheet of a workbook, cells as the spreadsheet typed them."""

import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.chunks import in_chunks
from airflow_provider_p2psms.rows.table import Record


def read_xlsx(stream: BinaryIO, origin: str) -> Iterator[Sequence[Record]]:
    """
    Stream the records of the first sheet, in chunks.

    Numbers come as floats, dates as dates, texts as they are.

    The sheet itself is held in memory by the reader, in its own compact form.

    :raises InvalidMessageError: no workbook, a damaged or an encrypted one.
    """
    # Here and not above: a DAG file that only imports this room does not pay for the reader.
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415

    _require_workbook(stream, origin)
    try:
        sheet = CalamineWorkbook.from_filelike(stream).get_sheet_by_index(0)
        rows = sheet.iter_rows()
    except CalamineError:
        raise InvalidMessageError(f"{origin} is a damaged workbook; save it again as .xlsx") from None
    yield from in_chunks(rows)


def _require_workbook(stream: BinaryIO, origin: str) -> None:
    try:
        with zipfile.ZipFile(stream) as archive:
            inside = archive.namelist()
    except zipfile.BadZipFile:
        raise InvalidMessageError(f"{origin} begins like a workbook but is cut short or damaged") from None
    stream.seek(0)
    if "xl/workbook.xml" not in inside:
        raise InvalidMessageError(f"{origin} is a zip archive but no .xlsx workbook; save the table as .xlsx")
