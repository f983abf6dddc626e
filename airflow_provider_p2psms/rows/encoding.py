"""Tells how a text file is encoded: by its mark, by its zeros, or by whether all of it is UTF-8."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CHUNK = 1 << 15  # what is decoded of it stays in the processor's cache
_FEWEST_ZEROS = 2


def detect_encoding(stream: BinaryIO, *, origin: str) -> str:
    """
    Name the encoding of a text file, having decoded it to its end; leaves the stream at its beginning.

    What is not UTF-8 is cp1256, as Excel on a Persian or Arabic Windows saves its CSV. But UTF-8 with a
    broken byte is not taken for it: every text in it would become another.

    :raises InvalidMessageError: it is damaged, with the place of the first byte at fault.
    """
    encoding = _by_sight(stream.read(4096))
    fault = _first_fault(stream, encoding)
    if fault is None:
        return encoding
    if encoding == "utf-8" and not _is_mostly_utf8(stream):
        return "cp1256"
    name = encoding.removesuffix("-sig").upper()
    raise InvalidMessageError(
        f"{origin} is {name} with a broken character at byte {fault:,}; export it again"
    )


def _by_sight(head: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # UTF-16 without a mark has a zero beside each delimiter, digit and Latin letter, always on one side.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < _FEWEST_ZEROS or min(even, odd) * 8 > max(even, odd):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def _first_fault(stream: BinaryIO, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    place = 0
    for chunk in _chunks(stream):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as err:
            stream.seek(0)
            return place - held + err.start
        place += len(chunk)
    return None


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    """Tell broken UTF-8 from cp1256, where two neighbours seldom look like one character of UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    for chunk in _chunks(stream):
        text = decoder.decode(chunk, final=not chunk)
        broken = text.count("\N{REPLACEMENT CHARACTER}")
        bad += broken
        good += len(text) - len(text.encode("ascii", "ignore")) - broken
    return good > bad


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Read a stream from its beginning, with an empty chunk behind its end, and rewind it."""
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        yield chunk
    yield b""
    stream.seek(0)
