"""Opens what is handed in as ``file``: CSV or XLSX, told apart by what is in it and not by its name."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.csv_file import read_csv
from airflow_provider_p2psms.rows.encoding import detect_encoding
from airflow_provider_p2psms.rows.table import Record, Sheet, Table
from airflow_provider_p2psms.rows.xlsx_file import read_xlsx

_ZIP = b"PK"
# What would otherwise be read as a CSV of strange letters.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old .xls or an encrypted workbook; save it as .xlsx without a password",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"PAR1": "a Parquet file; read it into a DataFrame and hand that in as messages",
    b"%PDF": "a PDF; save the table as .csv or .xlsx",
}


def read_file(stream: BinaryIO, *, name: str, encoding: str | None = None) -> Table:
    """
    Stream the rows of a CSV or XLSX file behind their header; lines without any value are no rows.

    A file without a byte, or without anything but blank lines, has no rows and no header: whether that is an
    error is the caller's to say, as for any other source without rows.

    :param stream: read from its beginning if it can seek, else from where it stands; left open.
    :param name: shown in errors, without its folders.
    :param encoding: what ``find_encoding`` said, if it was asked.
    :raises InvalidMessageError: it is neither, or damaged: where the first rows are asked for if that shows
        at its beginning, else where it does.
    """
    origin = PurePosixPath(name).name
    return Sheet(origin, _read_chunks(stream, origin, encoding))


def find_encoding(stream: BinaryIO, *, name: str) -> str | None:
    """
    Name the encoding of a CSV; ``None`` for a workbook.

    :param stream: one that can seek; left at its beginning.
    :raises InvalidMessageError: it is neither, or its encoding is damaged.
    """
    origin = PurePosixPath(name).name
    return None if _is_workbook(stream, origin) else detect_encoding(stream, origin=origin)


def _read_chunks(stream: BinaryIO, origin: str, encoding: str | None) -> Iterator[Sequence[Record]]:
    with _rewindable(stream) as source:
        if _is_workbook(source, origin):
            yield from read_xlsx(source, origin)
        else:
            yield from read_csv(source, origin, encoding or detect_encoding(source, origin=origin))


def _is_workbook(stream: BinaryIO, origin: str) -> bool:
    head = stream.read(4)
    stream.seek(0)
    for magic, reason in _OTHERS.items():
        if head.startswith(magic):
            raise InvalidMessageError(f"{origin} is {reason}")
    return head.startswith(_ZIP)


@contextmanager
def _rewindable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream that can be read twice: to tell its encoding, and for its rows."""
    if stream.seekable():
        stream.seek(0)
        yield stream
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield cast("BinaryIO", copy)
