"""
Reads the rows of an uploaded file: plain CSV (UTF-8 without BOM, comma, RFC 4180) or XLSX.

The contract does not say how a BOM, another delimiter or a ragged row fares; here they are refused, so that
whoever uploads is held to the form that nobody can misread. What a good number or text is, ``contract.py``
knows.
"""

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import PurePath

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import Refused, wrong_fields
from airflow_provider_p2psms.sandbox.workbooks import HostileWorkbookError, unpack

HEADER = ["recipient", "message"]


def read_rows(name: str, content: bytes) -> list[tuple[str, str]]:
    """
    Return (recipient, message) of every row, as text and unchecked; the kind of file goes by its name.

    :raises Refused: 422 on ``files``.
    """
    match PurePath(name).suffix.lower():
        case ".csv":
            rows = _read_csv(content)
        case ".xlsx":
            rows = _read_xlsx(content)
        case _:
            raise _refused(phrases.UNSUPPORTED_FILE)
    if not rows:
        raise _refused(phrases.NO_ROWS)
    return rows


def _refused(text: str) -> Refused:
    return wrong_fields({"files": [text]})


def _read_csv(content: bytes) -> list[tuple[str, str]]:
    if content.startswith(codecs.BOM_UTF8):
        raise _refused(phrases.NOT_PLAIN_UTF8)
    try:
        # newline="": a line break inside quotes belongs to the text and stays as it is.
        lines = io.StringIO(content.decode(), newline="")
        header, *rows = csv.reader(lines, strict=True)
    except UnicodeDecodeError as err:
        raise _refused(phrases.NOT_PLAIN_UTF8) from err
    except csv.Error as err:
        raise _refused(phrases.UNREADABLE_FILE) from err
    except ValueError as err:  # not even a header
        raise _refused(phrases.BAD_HEADER) from err
    if header != HEADER:
        raise _refused(phrases.BAD_HEADER)
    return [_pair(row, number) for number, row in enumerate(rows, start=1)]


def _read_xlsx(content: bytes) -> list[tuple[str, str]]:
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - only an XLSX pays for it

    try:
        sheet = CalamineWorkbook.from_filelike(unpack(content)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, HostileWorkbookError) as err:
        raise _refused(phrases.UNREADABLE_FILE) from err
    # The documents mention no header row in XLSX, so one may be there or not.
    if rows and rows[0] == HEADER:
        del rows[0]
    return [_pair(row, number) for number, row in enumerate(rows, start=1)]


def _pair(row: Sequence[object], number: int) -> tuple[str, str]:
    match row:
        # A number stored as a number has lost its plus or its zero: only text is taken.
        case [str(recipient), str(text)]:
            return recipient, text
        case _:
            raise _refused(f"row {number}: {phrases.BAD_COLUMNS}")
