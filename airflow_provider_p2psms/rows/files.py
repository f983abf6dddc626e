"""Opens what is handed in as ``file``: CSV or XLSX, told apart by what is in it and not by its name."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from airflow_provider_p2psms.choices import HiddenRows
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.csv_file import read_csv
from airflow_provider_p2psms.rows.encoding import detect_encoding, settle_encoding
from airflow_provider_p2psms.rows.formats import is_workbook
from airflow_provider_p2psms.rows.rules import FileRules
from airflow_provider_p2psms.rows.table import Record, Sheet, Table
from airflow_provider_p2psms.rows.xlsx_file import read_xlsx


def read_file(
    stream: BinaryIO,
    *,
    name: str,
    sheet: str | int | None = None,
    hidden_rows: HiddenRows = "fail",
    encoding: str | None = None,
) -> Table:
    """
    Stream the rows of a CSV or XLSX file behind their header; lines without any value are no rows.

    A file without a byte, or without anything but blank lines, has no rows and no header: whether that is an
    error is the caller's to say, as for any other source without rows.

    :param stream: read from its beginning if it can seek, else from where it stands; left open.
    :param name: shown in errors, without its folders.
    :param sheet: the name of a worksheet, or its number from 1. Default: the only visible one with rows.
    :param hidden_rows: rows that are hidden in the sheet: ``"fail"``, ``"skip"`` or ``"send"``.
    :param encoding: the encoding of a CSV. Default: detected.
    :raises InvalidMessageError: it is neither, or damaged: where the first rows are asked for if that shows
        at its beginning, else where it does.
    """
    rules = FileRules(sheet=sheet, hidden_rows=hidden_rows, encoding=encoding)
    return Sheet(PurePosixPath(name).name, partial(_read_chunks, stream, rules))


def find_encoding(stream: BinaryIO, *, name: str, region: str) -> str | None:
    """
    Name the encoding of a CSV; ``None`` for a workbook.

    :param stream: one that can seek; left at its beginning.
    :param region: the country whose code page it may be written in.
    :raises InvalidMessageError: it is neither, or its encoding is damaged.
    """
    origin = PurePosixPath(name).name
    return None if is_workbook(stream, origin) else detect_encoding(stream, origin=origin, region=region)


def _read_chunks(stream: BinaryIO, rules: FileRules, table: Table) -> Iterator[Sequence[Record]]:
    reading = table.reading
    with rewindable(stream) as source:
        if is_workbook(source, reading.origin):
            yield from read_xlsx(source, rules, reading)
        else:
            encoding = encoding_of(source, rules, origin=reading.origin, region=table.region)
            yield from read_csv(source, encoding, reading)


def encoding_of(source: BinaryIO, rules: FileRules, *, origin: str, region: str) -> str:
    """
    Name the encoding of a CSV, as the rules say or else as it is detected, and rewind it.

    :raises InvalidMessageError: it is damaged, it has another encoding, or the rules ask for a sheet.
    """
    if rules.sheet is not None:
        raise InvalidMessageError(f"{origin} is a text file and has no sheets; leave sheet out")
    if rules.encoding:
        return settle_encoding(source, rules.encoding, origin=origin)
    return detect_encoding(source, origin=origin, region=region)


@contextmanager
def rewindable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream that can be read twice: to tell its encoding, and for its rows."""
    if stream.seekable():
        stream.seek(0)
        yield stream
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield cast("BinaryIO", copy)
