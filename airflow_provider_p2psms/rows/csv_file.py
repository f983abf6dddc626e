"""CSV as it comes: any usual encoding, delimiter and line end, with quotes as RFC 4180 has them."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.chunks import in_chunks
from airflow_provider_p2psms.rows.encoding import detect_encoding
from airflow_provider_p2psms.rows.table import Record

_DELIMITERS = ",;\t|"
_CHARS = 1 << 15  # what is taken apart of them stays in the processor's cache
# Excel writes and reads this line above the header, to say which delimiter follows.
_says_delimiter = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE).fullmatch


def read_csv(stream: BinaryIO, origin: str) -> Iterator[Sequence[Record]]:
    """
    Stream the records of a CSV file, in chunks; its texts are not altered. Leaves the stream open.

    :raises InvalidMessageError: the encoding is damaged (before the first row), or a quote (where it stands).
    """
    lines = io.TextIOWrapper(stream, detect_encoding(stream, origin=origin), newline="")
    try:
        yield from _records(lines, origin)
    finally:
        # Else it closes a stream that is not ours. Whose it is may have closed it before this generator.
        with suppress(ValueError):
            lines.detach()


def _records(lines: io.TextIOWrapper, origin: str) -> Iterator[Sequence[Record]]:
    head, delimiter = _read_head(lines)
    text, above = "".join(head), 0
    while (records := _split(text, delimiter)) is not None:
        yield records
        above += len(records)
        text = lines.read(_CHARS) + lines.readline()
        if not text:
            return
    reader = csv.reader(chain(io.StringIO(text, newline=""), lines), delimiter=delimiter, strict=True)
    try:
        yield from in_chunks(reader)
    except csv.Error as err:
        raise InvalidMessageError(f"{origin}, line {above + reader.line_num:,}: {_explain(err)}") from None


def _split(text: str, delimiter: str) -> list[list[str]] | None:
    """
    Take whole lines apart without Python's reader, which takes twice as long to come to the same.

    ``None`` if there is a quote, a field that may be too long, or more than one kind of line end: after the
    first of these all is for the reader, since a quoted text may go on over many lines.
    """
    if '"' in text or len(text) > csv.field_size_limit():
        return None
    lines = text.split("\r\n" if "\r" in text else "\n")
    if not lines[-1]:
        lines.pop()
    others = "".join(lines)
    return None if "\r" in others or "\n" in others else [line.split(delimiter) for line in lines]


def _read_head(lines: io.TextIOWrapper) -> tuple[list[str], str]:
    """Read the lines of the header, and the delimiter that they show; blank lines above it go with them."""
    head: list[str] = []
    for line in lines:
        if not head and (said := _says_delimiter(line)):
            return [], said[1]
        head.append(line)
        text = "".join(head)
        if text.strip() and text.count('"') % 2 == 0:
            break
        if len(text) > csv.field_size_limit():  # a quote that never closes: the reader will say so
            break
    unquoted = re.sub(r'"[^"]*"', "", "".join(head))
    return head, max(_DELIMITERS, key=unquoted.count)


def _explain(err: csv.Error) -> str:
    """Say what to do; the texts of Python's reader hold nothing of the file, but nothing to go by either."""
    if "field limit" in str(err) or "end of data" in str(err):
        return 'a quote is opened and never closed; write a quote within a text as ""'
    return 'something stands behind a closing quote; write a quote within a text as ""'
