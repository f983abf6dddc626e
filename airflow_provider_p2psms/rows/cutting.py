"""
Cuts a file into slices, in one pass: each has so many rows, and the last one has what is left.

A slice depends on the header and on the rows up to its end, and on nothing behind it. So the same file gives
the same slices, and a file that has grown gives the same ones first.
"""

import csv
import math
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

import msgspec

from airflow_provider_p2psms.errors import InvalidMessageError, lay_out
from airflow_provider_p2psms.rows.csv_file import lines_of, look_at_head, open_reader, read_csv, whole_lines
from airflow_provider_p2psms.rows.encoding import decode, display_name, split_mark
from airflow_provider_p2psms.rows.files import encoding_of, rewindable
from airflow_provider_p2psms.rows.formats import is_workbook
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.rules import FileRules
from airflow_provider_p2psms.rows.slices import CSVSlice, Slice, XLSXSlice, add_to_digest, new_digest
from airflow_provider_p2psms.rows.table import Placed, is_filled
from airflow_provider_p2psms.rows.xlsx_file import read_xlsx

_LINES_AT_ONCE = 1_000
_LONGEST_MARK = 4


def cut_file(
    stream: BinaryIO,
    *,
    file: str,
    rows: int,
    most: int | None = None,
    how: FileRules | None = None,
    region: str = "IR",
) -> list[dict[str, Any]]:
    """
    Cut a CSV or XLSX file into slices, each as a JSON mapping; none of a file without rows.

    :param file: the path that stands in each slice.
    :param rows: the rows of each slice but the last. Lines without any value are no rows.
    :param most: how many slices there may be.
    :param region: the country whose code page a CSV may be written in.
    :raises InvalidMessageError: the file cannot be read to its end, or there would be more slices; names the
        number of rows to choose instead.
    """
    origin, how = PurePosixPath(file).name, how or FileRules()
    slices, total = list[Slice](), 0
    with rewindable(stream) as source:
        for part in _cut(source, file, rows, how=how, region=region):
            total += part.rows
            if most is None or len(slices) <= most:
                slices.append(part)
    if most is not None and len(slices) > most:
        raise too_many(origin, total, rows, most)
    return [cast("dict[str, Any]", msgspec.to_builtins(part)) for part in slices]


def too_many(origin: str, total: int, rows: int, most: int) -> InvalidMessageError:
    """Give the error of more slices than there may be; it names the number of rows to choose instead."""
    return InvalidMessageError(
        lay_out(
            f"{origin} has {total:,} rows: {math.ceil(total / rows):,} slices of {rows:,}. Airflow maps "
            f"over {most:,} at most ([core] max_map_length).",
            options=(f"Set rows to {math.ceil(total / most):,} or more.",),
        )
    )


def _cut(source: BinaryIO, file: str, rows: int, *, how: FileRules, region: str) -> Iterator[Slice]:
    origin = PurePosixPath(file).name
    if is_workbook(source, origin):
        return _cut_xlsx(source, file, rows, how=how)
    encoding = encoding_of(source, how, origin=origin, region=region)
    # A code page is detected by bytes that a later slice may have for the first time.
    is_guess = how.encoding is None and display_name(encoding) == encoding
    return _cut_csv(source, file, rows, encoding=encoding, is_guess=is_guess)


def _cut_csv(source: BinaryIO, file: str, rows: int, *, encoding: str, is_guess: bool) -> Iterator[Slice]:
    origin = PurePosixPath(file).name
    taken = _TakenLines(source, encoding, origin)
    try:
        records = taken.records()
        if next(records, None) is None:
            return
        taken.measure()
        head, head_is_ascii, header_end, first_row = taken.digest, taken.is_ascii, taken.end, 1
        while True:
            taken.digest, taken.is_ascii, start, line = head.copy(), head_is_ascii, taken.end, taken.line + 1
            if not (count := sum(1 for _ in islice(records, rows))):
                return
            taken.measure()
            yield CSVSlice(
                file=file,
                first_row=first_row,
                rows=count,
                fingerprint=taken.digest.hexdigest(),
                start=start,
                end=taken.end,
                first_line=line,
                header_end=header_end,
                encoding="utf-8" if is_guess and taken.is_ascii else encoding,
                delimiter=taken.delimiter,
            )
            first_row += count
    except csv.Error:
        for _ in read_csv(source, encoding, Reading(origin=origin)):
            pass  # raises the same fault, with its line
        raise AssertionError from None


