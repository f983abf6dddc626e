"""Tells how a text file is encoded, by its mark, its zeros or what is UTF-8 in it, and decodes it."""

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.code_pages import find_code_page

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CHUNK = 1 << 15  # what is decoded of it stays in the processor's cache
_HEAD = 4096
_SAVE_AGAIN = "save the table as .xlsx or as .csv (UTF-8)"
_FEWEST_ZEROS = 2
# So many letters beyond ASCII are never UTF-8 by chance: in cp1256 a handful would not be.
_ENOUGH_LETTERS = 1_000


def detect_encoding(stream: BinaryIO, *, origin: str, region: str) -> str:
    """
    Name the encoding of a text file, having decoded as much of it as that takes, and rewind it.

    What is not UTF-8 is in the code page of the region, as Windows saves it there, if that makes words. But
    UTF-8 with a broken byte, or with lines in another encoding, is not taken for it: many texts in it would
    become others.

    :raises InvalidMessageError: it is damaged, mixes encodings or has an unknown one, with the line.
    """
    head = stream.read(_HEAD)
    encoding = _by_sight(head)
    if encoding == "utf-8" and b"\0" in head.lstrip().partition(b"\n")[0]:
        raise InvalidMessageError(f"{origin} is no text file: line 1 holds NUL bytes; {_SAVE_AGAIN}")
    if encoding == "utf-8" and (fault := _find_fault(stream, origin)):
        if _is_mostly_utf8(stream):
            raise fault
        encoding = find_code_page(partial(_whole_lines, stream), origin=origin, region=region)
    stream.seek(0)
    return encoding


def _find_fault(stream: BinaryIO, origin: str) -> InvalidMessageError | None:
    """Decode a stream as UTF-8, until it is certain that it begins as that."""
    letters = 0
    try:
        for text in decode(stream, "utf-8", origin=origin):
            letters += _count_beyond_ascii(text)
            if letters >= _ENOUGH_LETTERS:
                break
    except InvalidMessageError as err:
        return err
    return None


def settle_encoding(stream: BinaryIO, said: str, *, origin: str) -> str:
    """
    Take the encoding that the user named, without the mark that the file may begin with, and rewind it.

    :raises InvalidMessageError: the file begins with the mark of another encoding.
    """
    name = codecs.lookup(said).name
    head = stream.read(_HEAD)
    stream.seek(0)
    marked = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
    if marked is None:
        return name
    order = {codecs.BOM_UTF16_LE: "utf-16-be", codecs.BOM_UTF16_BE: "utf-16-le"}.get(head[:2], "")
    order = {codecs.BOM_UTF32_LE: "utf-32-be", codecs.BOM_UTF32_BE: "utf-32-le"}.get(head[:4], order)
    if name == order or display_name(name) != display_name(marked):
        raise InvalidMessageError(
            f"{origin} begins with the mark of {display_name(marked)}, but encoding={said!r}; leave encoding "
            "out"
        )
    return marked


def split_mark(encoding: str, head: bytes) -> tuple[bytes, str]:
    """Give the mark that a file of this encoding begins with (b"" if none), and the encoding behind it."""
    marks = (mark for mark, marked in _MARKS.items() if marked == encoding and head.startswith(mark))
    mark = next(marks, b"")
    if encoding == "utf-8-sig":
        return mark, "utf-8"
    if encoding not in ("utf-16", "utf-32"):
        return mark, encoding
    is_big = mark in (codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE) if mark else sys.byteorder == "big"
    return mark, f"{encoding}-{'be' if is_big else 'le'}"


def decode(stream: BinaryIO, encoding: str, *, origin: str, size: int = _CHUNK) -> Iterator[str]:
    """
    Decode a stream from its beginning to its end, so many bytes at a time.

    :raises InvalidMessageError: it is damaged, with the line and the place of the first byte at fault.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    place, fault = 0, None
    for chunk in _chunks(stream, size):
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeError as err:  # one of a mark that is none, or of an odd codec, may name no place
            fault = place - held + getattr(err, "start", held)
            break
        yield text
        place += len(chunk)
    if fault is not None:  # not above: the library's error holds what it could not decode
        line = _line_at(stream, encoding, fault)
        raise InvalidMessageError(
            f"{origin}, line {line:,}: byte {fault:,} of the file cannot be read as {display_name(encoding)}"
            "; export the whole file as UTF-8, or name the encoding that it has (encoding=…)"
        )


def _line_at(stream: BinaryIO, encoding: str, place: int) -> int:
    """Count the lines up to a byte."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    count = 1
    with suppress(UnicodeError):  # an odd codec that knows no "replace" counts as far as it comes
        for chunk in _chunks(stream, _CHUNK):
            count += lines.decode(chunk[:place]).count("\n")
            place = max(0, place - len(chunk))
    return count


def display_name(encoding: str) -> str:
    """Name an encoding as people know it: ``UTF-8`` with and without a mark, ``UTF-16`` of either order."""
    name = codecs.lookup(encoding).name
    family = next((known for known in ("utf-8", "utf-16", "utf-32") if name.startswith(known)), "")
    return family.upper() or name


def _by_sight(head: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # UTF-16 without a mark has a zero beside each delimiter, digit and Latin letter, always on one side.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < _FEWEST_ZEROS or min(even, odd) * 8 > max(even, odd):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    """Tell broken UTF-8 from cp1256, where two neighbours seldom look like one character of UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    for chunk in _chunks(stream, _CHUNK):
        text = decoder.decode(chunk, final=not chunk)
        broken = text.count("\N{REPLACEMENT CHARACTER}")
        bad += broken
        good += _count_beyond_ascii(text) - broken
    return good > bad


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Read a file in blocks of whole lines, of which each ends as lines do in the code pages."""
    rest = b""
    for chunk in _chunks(stream, _CHUNK):
        rest += chunk
        if end := rest.rfind(b"\n") + 1 or rest.rfind(b"\r", 0, -1) + 1:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _count_beyond_ascii(text: str) -> int:
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read a stream from its beginning, with an empty chunk behind its end."""
    stream.seek(0)
    while chunk := stream.read(size):
        yield chunk
    yield b""