class _TakenLines:
    """
    The lines of a file that were taken from it as records, and the bytes that they are.

    ``end`` and ``line`` are where the last measured record ends: the bytes and the lines before that.
    """

    def __init__(self, source: BinaryIO, encoding: str, origin: str) -> None:
        self._origin = origin
        self._encoding = encoding
        mark, self._codec = split_mark(encoding, source.read(_LONGEST_MARK))
        self._bytes = _ReadBytes(source)
        texts = whole_lines(decode(cast("BinaryIO", self._bytes), encoding, origin=origin))
        first = next(texts, "")
        size, self.delimiter = look_at_head(first)
        self._bytes.forget(mark)
        self.end, self.line = len(mark), 0
        self.digest, self.is_ascii = new_digest(), True
        self.digest.update(mark)
        # Those that are not measured yet, and how many of them lie before the end of the last record.
        self._lines = [first[:size]] if size else []
        self._filled = 0
        self._rest = lines_of(chain([first[size:]], texts))

    def records(self) -> Iterator[list[str]]:
        """Give the records that have a value."""
        for record in open_reader(self._take(), self.delimiter):
            if is_filled(record):
                self._filled = len(self._lines)
                if self._filled >= _LINES_AT_ONCE:
                    self.measure()
                yield record

    def _take(self) -> Iterator[str]:
        for line in self._rest:
            self._lines.append(line)
            yield line

    def measure(self) -> None:
        """Find the bytes of the lines up to the end of the last record."""
        content = "".join(self._lines[: self._filled]).encode(self._codec)
        if not self._bytes.forget(content):
            raise InvalidMessageError(
                f"{self._origin} cannot be cut: {display_name(self._encoding)} has several ways to write one "
                "text; export the file as UTF-8"
            )
        self.digest.update(content)
        self.is_ascii = self.is_ascii and content.isascii()
        self.end += len(content)
        self.line += self._filled
        del self._lines[: self._filled]
        self._filled = 0


class _ReadBytes:
    """Reads a stream for ``decode``, and keeps what was read in the first pass until it is forgotten."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._passes = 0

    def seek(self, place: int) -> int:
        self._passes += 1
        return self._stream.seek(place)

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        if self._passes == 1:
            self._kept += chunk
        return chunk

    def forget(self, content: bytes) -> bool:
        """Forget the oldest bytes; false if they are others than these."""
        if not self._kept.startswith(content):
            return False
        del self._kept[: len(content)]
        return True


def _cut_xlsx(source: BinaryIO, file: str, rows: int, *, how: FileRules) -> Iterator[Slice]:
    chunks = cast("Iterator[Placed]", read_xlsx(source, how, Reading(origin=PurePosixPath(file).name)))
    filled = (
        (place, record)
        for chunk in chunks
        for place, record in zip(chunk.places, chunk, strict=True)
        if is_filled(record)
    )
    head, first_row = new_digest(), 1
    for _, header in islice(filled, 1):
        add_to_digest(head, header)
    while True:
        digest, places = head.copy(), list[int]()
        for place, record in islice(filled, rows):
            places.append(place)
            add_to_digest(digest, record)
        if not places:
            return
        yield XLSXSlice(
            file=file,
            first_row=first_row,
            rows=len(places),
            fingerprint=digest.hexdigest(),
            first_sheet_row=places[0],
            last_sheet_row=places[-1],
            sheet=how.sheet,
            hidden_rows=how.hidden_rows,
        )
        first_row += len(places)
